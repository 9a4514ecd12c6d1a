"""The protocol's own suite: what it can ask of the product, and the rest of a fixture server.

The suite calls tools by names of its own. Here the product has tools of these names whose work
is that of its own researches; what it never does by contract is done by the fixture.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from gemini_interactions.bridge.requests import ResearchRequest
from gemini_interactions.tools import registry, tool_definition
from gemini_interactions.tools.rendering import research_report
from gemini_interactions.tools.tool_definition import ToolContext, tool
from tests.end_to_end.http.test_conformance import node, program, run
from tests.support import task_fixture_server
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness

__all__ = ["node"]

pytestmark = pytest.mark.processes

# Each scenario that needs no `subscriptions/listen`, with the checks that pass, and by their ids
# those that no server without the fixture's tools can pass.
ON_THE_PRODUCT: list[tuple[str, int, set[str]]] = [
    ("tasks-capability-negotiation", 5, set()),
    ("tasks-wire-fields", 4, set()),
    ("tasks-request-state-removal", 3, set()),
    ("tasks-request-headers", 5, set()),
    ("tasks-dispatch-and-envelope", 9, set()),
    ("tasks-lifecycle", 8, {"sep-2663-tasks-get-status-failed"}),
    ("tasks-mrtr-input", 3, {"tasks-mrtr-partial-fulfillment"}),
]
ON_THE_FIXTURE = [
    ("tasks-lifecycle", 9),
    ("tasks-capability-negotiation", 5),
    ("tasks-wire-fields", 4),
    ("tasks-request-state-removal", 3),
    ("tasks-mrtr-input", 4),
    ("tasks-request-headers", 5),
    ("tasks-dispatch-and-envelope", 9),
    ("tasks-required-task-error", 3),
    ("tasks-mrtr-composition", 2),
]


async def checks(node: str, url: str, scenario: str, home: Path) -> list[dict[str, Any]]:
    suite = program("@modelcontextprotocol/conformance", "conformance")
    where = ["--url", url, "--scenario", scenario, "--spec-version", "2026-07-28", "--force"]
    ended = await run(node, suite, "server", *where, "-o", home / "out", home=home)
    reports = list((home / "out").rglob("checks.json"))
    assert reports, ended.stdout.decode() + ended.stderr.decode()
    found: list[dict[str, Any]] = json.loads(reports[0].read_text("utf-8"))
    return found


def by_status(found: list[dict[str, Any]], *statuses: str) -> dict[str, str]:
    return {
        each["id"]: each.get("errorMessage", "") for each in found if each["status"] in statuses
    }


@pytest.fixture
async def real_site(real_time: AppHarness) -> AsyncIterator[GatewayHarness]:
    """Gateways where researches take real time, as the suite waits in it."""
    gateways = GatewayHarness(real_time)
    yield gateways
    real_time.control.let_go()
    await gateways.close()


@pytest.fixture
def suite_tools(real_time: AppHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools of the suite's names in the product; each but the first is a research."""
    known = dict(registry.tools(("ask", "research")))
    monkeypatch.setattr(registry, "REGISTERED", known)
    monkeypatch.setattr(tool_definition, "REGISTERED", known)
    control = real_time.control

    async def start_research(
        context: ToolContext, question: str, *, plan: bool
    ) -> types.CallToolResult:
        wanted = ResearchRequest(question, plan_first=plan)
        return await research_report.render(
            await context.bridge.researches.start(context.caller, wanted), context.limits
        )

    @tool("Greet", toolset="", read_only=True)
    async def greet(context: ToolContext, name: str) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(text=f"Hello, {name}!")])

    task = partial(tool, toolset="", read_only=False, may_be_task=True)

    @task("Compute")
    async def slow_compute(
        context: ToolContext, seconds: float = 0, label: str = ""
    ) -> types.CallToolResult:
        control.research_seconds = seconds
        return await start_research(context, f"What takes {seconds} s for {label}?", plan=False)

    @task("Fail")
    async def failing_job(context: ToolContext) -> types.CallToolResult:
        control.research_seconds = 0.5
        control.research_next("failed")
        return await start_research(context, f"What fails at {time.time()}?", plan=False)

    @task("Break")
    async def protocol_error_job(context: ToolContext) -> types.CallToolResult:
        control.research_seconds = 0.5
        return await start_research(context, f"What breaks at {time.time()}?", plan=False)

    @task("Confirm")
    async def confirm_delete(context: ToolContext, filename: str) -> types.CallToolResult:
        control.research_seconds = 1.0
        return await start_research(context, f"How to delete {filename}?", plan=True)


@pytest.mark.parametrize(("scenario", "passed", "untestable"), ON_THE_PRODUCT)
@pytest.mark.usefixtures("suite_tools")
async def test_the_product_conforms(
    real_site: GatewayHarness,
    node: str,
    tmp_path: Path,
    scenario: str,
    passed: int,
    untestable: set[str],
) -> None:
    real_site.harness.clock.time = time.time()
    await real_site.open()

    found = await checks(node, real_site.url, scenario, tmp_path)

    wrong = by_status(found, "FAILURE", "WARNING")
    assert set(wrong) == untestable, wrong
    assert len(by_status(found, "SUCCESS")) == passed, [each["id"] for each in found]


@pytest.mark.parametrize(("scenario", "passed"), ON_THE_FIXTURE)
async def test_our_part_of_the_protocol_conforms_in_a_server_that_does_the_rest(
    node: str, tmp_path: Path, scenario: str, passed: int
) -> None:
    async with task_fixture_server.serving() as url:
        found = await checks(node, url, scenario, tmp_path)

    assert by_status(found, "FAILURE", "WARNING") == {}
    assert len(by_status(found, "SUCCESS")) == passed, [each["id"] for each in found]
