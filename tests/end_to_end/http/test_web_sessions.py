"""Which conversation is meant over HTTP when a call names none, and whose it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_interactions.app import App
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server import request_context
from tests.support import protocol
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
NO_SESSION = "This connection has no session, so `conversation_id` is required."


async def test_a_legacy_session_continues_its_own_latest_conversation(
    gateways: GatewayHarness,
) -> None:
    await gateways.open()
    one = await gateways.connect(legacy=True)
    two = await gateways.connect(legacy=True)

    first = await one.ask("one")
    await two.ask("two")

    assert (await one.follow("and")).conversation == first.conversation


async def test_a_modern_client_has_no_default_and_is_told_so(gateways: GatewayHarness) -> None:
    await gateways.open()
    client = await gateways.connect()
    await client.ask("one")

    said = await client.follow("and")

    assert said.is_error
    assert said.text.startswith(NO_SESSION)


async def test_a_modern_thread_that_its_host_names_has_a_default(gateways: GatewayHarness) -> None:
    await gateways.open()
    first = await (await gateways.connect()).call_in("t1", "gemini_ask", prompt="one")

    said = await (await gateways.connect()).call_in("t1", "gemini_continue", prompt="and")

    assert said.conversation == first.conversation


@pytest.mark.parametrize("legacy", [False, True])
async def test_two_owners_who_name_the_same_thread_never_share_it(
    gateways: GatewayHarness, legacy: bool
) -> None:
    await gateways.open(tokens=TOKENS)
    ann = await gateways.connect(legacy=legacy, token="anns-token")
    bob = await gateways.connect(legacy=legacy, token="bobs-token")
    await ann.call_in("t1", "gemini_ask", prompt="one")

    said = await bob.call_in("t1", "gemini_continue", prompt="and")

    assert said.is_error
    assert "There is no conversation in this session yet." in said.text


async def test_the_session_header_gives_a_modern_client_no_session(
    gateways: GatewayHarness,
) -> None:
    await gateways.open()
    legacy = await gateways.raw_client(legacy=True)
    await legacy.call("gemini_ask", prompt="one")
    modern = await gateways.raw_client(legacy=False)
    modern.headers = {**modern.headers, "mcp-session-id": legacy.headers["mcp-session-id"]}

    said = await modern.call("gemini_continue", prompt="and")

    assert said.text.startswith(NO_SESSION)


async def test_without_sessions_a_legacy_client_has_no_default(gateways: GatewayHarness) -> None:
    await gateways.open(stateless=True)
    client = await gateways.connect(legacy=True)
    first = await client.ask("one")

    refused = await client.follow("and")
    said = await client.follow("and", conversation_id=first.conversation)

    assert refused.text.startswith(NO_SESSION)
    assert said.id == f"{first.conversation}/2"


async def test_without_sessions_a_made_up_session_header_is_nothing(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(stateless=True)
    wires = [await gateways.raw_client(legacy=True) for _ in range(2)]
    for wire in wires:
        wire.headers = {**wire.headers, "mcp-session-id": "made-up"}
    await wires[0].call("gemini_ask", prompt="one")

    said = await wires[1].call("gemini_continue", prompt="and")

    assert said.text.startswith(NO_SESSION)


@pytest.mark.parametrize("header", ["", "made-up"])
async def test_without_sessions_a_cancel_cannot_hit_anybodys_call(
    gateways: GatewayHarness, harness: AppHarness, header: str
) -> None:
    await gateways.open(stateless=True)
    gate = harness.control.hold_next(point="before_completed")
    victim, rude = [await gateways.raw_client(legacy=True) for _ in range(2)]
    if header:
        victim.headers = rude.headers = {**rude.headers, "mcp-session-id": header}

    async with victim.post("gemini_ask", {"prompt": "slow"}, id=7) as answer:
        await gate.reached()
        await rude.cancel(7, "user aborted")
        await rude.call("gemini_history")  # so the cancel has been seen
        gate.release()
        said = victim.read(await answer.aread())

    assert said.status == "completed"


@pytest.mark.parametrize(
    ("version", "stateless", "header", "key"),
    [
        ("2025-11-25", False, "s1", ("http:s1", "7")),
        ("2024-11-05", False, "s2", ("http:s2", "7")),
        ("2025-11-25", False, "", None),
        ("2025-11-25", True, "s1", None),
        ("2025-11-25", True, "", None),
        ("2026-07-28", False, "s1", None),
        ("2026-07-28", False, "", None),
    ],
)
def test_a_call_can_be_cancelled_by_number_only_within_a_session_that_was_given(
    tmp_path: Path, version: str, stateless: bool, header: str, key: tuple[str, str] | None
) -> None:
    headers = {"mcp-session-id": header} if header else {}
    request = SimpleNamespace(headers=headers)
    context: Any = SimpleNamespace(request=request, protocol_version=version)
    app = App(Config(data_dir=tmp_path, stateless=stateless))

    assert request_context.key(context, 7, app) == key


async def test_without_sessions_there_are_no_streams_and_nothing_to_end(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(stateless=True)
    async with gateways.raw() as raw:
        answers = [await raw.request(method, "/mcp") for method in ("GET", "DELETE")]

    assert [answer.status_code for answer in answers] == [405, 405]


def test_postgresql_is_for_replicas_so_it_means_no_sessions_unless_said_otherwise() -> None:
    database = {"GEMINI_MCP_DATABASE_URL": "postgresql://db/gemini"}

    assert Config.read({}).has_sessions
    assert not Config.read({"GEMINI_MCP_STATELESS": "on"}).has_sessions
    assert not Config.read(database).has_sessions
    assert Config.read({**database, "GEMINI_MCP_STATELESS": "off"}).has_sessions


async def test_anothers_session_is_as_good_as_unknown(gateways: GatewayHarness) -> None:
    await gateways.open(tokens=TOKENS)
    ann = await gateways.raw_client(legacy=True, token="anns-token")
    bob = await gateways.raw_client(legacy=True, token="bobs-token")
    body = protocol.request("tools/list", {})

    stolen = await bob.http.post("/mcp", json=body, headers=ann.headers)
    unknown = await bob.http.post(
        "/mcp", json=body, headers={**bob.headers, "mcp-session-id": "0" * 32}
    )

    assert (stolen.status_code, stolen.content) == (unknown.status_code, unknown.content)
    assert stolen.status_code == 404


async def test_an_owner_may_use_a_session_with_another_token_of_theirs(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(tokens={"first": "ann", "second": "ann"})
    ann = await gateways.raw_client(legacy=True, token="first")
    first = await ann.call("gemini_ask", prompt="one")

    ann.http.headers["authorization"] = "Bearer second"

    assert (await ann.call("gemini_continue", prompt="and")).id == f"{first.conversation}/2"


async def test_anothers_abort_does_not_reach_a_call(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open(tokens=TOKENS)
    gate = harness.control.hold_next(point="before_completed")
    ann = await gateways.raw_client(legacy=True, token="anns-token")
    bob = await gateways.raw_client(legacy=True, token="bobs-token")

    async with ann.post("gemini_ask", {"prompt": "slow"}, id=7) as answer:
        await gate.reached()
        body = {"requestId": 7, "reason": "user aborted"}
        sent = await bob.http.post(
            "/mcp",
            json=protocol.notification("notifications/cancelled", body),
            headers=ann.headers,
        )
        gate.release()
        said = ann.read(await answer.aread())

    assert sent.status_code == 404
    assert said.status == "completed"
