"""Messages as clients really write them: each that expects an answer gets one, under its id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import protocol
from tests.support.app_harness import AppHarness
from tests.support.fork_server import ForkServer
from tests.support.server_process import Start, fork

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="servers are forked"),
]

HISTORY = {"name": "gemini_history", "arguments": {}}


def request(id: Any, method: str = "ping", **params: Any) -> str:
    return json.dumps(protocol.request(method, params, id))


def hello(id: Any = 1, version: str = "2025-11-25", name: str = "host") -> str:
    return request(id, "initialize", **protocol.initialize(name, version))


READY = '{"jsonrpc": "2.0", "method": "notifications/initialized"}'


def discover(id: Any = 1, version: str = "2026-07-28", name: str = "host") -> str:
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": name, "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return request(id, "server/discover", _meta=meta)


# ------------------------------------------------------------------- what is read all the same


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("\ufeff" + request(7), [7]),
        (f"[{request(7)}]", [7]),
        (f"[{request(7)}, {request('b')}, {READY}]", [7, "b"]),
        (request(7.0), [7]),
        (request(7, "tools/call", **HISTORY, _meta={"progressToken": 7.0}), [7]),
        (request(7, "tools/call", **HISTORY, _meta={"progressToken": None}), [7]),
    ],
    ids=["byte-order mark", "batch of one", "batch", "id 7.0", "token 7.0", "token null"],
)
async def test_what_loses_nothing_is_read(start: Start, line: str, ids: list[Any]) -> None:
    server = await start()

    await server.send(line)

    for id in ids:
        assert "result" in await server.answer(id)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-11-25"])
async def test_a_handshake_behind_a_byte_order_mark_is_answered(
    harness: AppHarness, fork_server: ForkServer, tmp_path: Path, version: str
) -> None:
    server = await fork(fork_server, tmp_path, "legacy")

    await server.send("\ufeff" + hello(version=version))
    said = await server.answer(1)
    server.hang_up()
    await server.ended()

    assert said["result"]["protocolVersion"] == version


async def test_progress_comes_under_a_token_written_as_a_fraction(
    harness: AppHarness, start: Start
) -> None:
    server = await start()
    harness.control.delay(0.6)
    arguments = {"prompt": "slow"}

    await server.send(
        request(
            9, "tools/call", name="gemini_ask", arguments=arguments, _meta={"progressToken": 7.0}
        )
    )
    said = await server.answer(9)

    told = [json.loads(line) for line in server.lines]
    tokens = [
        each["params"]["progressToken"]
        for each in told
        if each.get("method") == "notifications/progress"
    ]
    assert "result" in said
    assert set(tokens) == {7}


# ------------------------------------------------------------------- what is refused by its id


@pytest.mark.parametrize(
    ("line", "id", "code", "words"),
    [
        ("this is no JSON", None, -32700, "not JSON"),
        ("[]", None, -32600, "batch is empty"),
        ("[1]", None, -32600, "a JSON object"),
        ("null", None, -32600, "a JSON object"),
        (request(1.5), 1.5, -32600, "`id` must be text or a whole number"),
        (request(True), True, -32600, "`id` must be text or a whole number"),
        (request(None), None, -32600, "`id` must be text or a whole number"),
        (request({"a": 1}), None, -32600, "`id` must be text or a whole number"),
        (
            '{"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": []}',
            7,
            -32602,
            "`params` must be an object",
        ),
        ('{"jsonrpc": "2.0", "id": 7}', 7, -32600, "`method` is missing"),
        ('{"jsonrpc": "2.0", "id": 7, "method": 8}', 7, -32600, "`method` must be text"),
        ('{"id": 7, "method": "ping"}', 7, -32600, '`jsonrpc` must be "2.0"'),
        (
            request(7, "tools/call", **HISTORY, _meta={"progressToken": True}),
            7,
            -32602,
            "`_meta.progressToken` must be text or a whole number",
        ),
        (
            request(7, "tools/call", name="gemini_ask", arguments=["Hello."]),
            7,
            -32602,
            "`arguments` must be an object",
        ),
        (
            request(7, "tools/call", name="gemini_ask", arguments="Hello."),
            7,
            -32602,
            "`arguments` must be an object",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_cannot_be_read_is_refused_under_its_id(
    start: Start, line: str, id: Any, code: int, words: str
) -> None:
    server = await start()

    await server.send(line)
    said = await server.answer(id)

    assert said["error"]["code"] == code
    assert words in said["error"]["message"]
    assert (await server.call("gemini_history")).text.startswith("There is no conversation here.")


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc": "2.0", "method": "notifications/odd", "params": []}',
        '{"jsonrpc": "2.0", "method": "ping"}',
        "",
        "\ufeff",
    ],
)
async def test_what_expects_no_answer_gets_none(start: Start, line: str) -> None:
    server = await start()

    await server.send(line)
    await server.call("gemini_history")

    # The answers to `initialize` and to the call, and nothing else.
    assert [json.loads(each).get("id") for each in server.lines] == [1, 2]


# ------------------------------------------------------------------- from one era to the other

SEQUENCES = {
    # name: (lines, ids that are answered with a result, ids that are refused)
    "a probe that nobody followed up": ([discover(1), hello(2)], [1, 2], []),
    "two probes": ([discover(1), discover(2), hello(3)], [1, 2, 3], []),
    "a probe refused for its version": (
        [discover(1, version="2099-01-01"), hello(2)],
        [2],
        [1],
    ),
    "@ai-sdk/mcp 2.0.99, which gives the probe one second": (
        [
            discover(0, name="ai-sdk-mcp-client"),
            '{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}}',
            hello(1, name="ai-sdk-mcp-client"),
        ],
        [1],
        [],
    ),
    "Copilot, which sends the second at once": (
        [f"{discover(0, name='copilot-cli')}\n{hello(1, name='copilot-cli')}"],
        [0, 1],
        [],
    ),
}


@pytest.mark.parametrize(("lines", "answered", "refused"), SEQUENCES.values(), ids=list(SEQUENCES))
async def test_an_initialize_after_a_probe_leads_to_a_session(
    harness: AppHarness,
    fork_server: ForkServer,
    tmp_path: Path,
    lines: list[str],
    answered: list[int],
    refused: list[int],
) -> None:
    server = await fork(fork_server, tmp_path, "legacy")
    for line in lines:
        await server.send(line)
    said: dict[Any, Any] = {}
    while not {*answered, *refused} <= said.keys():  # in whatever order they come
        message = await server.next()
        said[message["id"]] = message
    await server.send(READY)
    await server.send(request(100, "tools/list"))
    listed = await server.answer(100)
    await server.send(request(101, "tools/call", name="gemini_ask", arguments={"prompt": "Hello."}))
    asked = await server.result(101)
    server.hang_up()
    await server.ended()

    assert all("result" in said[id] for id in answered)
    assert all(said[id]["error"]["code"] == -32022 for id in refused)
    assert len(listed["result"]["tools"]) == 9
    assert asked.status == "completed"


async def test_an_initialize_after_another_modern_request_is_refused(start: Start) -> None:
    server = await start("modern")
    await server.request("tools/list")

    await server.send(hello(50))

    assert "error" in await server.answer(50)
    assert (await server.call("gemini_history")).text.startswith("There is no conversation here.")
