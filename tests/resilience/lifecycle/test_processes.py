"""Two processes on one folder: each leaves the other's turns alone, and finishes what a dead one
left."""

from __future__ import annotations

from collections import Counter
from functools import partial

import anyio
import pytest

from tests.resilience.lifecycle.conftest import Fork
from tests.support import db_inspection
from tests.support.app_harness import AppHarness
from tests.support.server_process import ServerProcess

LEASE = 1.0

pytestmark = pytest.mark.processes


def has_turns(harness: AppHarness, number: int) -> bool:
    return len(db_inspection.turns(harness.folder)) == number


async def start_two_turns(
    harness: AppHarness, line: ServerProcess
) -> tuple[db_inspection.Row, db_inspection.Row]:
    """One whose id Google has told, and one whose request has only reached Google."""
    known = harness.control.hold_next("create", "before_completed")
    await line.begin_call("gemini_ask", prompt="known at Google")
    assert await known.reached()
    await line.wait_for(lambda: bool(db_inspection.turns(harness.folder)[0]["interaction_id"]))
    unknown = harness.control.hold_next("create", "before_created")
    await line.begin_call("gemini_ask", prompt="not yet at Google")
    assert await unknown.reached()
    one, other = db_inspection.turns(harness.folder)
    return one, other


async def renewals(harness: AppHarness, line: ServerProcess, number: int) -> None:
    """Waits until the leases have been renewed so often."""
    seen = {db_inspection.turns(harness.folder)[0]["lease_until"]}

    def renewed() -> bool:
        seen.add(db_inspection.turns(harness.folder)[0]["lease_until"])
        return len(seen) > number

    await line.wait_for(renewed)


async def test_a_turn_is_its_process_s_own_until_that_dies_and_then_the_next_one_s(
    harness: AppHarness, fork: Fork
) -> None:
    one = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    before = await start_two_turns(harness, one)

    other = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    early = [await other.call("gemini_result", id=row["id"]) for row in before]
    # Long enough for the other's watcher to have looked, since both look in the same rhythm.
    await renewals(harness, other, 6)
    during = db_inspection.turns(harness.folder)
    one.kill()
    await one.ended()
    late = [await other.call("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each.status for each in early] == ["running", "running"]
    assert [row["lease_holder"] for row in during] == [row["lease_holder"] for row in before]
    assert [each.status for each in late] == ["completed", "interrupted"]
    assert late[0].text.startswith('You said: "known at Google".')
    assert '"not yet at Google"' in late[1].text
    assert Counter(body["input"] for body in harness.bodies) == {
        "known at Google": 1,
        "not yet at Google": 1,
    }
    assert {row["lease_holder"] for row in db_inspection.turns(harness.folder)} == {""}


async def test_nobody_has_to_ask_for_what_a_dead_process_left(
    harness: AppHarness, fork: Fork
) -> None:
    one = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    await start_two_turns(harness, one)
    other = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    await other.call("gemini_history")

    one.kill()

    await other.wait_for(
        lambda: all(r["status"] != "running" for r in db_inspection.turns(harness.folder))
    )
    assert [row["status"] for row in db_inspection.turns(harness.folder)] == [
        "completed",
        "interrupted",
    ]


async def test_a_process_that_leaves_in_peace_hands_over_at_once(
    harness: AppHarness, fork: Fork
) -> None:
    """With a lease of a quarter of an hour, which nobody waits for."""
    one = await fork(GEMINI_MCP_LEASE_SECONDS="900")
    before = await start_two_turns(harness, one)

    one.hang_up()
    await one.ended()
    other = await fork(GEMINI_MCP_LEASE_SECONDS="900")
    late = [await other.call("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each.status for each in late] == ["completed", "interrupted"]
    assert len(harness.bodies) == 2


async def test_what_google_has_lost_with_its_client_is_interrupted(
    harness: AppHarness, fork: Fork
) -> None:
    harness.control.foreground_disconnect = "lost"
    short = {"GEMINI_MCP_LEASE_SECONDS": str(LEASE), "GEMINI_MCP_STORE_LAG_SECONDS": "0"}
    one = await fork(**short)
    before = await start_two_turns(harness, one)
    one.kill()
    other = await fork(**short)

    late = [await other.call("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each.status for each in late] == ["interrupted", "interrupted"]
    assert len(harness.bodies) == 2


async def test_continues_of_two_processes_chain_in_the_order_in_which_they_came(
    harness: AppHarness, fork: Fork
) -> None:
    one, other = await fork(), await fork()
    first = await one.call("gemini_ask", prompt="0")
    conversation = first.conversation
    slow = harness.control.hold_next("create", "before_completed")
    calls = []
    for number, line in enumerate([one, other, one, other, other, one], 1):
        call = await line.begin_call(
            "gemini_continue", prompt=str(number), conversation_id=conversation
        )
        calls.append((line, call))
        await line.wait_for(partial(has_turns, harness, number + 1))
    slow.release()

    said = [await line.result(call) for line, call in calls]

    assert [each.status for each in said] == ["completed"] * 6
    assert [each.turn for each in said] == [2, 3, 4, 5, 6, 7]
    ids = [first.interaction, *(each.interaction for each in said)]
    assert harness.control.chain(ids[-1]) == ids
    assert [body["input"] for body in harness.bodies] == ["0", "1", "2", "3", "4", "5", "6"]


async def test_a_queue_goes_on_behind_a_turn_whose_process_was_killed(
    harness: AppHarness, fork: Fork
) -> None:
    one = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    other = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    first = await one.call("gemini_ask", prompt="0")
    conversation = first.conversation
    held = harness.control.hold_next("create", "before_created")
    await one.begin_call("gemini_continue", prompt="lost", conversation_id=conversation)
    assert await held.reached()
    await one.begin_call("gemini_continue", prompt="queued, lost too", conversation_id=conversation)
    await one.wait_for(lambda: len(db_inspection.turns(harness.folder)) == 3)
    queued = await other.begin_call(
        "gemini_continue", prompt="queued", conversation_id=conversation
    )
    await other.until(lambda: bool(other.progress(queued)))

    one.kill()
    said = await other.result(queued)

    assert said.status == "completed"
    assert "Turn 3 was interrupted: this continues from turn 1." in said.text
    assert harness.last["previous_interaction_id"] == first.interaction
    assert [body["input"] for body in harness.bodies] == ["0", "lost", "queued"]


async def test_many_processes_take_over_one_turn_once(harness: AppHarness, fork: Fork) -> None:
    one = await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    before = await start_two_turns(harness, one)
    others = [await fork(GEMINI_MCP_LEASE_SECONDS=str(LEASE)) for _ in range(4)]
    one.kill()
    late: list[str | None] = []

    async def collect(line: ServerProcess, id: str) -> None:
        late.append((await line.call("gemini_result", id=id, wait_seconds=40)).status)

    async with anyio.create_task_group() as tasks:
        for line in others:
            for row in before:
                tasks.start_soon(collect, line, row["id"])

    assert Counter(late) == {"completed": 4, "interrupted": 4}
    assert len(harness.bodies) == 2
