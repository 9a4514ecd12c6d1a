"""Custom agents: made, run and deleted by commands, listed to models, given to owners."""

from __future__ import annotations

import io
import json
import sys

import pytest
from mcp_types import ResourceTemplateReference

from tests.end_to_end.commands.conftest import Run
from tests.end_to_end.commands.conftest import run as command
from tests.end_to_end.http.conftest import gateways
from tests.support.agent_client import AGENT, ALL_TOOLS, run_agent, write_file
from tests.support.app_harness import AppHarness, McpClient
from tests.support.gateway_harness import GatewayHarness

__all__ = ["command", "gateways"]

REVIEWER = {
    "id": "reviewer",
    "base_agent": AGENT,
    "description": "Reviews code",
    "system_instruction": "Be brief.",
}


async def read(client: McpClient, uri: str) -> str:
    (content,) = (await client.sdk_client.read_resource(uri)).contents
    assert content.mime_type == "text/markdown"
    return str(getattr(content, "text", ""))


@pytest.fixture
def definition() -> str:
    write_file("reviewer.json", json.dumps(REVIEWER))
    return "reviewer.json"


async def test_an_agent_is_created_shown_tested_run_and_deleted(
    command: Run, definition: str, harness: AppHarness
) -> None:
    harness.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.1", GEMINI_MCP_TOOLSETS="all")

    created = await command("agents", "create", definition)
    listed = await command("agents", "list")
    shown = await command("agents", "show", "reviewer")
    tested = await command("agents", "test", "reviewer")
    client = await harness.connect()
    ran = await run_agent(client, "Write a.md with hello", agent="reviewer")
    history = await client.history(kind="agents")
    deleted = await command("agents", "delete", "reviewer", "--yes")
    after = await command("agents", "list")

    assert created.out == "Created reviewer, for local. Try it with: agents test reviewer\n"
    lines = listed.out.splitlines()
    assert lines[0].split() == ["ID", "BASE", "FOR", "DESCRIPTION"]
    assert any(line.split() == ["reviewer", AGENT, "local", "Reviews", "code"] for line in lines)
    assert json.loads(shown.out) == REVIEWER
    assert tested.code == 0
    assert "[Be brief.]" in tested.out
    assert "[Be brief.] I wrote a.md." in ran.text
    assert "1 to 2 of 2 runs of agents" in history.text
    assert deleted.out == "Deleted reviewer at Google.\n"
    assert "reviewer" not in after.out


async def test_a_definition_may_come_from_standard_input(
    command: Run, monkeypatch: pytest.MonkeyPatch, harness: AppHarness
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(REVIEWER)))

    created = await command("agents", "create", "-")

    assert created.code == 0
    assert "reviewer" in harness.control.service.agents


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is no JSON object"),
        ("{", "is no JSON object"),
        ('{"id": "a", "base_agent": "b", "color": 1}', "An agent has no color"),
        ('{"id": "a"}', "needs `base_agent`"),
        ('{"id": 1, "base_agent": "b"}', "needs `id`"),
        ('{"id": "a", "base_agent": "nobody"}', "base agent"),
    ],
)
async def test_a_definition_that_is_none_is_refused(command: Run, text: str, words: str) -> None:
    write_file("bad.json", text)

    ended = await command("agents", "create", "bad.json")

    assert ended.code == 2
    assert words in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show",), "needs an ID"),
        (("create",), "needs a FILE"),
        (("create", "missing.json"), "cannot be read"),
        (("show", "nobody"), "There is no agent 'nobody'"),
        (("delete", "nobody", "--yes"), "There is no agent 'nobody'"),
        (("delete", "reviewer"), "Pass --yes"),
        (("list", "--owner", "a", "--everyone"), "not both"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    command: Run, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    ended = await command("agents", *arguments)

    assert ended.code == 2
    assert words in ended.err


async def test_models_read_the_live_list_and_complete_ids(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.service.create_agent({**REVIEWER, "description": "Reviews\x1b[2J | code"})

    listed = await read(client, "gemini://agents")
    shown = await read(client, "gemini://agents/reviewer")
    found = await client.sdk_client.complete(
        ResourceTemplateReference(uri="gemini://agents/{id}"), {"name": "id", "value": "rev"}
    )

    assert f"Default: {AGENT}" in listed
    assert f"| reviewer | {AGENT} | Reviews / code |" in listed
    assert "Be brief." in shown
    assert found.completion.values == ["reviewer"]


async def test_without_an_answer_of_google_the_default_is_told(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.fail_next(503, on="agents", times=9)

    listed = await read(client, "gemini://agents")

    assert f"Default: {AGENT}" in listed
    assert "No live list" in listed


async def test_on_a_gateway_custom_agents_are_for_those_they_were_given_to(
    gateways: GatewayHarness, harness: AppHarness, command: Run
) -> None:
    for name, to in (("for-ann", ("--owner", "ann")), ("for-all", ("--everyone",)), ("mine", ())):
        write_file(f"{name}.json", json.dumps({"id": name, "base_agent": AGENT}))
        await command("agents", "create", f"{name}.json", *to)
    await gateways.open(
        tokens={"anns-token": "ann", "bobs-token": "bob"},
        toolsets=("ask", "agents"),
        research_poll_seconds=0.1,
    )
    ann, bob = (
        await gateways.connect(token="anns-token"),
        await gateways.connect(token="bobs-token"),
    )

    seen = {}
    for name, client in (("ann", ann), ("bob", bob)):
        told = await read(client, "gemini://agents")
        seen[name] = {each for each in ("for-ann", "for-all", "mine", AGENT) if each in told}
    ran = await run_agent(ann, "x", agent="for-ann")
    refused = await bob.call("gemini_run_agent", prompt="x", agent="for-ann")
    shared = await run_agent(bob, "x", agent="for-all")

    assert seen == {"ann": {"for-ann", "for-all", AGENT}, "bob": {"for-all", AGENT}}
    assert ran.status == shared.status == "completed"
    assert refused.is_error
    assert "There is no agent 'for-ann' here" in refused.text


# -- nothing is left at Google unseen ----------------------------------------------------------


def environments(harness: AppHarness) -> set[str]:
    return {each["id"] for each in harness.control.service.environments.everything()}


async def test_deleting_a_conversation_deletes_its_environment_and_files(
    client: McpClient, harness: AppHarness, command: Run
) -> None:
    done = await run_agent(client, "Write a.md with hello")
    other = await run_agent(client, "Write b.md with hello")
    await client.call("gemini_agent_files", id=done.id, path="a.md")

    ended = await command("delete", done.conversation, "--yes")

    assert ended.out == f"Deleted {done.conversation} here and at Google.\n"
    assert environments(harness) == {other.facts["environment_id"]}
    assert list((harness.folder / "agents").iterdir()) == []


async def test_what_could_not_be_deleted_at_google_is_told_and_tried_again(
    client: McpClient, harness: AppHarness, command: Run
) -> None:
    done = await run_agent(client, "Write a.md with hello")
    harness.control.fail_next(403, on="environments", times=1)

    ended = await command("delete", done.conversation, "--yes")
    left = environments(harness)
    maintenance = client.app.maintenance
    assert maintenance is not None
    harness.clock.advance(3601)
    await maintenance._retention.tidy()

    assert ended.code == 1
    assert f"Not deleted at Google: {done.facts['environment_id']}" in ended.err
    assert left == {done.facts["environment_id"]}
    assert environments(harness) == set()


async def test_retention_deletes_environments_of_old_conversations(harness: AppHarness) -> None:
    harness.set(
        **ALL_TOOLS,
        GEMINI_MCP_RETENTION_DAYS="2",
    )
    client = await harness.connect()
    await run_agent(client, "Write a.md with hello")
    maintenance = client.app.maintenance
    assert maintenance is not None
    harness.clock.advance(3 * 86400)

    await maintenance._retention.tidy()

    assert environments(harness) == set()
    assert "There is no run of an agent" in (await client.history(kind="agents")).text
