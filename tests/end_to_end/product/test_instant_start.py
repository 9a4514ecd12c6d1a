"""A host has our tools before the SDK is imported, and nothing is lost in the handing over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gemini_interactions.mcp_server.transports.recorded_handshake import MODERN
from tests.unit.mcp_server.test_recorded_handshake import READY, hello, modern, request

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="pipes cannot be selected there"),
]

FIRST_MESSAGES = Path(__file__).parents[2] / "data" / "first_messages"

# The server, which says what is imported by the time its import of the SDK would begin.
SERVER = """
import sys
from gemini_interactions.cli import command_line

imported = command_line._import_server

def tell_and_import():
    sys.stderr.write(" ".join(sorted({each.partition(".")[0] for each in sys.modules})))
    imported()

command_line._import_server = tell_and_import
sys.exit(command_line.main([]))
"""


def serve(lines: Sequence[str], folder: Path) -> tuple[list[Any], set[str], int]:
    """What a server answers to lines that have all come before it starts, by id; what it had
    imported before the SDK; its exit code."""
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(each for each in sys.path if each),
        "HOME": str(folder),
        "GEMINI_MCP_LOG_LEVEL": "error",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("".join(f"{each}\n" for each in lines))
        server.stdin.flush()
        expected = sum('"id"' in each or not each.startswith("{") for each in lines)
        answers = [json.loads(server.stdout.readline()) for _ in range(expected)]
        rest, told = server.communicate(timeout=60)
    assert rest == ""
    return answers, set(told.split()), server.returncode


def beyond_the_standard_library(imported: set[str]) -> set[str]:
    """Modules that are neither of the standard library nor ours."""
    ours = {"gemini_interactions", "__main__", "__mp_main__"}
    # What an installation adds to every interpreter is not ours.
    return {
        each
        for each in imported - set(sys.stdlib_module_names) - ours
        if not each.startswith(("_", "sitecustomize"))
    }


@pytest.mark.parametrize(
    "lines",
    [
        [hello(), READY, request("tools/list", 2), request("prompts/list", 3)],
        [modern("server/discover"), modern("tools/list", 2), modern("resources/list", 3)],
    ],
    ids=["legacy", "modern"],
)
def test_tools_are_listed_with_only_the_standard_library_loaded(lines: list[str], tmp_path: Path):
    call = modern("tools/call", 9, name="gemini_history", arguments={})
    legacy = request("tools/call", 9, name="gemini_history", arguments={})
    last = call if MODERN in lines[0] else legacy

    answers, imported, code = serve([*lines, last], tmp_path)

    assert beyond_the_standard_library(imported) == set()
    assert [each["id"] for each in answers] == [1, 2, 3, 9]
    assert all("result" in each for each in answers)
    assert code == 0


@pytest.mark.parametrize("host", ["ai-sdk", "claude-code", "codex", "copilot"])
def test_what_real_hosts_say_first_needs_only_the_standard_library(host: str, tmp_path: Path):
    lines = (FIRST_MESSAGES / f"{host}.jsonl").read_text("utf-8").splitlines()

    answers, imported, code = serve(lines, tmp_path)

    assert beyond_the_standard_library(imported) == set()
    assert answers
    assert all("result" in each for each in answers)
    assert code == 0


def test_what_came_during_the_import_is_answered_as_after_it(tmp_path: Path):
    lines = [
        hello(),
        READY,
        request("tools/call", 2, name="gemini_history", arguments={}),
        request("tools/list", 3),
        request("tools/call", 4, name="no_such_tool", arguments={}),
        "this is no JSON",
        request("resources/read", 5, uri="gemini://usage"),
    ]

    answers, _, _ = serve(lines, tmp_path)

    by_id = {each["id"]: each for each in answers}
    assert set(by_id) == {1, 2, 3, 4, 5, None}
    assert "There is no conversation here" in by_id[2]["result"]["content"][0]["text"]
    assert "Unknown tool" in by_id[4]["error"]["message"]
    assert by_id[None]["error"]["code"] == -32700
    assert len([each for each in answers if each["id"] == 1]) == 1


def test_initialize_after_a_discover_leads_to_a_working_session(tmp_path: Path):
    lines = [
        modern("server/discover", 1),
        hello().replace('"id": 1', '"id": 2'),
        READY,
        request("tools/call", 3, name="gemini_history", arguments={}),
    ]

    answers, _, _ = serve(lines, tmp_path)

    assert [each["id"] for each in answers] == [1, 2, 3]
    assert "result" in answers[2]


def test_an_end_of_stdin_before_the_import_is_an_end(tmp_path: Path):
    answers, _, code = serve([], tmp_path)

    assert answers == []
    assert code == 0
