"""The protocol's own test suite and its Inspector, both eras, where Node is at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.app_harness import META
from tests.support.gateway_harness import GatewayHarness
from tests.support.protocol import LEGACY, MODERN

PACKAGES = Path(__file__).parents[3] / ".tools" / "node_modules"
OLDEST = 22

pytestmark = pytest.mark.processes

# Those that apply to any server, with how many checks must pass at least: a scenario whose
# checks were all skipped says nothing.
SCENARIOS = [
    (LEGACY, "server-initialize", 3),
    (LEGACY, "server-session-lifecycle", 3),
    (LEGACY, "ping", 2),
    (LEGACY, "tools-list", 3),
    (LEGACY, "resources-list", 2),
    (LEGACY, "prompts-list", 2),
    (LEGACY, "dns-rebinding-protection", 2),
    (MODERN, "server-stateless", 21),
    (MODERN, "tools-list", 4),
    (MODERN, "resources-list", 2),
    (MODERN, "prompts-list", 2),
    (MODERN, "dns-rebinding-protection", 2),
    (MODERN, "caching", 8),
    (MODERN, "http-header-validation", 14),
    (MODERN, "sep-2164-resource-not-found", 4),
]


@pytest.fixture(scope="module")
def node() -> str:
    """A Node that is new enough: the one `make node-tools` brought, or the machine's own."""
    for found in (PACKAGES / "node" / "bin" / "node", shutil.which("node")):
        if found and Path(found).exists():
            told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
            if (
                told.stdout[1:].split(".")[0].isdigit()
                and int(told.stdout[1:].split(".")[0]) >= OLDEST
            ):
                return str(found)
    pytest.skip(f"needs Node {OLDEST} or newer: make node-tools")


def program(package: str, name: str) -> Path:
    """The script behind a command of an installed package."""
    folder = PACKAGES / package
    if not folder.exists():
        pytest.skip(f"needs {package}: make node-tools")
    told = json.loads((folder / "package.json").read_text("utf-8"))["bin"]
    return folder / (told if isinstance(told, str) else told[name])


async def run(*command: str | Path, home: Path) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "NO_COLOR": "1"}
    with anyio.fail_after(60):
        return await anyio.run_process(
            [str(each) for each in command], check=False, cwd=home, env=environ
        )


@pytest.mark.parametrize(("version", "scenario", "checks"), SCENARIOS)
async def test_the_conformance_suite_finds_nothing_wrong(
    gateways: GatewayHarness, node: str, tmp_path: Path, version: str, scenario: str, checks: int
) -> None:
    suite = program("@modelcontextprotocol/conformance", "conformance")
    await gateways.open()
    where = ["--url", gateways.url, "--scenario", scenario, "--spec-version", version]

    ended = await run(node, suite, "server", *where, "-o", tmp_path / "out", home=tmp_path)

    (report,) = (tmp_path / "out").rglob("checks.json")
    found = json.loads(report.read_text("utf-8"))
    # A few checks need a tool that only a server made for this suite has.
    wrong = [
        each
        for each in found
        if each["status"] not in ("SUCCESS", "SKIPPED", "INFO")
        and not each.get("details", {}).get("untestable")
    ]
    assert wrong == [], ended.stdout.decode()
    assert Counter(each["status"] for each in found)["SUCCESS"] >= checks


async def inspect(gateways: GatewayHarness, node: str, home: Path, era: str, *more: str) -> Any:
    inspector = program("@modelcontextprotocol/inspector", "mcp-inspector")
    where = ["--cli", "--protocol-era", era, gateways.url, "--transport", "http"]

    ended = await run(node, inspector, *where, "--format", "json", *more, home=home)

    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)["result"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_inspector_lists_and_calls_our_tools(
    gateways: GatewayHarness, node: str, tmp_path: Path, era: str
) -> None:
    await gateways.open()

    listed = await inspect(gateways, node, tmp_path, era, "--method", "tools/list", "--strict")
    call = ["--method", "tools/call", "--tool-name", "gemini_ask", "--tool-arg", "prompt=hello"]
    called = await inspect(gateways, node, tmp_path, era, *call)

    assert "gemini_ask" in {tool["name"] for tool in listed["tools"]}
    assert called["_meta"][META]["status"] == "completed"
    assert ("io.modelcontextprotocol/serverInfo" in called["_meta"]) is (era == "modern")
    assert "hello" in called["content"][0]["text"]
