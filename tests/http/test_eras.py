"""Everything a client can do, again over HTTP, in both protocol eras."""

from __future__ import annotations

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from tests.http.site import Site, Wire
from tests.product.house import House, Said

ERAS = pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])


@ERAS
async def test_a_chain_and_a_branch_go_to_google_as_such(
    site: Site, house: House, legacy: bool
) -> None:
    await site.open()
    guest = await site.visit(legacy=legacy)

    first = await guest.ask("one")
    second = await guest.follow("two", conversation_id=first.conversation)
    branch = await guest.follow("other", conversation_id=first.conversation, turn=1)

    assert [each.id for each in (second, branch)] == [
        f"{first.conversation}/2",
        f"{first.conversation}/3",
    ]
    assert [body.get("previous_interaction_id") for body in house.bodies] == [
        None,
        first.interaction,
        first.interaction,
    ]


@ERAS
async def test_a_call_not_done_in_time_answers_running_and_another_client_collects_it(
    site: Site, house: House, legacy: bool
) -> None:
    await site.open(max_wait_seconds=0.2)
    gate = house.brain.hold_next()
    house.brain.answer_next("At last.")

    running = await (await site.visit(legacy=legacy)).ask("slow")
    gate.release()
    other = await site.visit(legacy=not legacy)
    collected = await until_final(other.result, running.id)

    assert running.status == "running"
    assert (collected.status, collected.piece) == ("completed", "At last.")
    assert len(house.bodies) == 1


@ERAS
async def test_a_client_that_hangs_up_leaves_its_work_going_and_another_collects_it(
    site: Site, house: House, legacy: bool
) -> None:
    await site.open()
    gate = house.brain.hold_next()
    house.brain.answer_next("Nobody waited, but here it is.")

    await hang_up(site, legacy=legacy, gate=gate, prompt="slow")
    gate.release()
    other = await site.visit()
    listed = await other.history()
    collected = await until_final(other.result, listed.text.split()[0])

    assert (collected.status, collected.piece) == ("completed", "Nobody waited, but here it is.")


@ERAS
async def test_the_same_call_after_hanging_up_joins_the_first_and_pays_once(
    site: Site, house: House, legacy: bool
) -> None:
    await site.open()
    gate = house.brain.hold_next()

    wire = await hang_up(site, legacy=legacy, gate=gate, prompt="slow")
    await settled(site)
    async with wire.http:
        gate.release()
        again = await wire.call("gemini_ask", id=2, prompt="slow")

    assert again.status == "completed"
    assert "An identical earlier call" in again.text
    assert len(house.bodies) == 1


async def test_a_users_abort_stops_the_work_at_google(site: Site, house: House) -> None:
    await site.open()
    gate = house.brain.hold_next(point="before_completed")

    async with site.raw() as raw:
        wire = await Wire.begin(raw, legacy=True)
        async with wire.post("gemini_ask", {"prompt": "slow"}, id=7) as answer:
            await gate.reached()
            await wire.cancel(7, "AbortError: user aborted")
            body = await answer.aread()
        assert await house.brain.until(lambda: house.brain.posts[0].disconnected)
        stopped = await until_final(wire.call, "gemini_result", id=8)

    assert b"-32800" in body  # how this era ends a cancelled request
    assert stopped.status == "cancelled"


async def test_a_hosts_time_out_leaves_the_work_going(site: Site, house: House) -> None:
    await site.open()
    gate = house.brain.hold_next(point="before_completed")

    async with site.raw() as raw:
        wire = await Wire.begin(raw, legacy=True)
        async with wire.post("gemini_ask", {"prompt": "slow"}, id=7) as answer:
            await gate.reached()
            await wire.cancel(7, "McpError: MCP error -32001: Request timed out")
            await answer.aread()
        gate.release()
        finished = await until_final(wire.call, "gemini_result", id=8)

    assert finished.status == "completed"
