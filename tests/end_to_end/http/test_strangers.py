"""Strangers: whoever shows no token takes no place of those who have one."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream
from starlette.types import Scope

from gemini_interactions.mcp_server.transports.http import connection_limits, in_flight_requests
from gemini_interactions.mcp_server.transports.http.client_address import ClientAddresses
from tests.support import protocol
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
BOUND = 60


async def is_closed(stream: SocketStream) -> bool:
    with anyio.move_on_after(0.05):
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True
    return False


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes together with many has no time to show anything."""
    monkeypatch.setattr(connection_limits, "BURST", 1)


def connections(http: httpx2.AsyncClient) -> list[object]:
    """Those a client keeps for its next request."""
    pool = http._transport._pool  # type: ignore[attr-defined]  # httpx2's
    return list(pool.connections)


@pytest.mark.usefixtures("hasty")
async def test_idle_connections_of_strangers_keep_nobody_out(gateways: GatewayHarness) -> None:
    place = await gateways.open(tokens=TOKENS)
    ann = await gateways.connect(token="anns-token")
    await ann.ask("before")

    idle = [await gateways.socket() for _ in range(200)]
    async with gateways.raw() as raw:
        health = await raw.get("/healthz")
    bob = await gateways.connect(token="bobs-token")
    said = [await ann.ask("after"), await bob.ask("mine")]

    open_now = len(place.gateway._server.server_state.connections)
    assert health.status_code == 200
    assert [each.status for each in said] == ["completed", "completed"]
    assert open_now < 2 * connection_limits.STRANGERS_PER_ADDRESS
    assert await is_closed(idle[0])
    for stream in idle:
        await stream.aclose()


@pytest.mark.usefixtures("hasty")
async def test_unfinished_requests_of_strangers_keep_nobody_out(gateways: GatewayHarness) -> None:
    """Each is answered with 401 and read on for a moment: none of them is idle, and whoever comes
    next is."""
    await gateways.open(tokens=TOKENS)
    head = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\n"
    slow = []
    for _ in range(connection_limits.STRANGERS_PER_ADDRESS + 8):
        slow.append(await gateways.socket())
        await slow[-1].send(head + b"content-length: 99999\r\n\r\n{")
        assert (await slow[-1].receive()).startswith(b"HTTP/1.1 401")

    async with gateways.raw() as raw:
        health = await raw.get("/healthz")
    said = await (await gateways.connect(token="anns-token")).ask("mine")

    assert health.status_code == 200
    assert said.status == "completed"
    for stream in slow:
        await stream.aclose()


@pytest.mark.usefixtures("hasty")
async def test_the_connection_of_somebody_known_is_not_closed_for_strangers(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "STRANGERS_PER_ADDRESS", 3)
    await gateways.open(tokens=TOKENS)
    async with gateways.raw(authorization="Bearer anns-token") as raw:
        first = await raw.get("/mcp", headers={"mcp-session-id": "none"})

        before = connections(raw)
        idle = [await gateways.socket() for _ in range(20)]
        second = await raw.get("/mcp", headers={"mcp-session-id": "none"})

        assert first.status_code == second.status_code == 404
        assert connections(raw) == before
    for stream in idle:
        await stream.aclose()


async def test_many_with_a_token_may_come_at_once(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "CHANCE_SECONDS", 600.0)
    await gateways.open(tokens=TOKENS)
    answers = []

    async def come() -> None:
        async with gateways.raw(authorization="Bearer anns-token") as http:
            answers.append(await http.get("/mcp", headers={"mcp-session-id": "none"}))

    async with anyio.create_task_group() as tasks:
        for _ in range(2 * connection_limits.STRANGERS_PER_ADDRESS):
            tasks.start_soon(come)

    assert {answer.status_code for answer in answers} == {404}
    assert len(answers) == 2 * connection_limits.STRANGERS_PER_ADDRESS


async def test_strangers_who_come_all_at_once_are_bounded_as_well(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "CHANCE_SECONDS", 600.0)
    monkeypatch.setattr(connection_limits, "STRANGERS_PER_ADDRESS", 3)
    monkeypatch.setattr(connection_limits, "BURST", 2)
    place = await gateways.open(tokens=TOKENS)

    idle = [await gateways.socket() for _ in range(40)]
    async with gateways.raw() as raw:
        health = await raw.get("/healthz")

    assert health.status_code == 200
    assert len(place.gateway._server.server_state.connections) <= 3 * 2 + 1
    for stream in idle:
        await stream.aclose()


async def test_those_who_came_at_once_and_showed_nothing_are_soon_few(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "CHANCE_SECONDS", 0.0)
    monkeypatch.setattr(connection_limits, "STRANGERS_PER_ADDRESS", 3)
    place = await gateways.open(tokens=TOKENS)

    idle = [await gateways.socket() for _ in range(20)]

    with anyio.fail_after(BOUND):
        while len(place.gateway._server.server_state.connections) > 3:
            await anyio.sleep(0.01)
    assert not await is_closed(idle[-1])
    for stream in idle:
        await stream.aclose()


async def test_where_no_token_is_needed_many_clients_may_come_at_once(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "STRANGERS_PER_ADDRESS", 3)
    await gateways.open()

    clients = [await gateways.socket() for _ in range(20)]
    answers = []
    for stream in clients:
        await stream.send(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        answers.append(await stream.receive())

    assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}
    for stream in clients:
        await stream.aclose()


@pytest.mark.usefixtures("hasty")
async def test_the_connection_of_a_signed_link_is_not_closed_for_strangers(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "STRANGERS_PER_ADDRESS", 3)
    await gateways.open(tokens=TOKENS)
    ann = await gateways.connect(token="anns-token")
    made = await ann.call("gemini_generate_image", prompt="a red square")
    (link,) = [word for word in made.text.split() if "/images/" in word]

    async with gateways.raw() as raw:
        first = await raw.get(link)
        before = connections(raw)
        idle = [await gateways.socket() for _ in range(20)]
        second = await raw.get(link)

        assert first.status_code == second.status_code == 200
        assert connections(raw) == before
    for stream in idle:
        await stream.aclose()


async def test_requests_without_a_token_are_few_at_a_time_from_one_address(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight_requests, "MOST_OF_STRANGERS", 2)
    await gateways.open(tokens=TOKENS)
    head = b"POST /images/i_0/t HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n"
    slow = [await gateways.socket() for _ in range(2)]
    for stream in slow:
        await stream.send(head)

    async with gateways.raw() as raw:
        with anyio.fail_after(BOUND):
            while (refused := await raw.get("/images/i_0/t")).status_code != 429:
                await anyio.sleep(0.01)
        health = await raw.get("/healthz")

    assert "Too many requests from your address" in refused.text
    assert health.status_code == 200
    for stream in slow:
        await stream.aclose()


async def test_when_every_place_is_taken_health_checks_are_still_answered(
    gateways: GatewayHarness, harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight_requests, "MOST", 1)
    await gateways.open(tokens=TOKENS)
    wire = await gateways.raw_client(legacy=False, token="anns-token")
    gate = harness.control.hold_next()

    async with wire.post("gemini_ask", {"prompt": "slow"}) as answer:
        await gate.reached()
        async with gateways.raw(authorization="Bearer bobs-token") as raw:
            refused = await raw.get("/mcp", headers={"mcp-session-id": "x"})
            health = await raw.get("/healthz")
        gate.release()
        said = wire.read(await answer.aread())

    assert (refused.status_code, health.status_code) == (503, 200)
    assert said.status == "completed"


async def test_sessions_are_as_many_a_minute_as_calls(gateways: GatewayHarness) -> None:
    await gateways.open(tokens=TOKENS, rate_limit=2)
    hello = protocol.request("initialize", protocol.initialize("raw"))

    async with gateways.raw(authorization="Bearer anns-token") as ann:
        answers = [(await ann.post("/mcp", json=hello)).text for _ in range(3)]
    async with gateways.raw(authorization="Bearer bobs-token") as bob:
        bobs = (await bob.post("/mcp", json=hello)).text

    assert ["serverInfo" in each for each in answers] == [True, True, False]
    assert "more than the 2 calls a minute" in answers[2]
    assert "serverInfo" in bobs


# --------------------------------------------------------------------------- removed tokens


async def test_a_token_that_is_removed_ends_its_streams_and_no_other(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    place = await gateways.open(tokens=TOKENS)
    anns = await gateways.raw_client(legacy=True, token="anns-token")
    bobs = await gateways.raw_client(legacy=True, token="bobs-token")
    gate = harness.control.hold_next()

    async with (
        anns.http.stream("GET", "/mcp", headers=anns.headers) as anns_stream,
        bobs.http.stream("GET", "/mcp", headers=bobs.headers) as bobs_stream,
        anns.post("gemini_ask", {"prompt": "slow"}) as call,
    ):
        await gate.reached()
        gateways.write_tokens({"bobs-token": "bob"})
        await place.gateway.end_removed()
        with anyio.fail_after(BOUND):
            await anns_stream.aread()
            body = await call.aread()
        with anyio.move_on_after(0.05) as bobs_wait:
            await bobs_stream.aread()
    gate.release()

    assert b"result" not in body
    assert bobs_wait.cancelled_caught
    assert (await anns.http.post("/mcp", json={})).status_code == 401


async def test_a_token_that_is_removed_ends_its_links(gateways: GatewayHarness) -> None:
    await gateways.open(tokens={**TOKENS, "anns-other": "ann"})
    links = []
    for token in ("anns-token", "anns-other"):
        client = await gateways.connect(token=token)
        made = await client.call("gemini_generate_image", prompt="a red square")
        links += [word for word in made.text.split() if "/images/" in word]

    async with gateways.raw() as raw:
        before = [(await raw.get(each)).status_code for each in links]
        gateways.write_tokens({"anns-other": "ann", "bobs-token": "bob"})
        after = [(await raw.get(each)).status_code for each in links]

    assert (before, after) == ([200, 200], [404, 200])


# --------------------------------------------------------------------------------- addresses


def scope(peer: str, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"type": "http", "client": (peer, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["nonsense"], "unknown"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
    ],
)
def test_an_address_is_the_peers_unless_a_trusted_proxy_says_whose(
    peer: str, forwarded: list[str], address: str
) -> None:
    addresses = ClientAddresses(["10.0.0.0/8"])

    assert addresses.of(scope(peer, *forwarded)) == address
