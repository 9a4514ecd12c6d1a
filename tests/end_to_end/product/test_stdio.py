"""Real server processes over stdio: nothing but protocol on stdout, and a clean end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from gemini_interactions import __version__
from tests.support.app_harness import AppHarness, ToolResult, mask_ids
from tests.support.fork_server import ForkServer
from tests.support.protocol import Era
from tests.support.server_process import ServerProcess, Start, fork, spawn

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="servers are forked"),
]
both_eras = pytest.mark.parametrize("era", ["modern", "legacy"])

KEY = "AIzaSy-not-a-real-key-0123456789abcdef"
PROMPT = "A very private prompt about pineapples."

# ------------------------------------------------------------------- started as hosts start it


@both_eras
async def test_a_server_started_as_hosts_do_asks_and_continues(
    harness: AppHarness, tmp_path: Path, era: Era
) -> None:
    server = await spawn(tmp_path, era)

    hello = await server.hello()
    listed = await server.request("tools/list")
    first = await server.call("gemini_ask", prompt="My name is Ada.")
    second = await server.call("gemini_continue", prompt="What is my name?")
    server.hang_up()

    assert await server.ended() == 0
    assert hello["result"]["instructions"]
    assert f'"version": "{__version__}"' in json.dumps(hello)
    assert len(listed["result"]["tools"]) >= 4
    assert (first.turn, second.turn) == (1, 2)
    assert second.piece == "Your name is Ada."
    assert server.log == ""
    assert [body["input"] for body in harness.bodies] == ["My name is Ada.", "What is my name?"]


@both_eras
async def test_the_list_of_tools_is_small_on_the_wire(start: Start, era: Era) -> None:
    server = await start(era)

    listed = await server.request("tools/list")

    minified = json.dumps(listed["result"]["tools"], separators=(",", ":"), ensure_ascii=False)
    assert len(minified.encode()) <= 9_000


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdks_own_client_asks_and_continues(
    harness: AppHarness, tmp_path: Path, mode: str
) -> None:
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "gemini_interactions"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
    )

    with (tmp_path / "stderr.log").open("w") as log:
        async with Client(stdio_client(parameters, log), mode=mode) as client:
            tools = (await client.list_tools()).tools
            await client.call_tool("gemini_ask", {"prompt": "My name is Ada."})
            said = ToolResult.of(
                await client.call_tool("gemini_continue", {"prompt": "What is my name?"})
            )

    assert {"gemini_ask", "gemini_continue"} <= {tool.name for tool in tools}
    assert said.piece == "Your name is Ada."
    assert len(harness.bodies) == 2


async def test_a_server_starts_and_lists_without_key_network_or_home(
    harness: AppHarness, tmp_path: Path
) -> None:
    harness.set(
        GEMINI_API_KEY=None,
        GOOGLE_GEMINI_BASE_URL="http://192.0.2.1",
        GEMINI_MCP_DATA_DIR=None,
        HOME="/dev/null",
        XDG_DATA_HOME=None,
    )
    server = await spawn(tmp_path)

    await server.hello()
    listed = await server.request("tools/list")
    refused = await server.call("gemini_ask", prompt="Hello.")
    server.hang_up()

    assert await server.ended() == 0
    assert len(listed["result"]["tools"]) >= 4
    assert refused.is_error
    assert "GEMINI_MCP_DATA_DIR" in refused.text or "no Gemini API key" in refused.text


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_clients_of_every_earlier_protocol_are_served(
    harness: AppHarness, fork_server: ForkServer, tmp_path: Path, version: str
) -> None:
    server = await fork(fork_server, tmp_path, "legacy")

    hello = await server.hello(version)
    said = await server.call("gemini_ask", prompt="My name is Ada.")
    server.hang_up()
    await server.ended()

    assert hello["result"]["protocolVersion"] == version
    assert said.piece == "Nice to meet you, Ada. I will remember your name."


async def test_a_client_that_does_not_say_its_name_gets_the_smallest_budget(
    harness: AppHarness, start: Start
) -> None:
    server = await start("modern")
    harness.control.answer_next("word " * 10_000)
    nameless = server.frame("tools/call", name="gemini_ask", arguments={"prompt": "Hello."})
    del nameless["params"]["_meta"][types.CLIENT_INFO_META_KEY]

    await server.send(nameless)
    said = await server.result(nameless["id"])

    assert 10_000 < len(said.text) <= 11_000


@pytest.mark.parametrize("name", ["with blanks", "ä%20?#&:;'", "$HOME", "…"])
async def test_a_data_folder_may_have_any_name(
    harness: AppHarness, start: Start, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    server = await start(GEMINI_MCP_DATA_DIR=str(folder))
    harness.control.answer_next("word " * 10_000)

    said = await server.call("gemini_ask", prompt="Hello.")

    assert said.facts["path"].startswith(f"{folder}/texts/")
    assert sorted(path.name for path in folder.glob("*.db")) == ["gemini.db"]


async def test_a_terminal_without_unicode_changes_nothing(
    harness: AppHarness, start: Start
) -> None:
    server = await start(LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    said = await server.call("gemini_ask", prompt="敏捷的棕色狐狸")

    assert said.piece.startswith('You said: "敏捷的棕色狐狸"')


# ----------------------------------------------------------------------------- what it writes


async def test_stdout_carries_nothing_but_protocol(harness: AppHarness, start: Start) -> None:
    server = await start(GEMINI_MCP_LOG_LEVEL="debug")
    await server.call("gemini_ask", prompt=PROMPT)
    await server.call("gemini_ask", prompt="")
    harness.control.fault_next("reset")
    await server.call("gemini_ask", prompt=PROMPT)
    await server.request("no/such/method")
    await server.send("this is no JSON")
    await server.call("gemini_history")
    server.hang_up()
    await server.ended()

    messages = [json.loads(line) for line in server.lines]

    assert len(messages) >= 6
    assert all(message["jsonrpc"] == "2.0" for message in messages)
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in server.lines)


@both_eras
async def test_stderr_has_neither_key_nor_prompt(
    harness: AppHarness, start: Start, era: Era
) -> None:
    server = await start(era, GEMINI_API_KEY=KEY)
    first = await server.call("gemini_ask", prompt=PROMPT)
    for fault in ("reset", "invalid_json", "empty_body", "error_event"):
        harness.control.fault_next(fault)
        await server.call("gemini_ask", prompt=PROMPT)
    harness.control.fail_next(400, message=f"{PROMPT} {KEY}")
    await server.call("gemini_continue", prompt=PROMPT, conversation_id=first.conversation)
    await server.call("gemini_ask", prompt=PROMPT, nonsense=PROMPT)
    server.hang_up()
    await server.ended()

    assert KEY not in server.log
    assert "pineapples" not in server.log
    assert "Traceback" not in server.log


# ------------------------------------------------------------------------ what it has to stand


async def test_a_prompt_of_two_megabytes_goes_through_a_pipe(
    harness: AppHarness, start: Start
) -> None:
    server = await start()
    prompt = "敏捷的棕色狐狸 " * 100_000

    said = await server.call("gemini_ask", prompt=prompt)

    assert len(prompt.encode()) > 2_000_000
    assert said.status == "completed"
    assert harness.last["input"] == prompt


@both_eras
@pytest.mark.parametrize(
    ("carried", "arrived"),
    [
        (r"an emoji \ud83d\ude00", "an emoji 😀"),
        (r"half of one \ud83d", "half of one \ufffd"),
        (r"\uDE00\uD83D the wrong way round", "\ufffd\ufffd the wrong way round"),
        (r"\\ud83d is only words, \\\ud83d is not", "\\ud83d is only words, \\\ufffd is not"),
        (r"NUL \u0000 inside", "NUL \0 inside"),
        (r"line\u2028\r\n\u0085end", "line\u2028\r\n\x85end"),
    ],
)
async def test_whatever_json_can_carry_is_answered(
    harness: AppHarness, start: Start, era: Era, carried: str, arrived: str
) -> None:
    server = await start(era)
    plain = server.frame("tools/call", name="gemini_ask", arguments={"prompt": "PROMPT"})

    await server.send(json.dumps(plain).replace("PROMPT", carried))
    said = await server.result(plain["id"])

    assert said.status == "completed"
    assert harness.last["input"] == arrived


@both_eras
async def test_arguments_nested_without_end_are_refused_in_words(start: Start, era: Era) -> None:
    server = await start(era)

    said = await server.call(
        "gemini_ask", prompt="x", response_schema=json.loads("[" * 900 + "]" * 900)
    )

    assert "`response_schema` must be an object, not something nested more than 150" in said.text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "this is no JSON",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"jsonrpc": "2.0"}',
        '{"jsonrpc": "2.0", "id": 7}',
        '{"jsonrpc": "2.0", "id": 7, "method": 8}',
        '{"jsonrpc": "2.0", "id": {"a": 1}, "method": "tools/list"}',
        '{"jsonrpc": "2.0", "id": 7, "method": "tools/call"}',
        '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": []}',
        '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": 5}}',
        '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params":'
        ' {"name": "gemini_ask", "arguments": [1]}}',
        '{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params":'
        ' {"name": "gemini_result", "arguments": {"id": "c_0000000000", "offset": '
        + "9" * 5000
        + "}}}",
        '{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": []}}',
        '{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"reason": 5}}',
        '{"jsonrpc": "2.0", "method": "notifications/cancelled"}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:40],
)
async def test_nonsense_on_stdin_does_not_end_the_server(start: Start, line: str) -> None:
    server = await start()

    await server.send(line)
    said = await server.call("gemini_ask", prompt="Hello.")

    assert said.status == "completed"


async def test_bytes_that_are_no_text_do_not_end_the_server(start: Start) -> None:
    server = await start()

    await server.send(b"\xff\xfe\x00\x80")
    said = await server.call("gemini_ask", prompt="Hello.")

    assert said.status == "completed"


@both_eras
async def test_calls_side_by_side_are_answered_as_they_finish(
    harness: AppHarness, start: Start, era: Era
) -> None:
    server = await start(era)
    gate = harness.control.hold_next(point="before_completed")
    slow = await server.begin("tools/call", name="gemini_ask", arguments={"prompt": "slow"})
    assert await gate.reached()

    quick = await server.call("gemini_ask", prompt="quick")
    listed = await server.request("tools/list")
    gate.release()
    late = await server.result(slow)

    assert quick.status == "completed"
    assert "result" in listed
    assert late.status == "completed"


# ------------------------------------------------------------------------------------ its end


async def test_it_ends_well_when_stdin_ends_before_anything_was_said(
    harness: AppHarness, fork_server: ForkServer, tmp_path: Path
) -> None:
    server = await fork(fork_server, tmp_path)
    server.hang_up()

    assert await server.ended() == 0
    assert server.lines == []


@pytest.mark.parametrize("how", ["hang up", "terminate", "interrupt"])
async def test_what_was_answered_is_kept_when_it_ends(start: Start, how: str) -> None:
    server = await start()
    first = await server.call("gemini_ask", prompt="My name is Ada.")

    end(server, how)

    assert await server.ended() == 0
    assert server.log == ""
    said = await (await start()).call("gemini_result", id=first.id)
    assert said.text == first.text


@both_eras
@pytest.mark.parametrize("how", ["hang up", "terminate"])
@pytest.mark.parametrize("point", ["before_created", "after_created", "before_completed"])
async def test_a_call_under_way_is_committed_when_it_ends(
    harness: AppHarness, start: Start, era: Era, how: str, point: Any
) -> None:
    gate = harness.control.hold_next(point=point)
    server = await start(era)
    await server.begin("tools/call", name="gemini_ask", arguments={"prompt": PROMPT})
    assert await gate.reached()

    end(server, how)
    code = await server.ended()
    gate.release()

    assert code == 0
    after = await start(era)
    listed = await after.call("gemini_history")
    (conversation,) = (line.split(" ")[0] for line in listed.piece.splitlines())
    said = await after.call("gemini_result", id=conversation, wait_seconds=10)
    assert said.status in ("completed", "interrupted")
    assert not said.is_error
    assert PROMPT in (await after.call("gemini_history", id=conversation)).text
    assert len(harness.bodies) == 1


async def test_an_answer_sent_with_the_last_breath_is_not_lost(
    harness: AppHarness, start: Start
) -> None:
    """A host may write its last request and close stdin at once."""
    server = await start()
    await server.begin("tools/call", name="gemini_ask", arguments={"prompt": PROMPT})
    server.hang_up()
    await server.ended()

    listed = await (await start()).call("gemini_history")

    assert len(harness.bodies) <= 1
    assert listed.piece.count("\n") + 1 >= len(harness.bodies)


async def test_it_ends_when_its_client_no_longer_listens(harness: AppHarness, start: Start) -> None:
    server = await start()
    server.stop_reading(close=True)
    await server.begin("tools/call", name="gemini_ask", arguments={"prompt": PROMPT})

    code = await server.exit_code()

    assert code == 0
    assert server.log == ""
    assert "pineapples" in (await (await start()).call("gemini_history")).text


async def test_it_ends_when_nobody_reads_what_it_has_to_say(
    harness: AppHarness, start: Start
) -> None:
    """Five long answers are more than a pipe holds."""
    server = await start()
    server.stop_reading(close=False)
    for number in range(5):
        harness.control.answer_next("word " * 7_000)
        arguments = {"prompt": f"{number}"}
        await server.begin("tools/call", name="gemini_ask", arguments=arguments)
    assert await harness.control.until(
        lambda: sum(post.ended for post in harness.control.posts) == 5
    )
    server.hang_up()

    code = await server.exit_code()

    assert code == 0
    listed = await (await start()).call("gemini_history")
    assert listed.piece.count(" · 1 turn · ") == 5


def end(server: ServerProcess, how: str) -> None:
    if how == "hang up":
        server.hang_up()
    else:
        os.kill(server.pid, {"terminate": signal.SIGTERM, "interrupt": signal.SIGINT}[how])


# ------------------------------------------------------------------------- several on one file


async def test_two_servers_share_one_file(harness: AppHarness, start: Start) -> None:
    one, two = await start("modern"), await start("legacy")
    first = await one.call("gemini_ask", prompt="My name is Ada.")

    said = await two.call(
        "gemini_continue", prompt="What is my name?", conversation_id=first.conversation
    )

    assert said.piece == "Your name is Ada."
    assert (await one.call("gemini_result", id=said.id)).text == said.text


async def test_servers_that_start_at_once_all_open_the_file(
    harness: AppHarness, start: Start
) -> None:
    servers: list[ServerProcess] = [await start() for _ in range(5)]
    requests = [
        await server.begin("tools/call", name="gemini_ask", arguments={"prompt": f"{number}"})
        for number, server in enumerate(servers)
    ]

    said = [await server.result(id) for server, id in zip(servers, requests, strict=True)]

    assert [each.status for each in said] == ["completed"] * 5
    assert len({each.conversation for each in said}) == 5
    with sqlite3.connect(harness.folder / "gemini.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


async def test_a_process_is_a_session(start: Start) -> None:
    one, two = await start(), await start()
    await one.call("gemini_ask", prompt="My name is Ada.")
    await two.call("gemini_ask", prompt="My name is Grace.")

    said = [await each.call("gemini_continue", prompt="What is my name?") for each in (one, two)]

    assert [each.piece for each in said] == ["Your name is Ada.", "Your name is Grace."]


async def test_a_killed_process_leaves_a_session_its_host_names(start: Start) -> None:
    one = await start(CLAUDE_CODE_SESSION_ID="session-1")
    first = await one.call("gemini_ask", prompt="My name is Ada.")
    one.kill()
    assert await one.ended() == -signal.SIGKILL

    two = await start(CLAUDE_CODE_SESSION_ID="session-1")
    said = await two.call("gemini_continue", prompt="What is my name?")

    assert said.id == f"{first.conversation}/2"
    assert mask_ids(said.piece) == "Your name is Ada."


async def test_an_unknown_tool_is_an_error_of_the_protocol(start: Start) -> None:
    answer = await (await start()).request("tools/call", name="gemini_dance", arguments={})

    assert answer["error"]["code"] == types.INVALID_PARAMS
    assert answer["error"]["message"].startswith("Unknown tool: gemini_dance. There are: ")


async def test_it_waits_for_no_import_when_stdin_ends(harness: AppHarness, tmp_path: Path) -> None:
    """google-genai is imported after the first answer, which takes longest in a fresh process."""
    server = await spawn(tmp_path)
    await server.hello()
    await server.request("tools/list")
    server.hang_up()

    with anyio.fail_after(60):
        assert await server.ended() == 0
    assert server.log == ""
