"""Clients of 2026-07-28 over HTTP have no session: nothing promises them one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import protocol
from tests.support.app_harness import META, AppHarness, ToolResult
from tests.support.gateway_harness import GatewayHarness
from tests.support.http_client import HttpClient
from tests.support.protocol import ENVELOPE, LEGACY, MODERN

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


def wants(harness: AppHarness, *ids: str) -> None:
    """The next answer waits for these calls."""
    calls = [{"type": "function_call", "id": id, "name": "weather", "arguments": {}} for id in ids]
    harness.control.answer_next({"steps": calls, "status": "requires_action"})


def results(*ids: str) -> list[dict[str, Any]]:
    return [{"call_id": id, "result": "Rain"} for id in ids]


async def waiting(harness: AppHarness, wire: HttpClient, *ids: str) -> ToolResult:
    wants(harness, *ids)
    return await wire.call("gemini_ask", prompt="Well?", tools=[WEATHER])


async def follow(wire: HttpClient, *ids: str) -> ToolResult:
    return await wire.call("gemini_continue", function_results=results(*ids))


async def test_function_results_find_their_conversation_by_the_call(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    waits = await waiting(harness, wire, "one", "two")
    await wire.call("gemini_ask", prompt="Something else.")

    said = await follow(wire, "one", "two")

    assert f'with function_results and conversation_id "{waits.conversation}".' in waits.text
    assert said.id == f"{waits.conversation}/2"
    assert said.status == "completed"


@pytest.mark.parametrize(
    ("conversations", "given", "found"),
    [
        ([["a"], ["b"]], ["b"], 1),
        ([["a"], ["b"]], ["a"], 0),
        ([["a"], ["a"]], ["a"], None),
        ([["a", "b"], ["a"]], ["a", "b"], 0),
        ([["a"]], ["z"], None),
        ([["a"]], [""], None),
    ],
    ids=["newer", "older", "two wait for it", "only one waits for all", "unknown", "without an id"],
)
async def test_the_one_that_waits_is_found_and_no_other(
    gateways: GatewayHarness,
    harness: AppHarness,
    conversations: list[list[str]],
    given: list[str],
    found: int | None,
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    waits = [await waiting(harness, wire, *ids) for ids in conversations]

    said = await follow(wire, *given)

    if found is None:
        assert said.is_error
        assert "`conversation_id` is required" in said.text
    else:
        assert said.conversation == waits[found].conversation


async def test_a_call_that_was_answered_waits_no_more(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    await waiting(harness, wire, "a")
    await follow(wire, "a")
    newer = await waiting(harness, wire, "a")

    said = await follow(wire, "a")

    assert said.conversation == newer.conversation


async def test_nobody_finds_a_call_of_another_owner(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open(tokens=TOKENS)
    ann = await gateways.raw_client(legacy=False, token="anns-token")
    bob = await gateways.raw_client(legacy=False, token="bobs-token")
    await waiting(harness, ann, "a")

    said = await follow(bob, "a")

    assert said.is_error
    assert "`conversation_id` is required" in said.text


async def test_a_session_finds_what_waits_beside_its_default(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=True)
    waits = await waiting(harness, wire, "a")
    await wire.call("gemini_ask", prompt="Something else.")

    said = await follow(wire, "a")

    assert "with function_results." in waits.text
    assert said.conversation == waits.conversation


async def test_hints_name_the_conversation(gateways: GatewayHarness, harness: AppHarness) -> None:
    await gateways.open(max_continuations=0)
    wire = await gateways.raw_client(legacy=False)
    harness.control.answer_next({"text": "Half.", "status": "requires_continuation"})

    said = await wire.call("gemini_ask", prompt="Hello.")

    assert said.status == "incomplete"
    named = f'Call gemini_continue with conversation_id "{said.conversation}"'
    assert named in said.text


@pytest.mark.parametrize(
    ("tool", "arguments", "required"),
    [
        ("gemini_continue", {"prompt": "Go on."}, "conversation_id"),
        ("check_research", {}, "research_id"),
    ],
)
async def test_what_needs_an_id_says_so(
    gateways: GatewayHarness, tool: str, arguments: dict[str, Any], required: str
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)

    said = await wire.call(tool, **arguments)

    assert said.is_error
    assert f"This connection has no session, so `{required}` is required." in said.text


async def test_a_client_that_names_a_thread_keeps_its_default(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    first = await wire.call("gemini_ask", prompt="one", _meta={"threadId": "t"})

    same = await wire.call("gemini_continue", prompt="two", _meta={"threadId": "t"})
    other = await wire.call("gemini_continue", prompt="two", _meta={"threadId": "u"})

    assert same.id == f"{first.conversation}/2"
    assert other.is_error


async def test_descriptions_promise_no_session(gateways: GatewayHarness) -> None:
    await gateways.open()
    client = await gateways.connect()

    tools = {tool.name: tool for tool in (await client.sdk_client.list_tools()).tools}

    for tool, name in (("gemini_continue", "conversation_id"), ("check_research", "research_id")):
        text = tools[tool].input_schema["properties"][name]["description"]
        assert text.endswith("Default: the session's latest, if any.")


# ------------------------------------------------------------------- messages over HTTP


@pytest.mark.parametrize("version", [MODERN, LEGACY])
@pytest.mark.parametrize(
    ("message", "status", "expected"),
    [
        ({"id": 2.0}, 200, {"id": 2}),
        ({"id": 1.5}, 400, {"id": 1.5, "code": -32600}),
        ({"id": True}, 400, {"id": True, "code": -32600}),
        ({"params": []}, 400, {"id": 2, "code": -32602}),
        ({"arguments": ["Hello."]}, None, {"id": 2, "code": -32602}),
        ({"token": 7.0}, 200, {"id": 2}),
        ({"token": None}, 200, {"id": 2}),
        ({"token": True}, 400, {"id": 2, "code": -32602}),
    ],
    ids=str,
)
async def test_odd_messages_are_answered_under_their_id(
    gateways: GatewayHarness,
    version: str,
    message: dict[str, Any],
    status: int | None,
    expected: dict[str, Any],
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=version == LEGACY)
    meta: dict[str, Any] = dict(ENVELOPE) if version == MODERN else {}
    if "token" in message:
        meta["progressToken"] = message["token"]
    params: Any = {
        "name": "gemini_history",
        "arguments": message.get("arguments", {}),
        "_meta": meta,
    }
    body = protocol.request("tools/call", {}, message.get("id", 2))
    body["params"] = message.get("params", params)
    headers = {**wire.headers, "content-type": "application/json"}
    if version == MODERN:
        headers |= {"mcp-method": "tools/call", "mcp-name": "gemini_history"}

    answer = await wire.http.post("/mcp", content=json.dumps(body), headers=headers)

    said = protocol.last_message(answer.text)
    assert status in (None, answer.status_code)
    assert said["id"] == expected["id"]
    assert said.get("error", {}).get("code") == expected.get("code")


# ------------------------------------------------------------------- clients without facts


async def test_the_audit_log_knows_what_a_client_is_not_told_in_meta(
    gateways: GatewayHarness, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    await gateways.open(tokens=TOKENS, audit_log=file)
    client = await gateways.connect(token="anns-token", name="kimi-code")

    said = await client.ask("Hello.")

    (entry,) = (json.loads(line) for line in file.read_text().splitlines())
    assert META not in (said.raw.meta or {})
    assert entry["ids"]["conversation_id"] in said.text
    assert entry["tokens"] > 0
    assert entry["outcome"] == "completed"
