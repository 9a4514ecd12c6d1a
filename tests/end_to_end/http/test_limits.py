"""How often an owner may call, and how the next call is told to wait."""

from __future__ import annotations

import pytest

from gemini_interactions.config.settings import Config
from gemini_interactions.domain.errors import Refused
from gemini_interactions.mcp_server.transports.http.rate_limit import RateLimiter
from tests.support.app_harness import AppHarness, Clock
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


def is_admitted(pace: RateLimiter, owner: str = "ann") -> bool:
    try:
        pace.admit(owner)
    except Refused:
        return False
    return True


def test_so_many_calls_a_minute_pass_and_no_more(clock: Clock) -> None:
    pace = RateLimiter(3, clock)

    assert [is_admitted(pace) for _ in range(5)] == [True, True, True, False, False]


def test_every_owner_has_a_minute_of_their_own(clock: Clock) -> None:
    pace = RateLimiter(1, clock)

    assert [is_admitted(pace, "ann"), is_admitted(pace, "ann"), is_admitted(pace, "bob")] == [
        True,
        False,
        True,
    ]


def test_never_more_than_that_in_any_sixty_seconds(clock: Clock) -> None:
    pace = RateLimiter(10, clock)
    passed: list[float] = []
    for _ in range(1000):
        clock.advance(0.7)
        if is_admitted(pace):
            passed.append(clock())

    assert max(sum(1 for each in passed if at <= each < at + 60) for at in passed) == 10
    assert len(passed) > 100


def test_hammering_does_not_keep_an_owner_out(clock: Clock) -> None:
    pace = RateLimiter(1, clock)
    pace.admit("ann")
    for _ in range(59):
        clock.advance(1)
        assert not is_admitted(pace)

    clock.advance(1)

    assert is_admitted(pace)


def test_a_refusal_says_how_long_to_wait(clock: Clock) -> None:
    pace = RateLimiter(2, clock)
    pace.admit("ann")
    clock.advance(17.5)
    pace.admit("ann")

    with pytest.raises(Refused, match=r"2 calls a minute .* Wait 43 s, then call again\."):
        pace.admit("ann")


def test_a_clock_set_back_locks_nobody_out(clock: Clock) -> None:
    pace = RateLimiter(1, clock)
    pace.admit("ann")

    clock.advance(-3600)

    assert is_admitted(pace)


def test_zero_is_no_limit(clock: Clock) -> None:
    pace = RateLimiter(0, clock)

    assert all(is_admitted(pace) for _ in range(1000))


def test_the_limit_is_sixty_with_tokens_and_none_without() -> None:
    tokens = {"GEMINI_MCP_TOKENS_FILE": "tokens"}

    assert Config.read({}).calls_a_minute == 0
    assert Config.read(tokens).calls_a_minute == 60
    assert Config.read({**tokens, "GEMINI_MCP_RATE_LIMIT": "0"}).calls_a_minute == 0
    assert Config.read({"GEMINI_MCP_RATE_LIMIT": "5"}).calls_a_minute == 5


@pytest.mark.parametrize("legacy", [False, True])
async def test_one_call_too_many_is_an_error_result_its_model_can_read(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open(tokens=TOKENS, rate_limit=2)
    ann = await gateways.connect(legacy=legacy, token="anns-token")
    await ann.ask("one")
    await ann.call("gemini_history")

    said = await ann.ask("three")

    assert (said.is_error, said.status) == (True, None)
    assert "more than the 2 calls a minute" in said.text
    assert len(harness.bodies) == 1
    assert not (await (await gateways.connect(token="bobs-token")).ask("four")).is_error


async def test_only_calls_of_tools_are_counted(gateways: GatewayHarness) -> None:
    await gateways.open(rate_limit=1)
    client = await gateways.connect(legacy=True)
    for _ in range(5):
        await client.sdk_client.list_tools()

    assert not (await client.ask("one")).is_error


async def test_on_stdio_nothing_is_counted(harness: AppHarness) -> None:
    client = await harness.connect(rate_limit=1)

    assert [(await client.history()).is_error for _ in range(3)] == [False, False, False]
