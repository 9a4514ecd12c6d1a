"""Which lines the recorded handshake answers, and which wait for the SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gemini_interactions.mcp_server.transports.handshake_recorder import FOLDER
from gemini_interactions.mcp_server.transports.recorded_handshake import (
    CAPABILITIES_KEY,
    CLIENT_KEY,
    MODERN,
    REPLAYED_ID,
    VERSION_KEY,
    Handover,
    RecordedHandshake,
    Recordings,
)
from tests.support import protocol

CLIENT = {"name": "host", "version": "1"}
META = {VERSION_KEY: MODERN, CLIENT_KEY: CLIENT, CAPABILITIES_KEY: {}}
READY = '{"jsonrpc":"2.0","method":"notifications/initialized"}'


def request(method: str, id: Any = 1, **params: Any) -> str:
    return json.dumps(protocol.request(method, params, id))


def hello(version: str = "2025-11-25", **more: Any) -> str:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT, **more}
    return request("initialize", **params)


def modern(method: str, id: Any = 1, **params: Any) -> str:
    return request(method, id, _meta=META, **params)


@pytest.fixture
def handover() -> Handover:
    return Handover(0, 1)


@pytest.fixture
def handshake(handover: Handover) -> RecordedHandshake:
    toolsets = ("ask", "research", "images")
    return RecordedHandshake(Recordings(str(FOLDER), toolsets, is_structured=False), handover)


def result_of(answer: str | None) -> Any:
    assert answer is not None
    return json.loads(answer)["result"]


def test_legacy_handshake_is_answered_and_replayed(
    handshake: RecordedHandshake, handover: Handover
):
    assert result_of(handshake.take(hello()))["serverInfo"]["name"] == "gemini"
    assert handshake.take(READY) is None
    assert len(result_of(handshake.take(request("tools/list", 2)))["tools"]) == 9
    assert result_of(handshake.take(request("ping", "p"))) == {}

    assert handover.waiting == []
    assert [json.loads(each)["method"] for each in handover.replay] == [
        "initialize",
        "notifications/initialized",
    ]
    assert json.loads(handover.replay[0])["id"] == REPLAYED_ID
    assert handover.was_listed


def test_initialize_is_answered_after_a_discover_that_nobody_followed_up(
    handshake: RecordedHandshake, handover: Handover
):
    handshake.take(modern("server/discover"))

    assert result_of(handshake.take(hello()))["protocolVersion"] == "2025-11-25"
    assert len(handover.replay) == 1


def test_initialize_after_another_modern_request_waits_for_the_sdk(
    handshake: RecordedHandshake, handover: Handover
):
    handshake.take(modern("server/discover"))
    handshake.take(modern("tools/list"))

    assert handshake.take(hello()) is None
    assert handover.waiting == [hello()]
    assert [json.loads(each)["method"] for each in handover.replay] == ["tools/list"]


def test_ids_come_back_as_they_are(handshake: RecordedHandshake):
    answer = handshake.take(modern("server/discover", "ein-ü-😀"))

    assert answer is not None
    assert json.loads(answer)["id"] == "ein-ü-😀"


def test_a_client_that_shows_views_gets_their_recording(handshake: RecordedHandshake):
    shows = {
        "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
    }
    handshake.take(hello(capabilities=shows))
    handshake.take(READY)

    tools = result_of(handshake.take(request("tools/list", 2)))["tools"]

    assert "gemini_view_research" in [each["name"] for each in tools]


def test_other_declarations_change_nothing(handshake: RecordedHandshake):
    one = result_of(handshake.take(modern("server/discover")))
    declared: dict[str, object] = {CAPABILITIES_KEY: {"sampling": {}, "extensions": {"x/y": {}}}}

    other = result_of(handshake.take(request("server/discover", 2, _meta={**META, **declared})))

    assert one == other


@pytest.mark.parametrize(
    "line",
    [
        "no JSON at all",
        "[]",
        "[" * 5000,
        f"[{hello()}]",
        "\ufeff" + hello(),
        hello("1999-01-01"),
        hello(capabilities=[]),
        hello(clientInfo={"name": 1, "version": "1"}),
        hello(more=1),
        request("initialize"),
        request("tools/list"),
        request("ping"),
        modern("tools/list", 2.0),
        modern("tools/list", True),
        modern("tools/list", cursor="x"),
        modern("tools/list", more=1),
        modern("ping"),
        modern("tools/call", name="gemini_ask", arguments={"prompt": "x"}),
        request("server/discover", _meta={**META, VERSION_KEY: "2099-01-01"}),
        request("server/discover", _meta={**META, CAPABILITIES_KEY: None}),
        request("server/discover", _meta={**META, "progressToken": 1.5}),
        '{"jsonrpc":"2.0","id":1,"method":"server/discover","params":[]}',
        '{"id":1,"method":"ping"}',
        READY,
    ],
)
def test_whatever_is_not_recorded_waits_in_order(
    handshake: RecordedHandshake, handover: Handover, line: str
):
    assert handshake.take(line) is None
    assert handover.waiting == [line]
    assert handover.replay == []


def test_calls_wait_while_lists_are_still_answered(
    handshake: RecordedHandshake, handover: Handover
):
    handshake.take(hello())
    handshake.take(READY)
    call = request("tools/call", 2, name="gemini_ask", arguments={"prompt": "x"})
    cancel = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}'

    assert handshake.take(call) is None
    assert handshake.take(request("tools/list", 3)) is not None
    assert handshake.take(cancel) is None

    assert handover.waiting == [call, cancel]


def test_a_second_initialize_waits_for_the_sdk(handshake: RecordedHandshake, handover: Handover):
    handshake.take(hello())

    assert handshake.take(hello()) is None
    assert handover.waiting == [hello()]
