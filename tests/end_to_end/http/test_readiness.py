"""Readiness: whether calls that come now would be served, found out without spending anything."""

from __future__ import annotations

import pytest

from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness


async def readiness_status(gateways: GatewayHarness) -> int:
    async with gateways.raw() as raw:
        return (await raw.get("/readyz")).status_code


def looks(harness: AppHarness) -> int:
    return sum(each.kind == "models" for each in harness.control.log)


async def test_google_is_asked_at_most_once_a_minute_and_nothing_is_created(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    while await readiness_status(gateways) != 200:  # the SDK is only warming up
        pass
    before = looks(harness)

    answers = [await readiness_status(gateways) for _ in range(5)]
    assert looks(harness) == before
    harness.clock.advance(61)
    answers.append(await readiness_status(gateways))

    assert answers == [200] * 6
    assert looks(harness) == before + 1
    assert harness.control.posts == []


async def test_without_a_key_no_call_would_be_served(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    harness.set(GEMINI_API_KEY=None)
    await gateways.open()

    assert await readiness_status(gateways) == 503


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_server_google_does_not_serve_is_not_ready_until_it_does(
    gateways: GatewayHarness, harness: AppHarness, status: int
) -> None:
    harness.control.fail_next(status, on="models", times=9)
    await gateways.open()
    before = await readiness_status(gateways)
    harness.control.reset()
    again = await readiness_status(gateways)
    harness.clock.advance(6)

    assert (before, again, await readiness_status(gateways)) == (503, 503, 200)


async def test_a_limit_at_google_does_not_end_readiness(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    harness.control.fail_next(429, on="models", times=9)
    await gateways.open()

    assert await readiness_status(gateways) == 200


async def test_a_server_that_cannot_reach_google_is_not_ready(gateways: GatewayHarness) -> None:
    await gateways.open(base_url="http://127.0.0.1:9")

    assert await readiness_status(gateways) == 503
