"""Two processes on one folder: each leaves the other's turns alone, and finishes what a dead one
left."""

from __future__ import annotations

from collections import Counter
from functools import partial

import anyio
import pytest

from tests.resilience.lifecycle.conftest import Forked
from tests.support import db_inspection
from tests.support.app_harness import AppHarness
from tests.support.forked_server import ForkedServer
from tests.support.jsonrpc_client import facts

LEASE = 1.0

pytestmark = pytest.mark.processes


def has_turns(harness: AppHarness, number: int) -> bool:
    return len(db_inspection.turns(harness.folder)) == number


async def two_turns_in_hand(
    harness: AppHarness, line: ForkedServer
) -> tuple[db_inspection.Row, db_inspection.Row]:
    """One whose id Google has told, and one whose request has only reached Google."""
    known = harness.control.hold_next("create", "before_completed")
    await line.call("gemini_ask", prompt="known at Google")
    assert await known.reached()
    await line.meanwhile(lambda: bool(db_inspection.turns(harness.folder)[0]["interaction_id"]))
    unknown = harness.control.hold_next("create", "before_created")
    await line.call("gemini_ask", prompt="not yet at Google")
    assert await unknown.reached()
    one, other = db_inspection.turns(harness.folder)
    return one, other


async def renewals(harness: AppHarness, line: ForkedServer, number: int) -> None:
    """Waits until the leases have been renewed so often."""
    seen = {db_inspection.turns(harness.folder)[0]["lease_until"]}

    def renewed() -> bool:
        seen.add(db_inspection.turns(harness.folder)[0]["lease_until"])
        return len(seen) > number

    await line.meanwhile(renewed)


async def test_a_turn_is_its_process_s_own_until_that_dies_and_then_the_next_one_s(
    harness: AppHarness, forked: Forked
) -> None:
    one = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    before = await two_turns_in_hand(harness, one)

    other = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    early = [await other.use("gemini_result", id=row["id"]) for row in before]
    # Long enough for the other's watcher to have looked, since both look in the same rhythm.
    await renewals(harness, other, 6)
    during = db_inspection.turns(harness.folder)
    one.kill()
    await one.over()
    late = [await other.use("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each["status"] for each in early] == ["running", "running"]
    assert [row["lease_holder"] for row in during] == [row["lease_holder"] for row in before]
    assert [each["status"] for each in late] == ["completed", "interrupted"]
    assert late[0]["text"].startswith('You said: "known at Google".')
    assert '"not yet at Google"' in late[1]["text"]
    assert Counter(body["input"] for body in harness.bodies) == {
        "known at Google": 1,
        "not yet at Google": 1,
    }
    assert {row["lease_holder"] for row in db_inspection.turns(harness.folder)} == {""}


async def test_nobody_has_to_ask_for_what_a_dead_process_left(
    harness: AppHarness, forked: Forked
) -> None:
    one = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    await two_turns_in_hand(harness, one)
    other = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    await other.use("gemini_history")

    one.kill()

    await other.meanwhile(
        lambda: all(r["status"] != "running" for r in db_inspection.turns(harness.folder))
    )
    assert [row["status"] for row in db_inspection.turns(harness.folder)] == [
        "completed",
        "interrupted",
    ]


async def test_a_process_that_leaves_in_peace_hands_over_at_once(
    harness: AppHarness, forked: Forked
) -> None:
    """With a lease of a quarter of an hour, which nobody waits for."""
    one = await forked(GEMINI_MCP_LEASE_SECONDS="900")
    before = await two_turns_in_hand(harness, one)

    await one.hang_up()
    await one.over()
    other = await forked(GEMINI_MCP_LEASE_SECONDS="900")
    late = [await other.use("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each["status"] for each in late] == ["completed", "interrupted"]
    assert len(harness.bodies) == 2


async def test_what_google_has_lost_with_its_client_is_interrupted(
    harness: AppHarness, forked: Forked
) -> None:
    harness.control.foreground_disconnect = "lost"
    short = {"GEMINI_MCP_LEASE_SECONDS": str(LEASE), "GEMINI_MCP_STORE_LAG_SECONDS": "0"}
    one = await forked(**short)
    before = await two_turns_in_hand(harness, one)
    one.kill()
    other = await forked(**short)

    late = [await other.use("gemini_result", id=row["id"], wait_seconds=40) for row in before]

    assert [each["status"] for each in late] == ["interrupted", "interrupted"]
    assert len(harness.bodies) == 2


async def test_continues_of_two_processes_chain_in_the_order_in_which_they_came(
    harness: AppHarness, forked: Forked
) -> None:
    one, other = await forked(), await forked()
    first = await one.use("gemini_ask", prompt="0")
    conversation = first["conversation_id"]
    slow = harness.control.hold_next("create", "before_completed")
    calls = []
    for number, line in enumerate([one, other, one, other, other, one], 1):
        call = await line.call("gemini_continue", prompt=str(number), conversation_id=conversation)
        calls.append((line, call))
        await line.meanwhile(partial(has_turns, harness, number + 1))
    slow.release()

    said = [facts(await line.answer(call)) for line, call in calls]

    assert [each["status"] for each in said] == ["completed"] * 6
    assert [each["turn"] for each in said] == [2, 3, 4, 5, 6, 7]
    ids = [first["interaction_id"], *(each["interaction_id"] for each in said)]
    assert harness.control.chain(ids[-1]) == ids
    assert [body["input"] for body in harness.bodies] == ["0", "1", "2", "3", "4", "5", "6"]


async def test_a_queue_goes_on_behind_a_turn_whose_process_was_killed(
    harness: AppHarness, forked: Forked
) -> None:
    one = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    other = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    first = await one.use("gemini_ask", prompt="0")
    conversation = first["conversation_id"]
    held = harness.control.hold_next("create", "before_created")
    await one.call("gemini_continue", prompt="lost", conversation_id=conversation)
    assert await held.reached()
    await one.call("gemini_continue", prompt="queued, lost too", conversation_id=conversation)
    await one.meanwhile(lambda: len(db_inspection.turns(harness.folder)) == 3)
    queued = await other.call("gemini_continue", prompt="queued", conversation_id=conversation)
    await other.until(lambda: bool(other.progress(queued)))

    one.kill()
    said = facts(await other.answer(queued))

    assert said["status"] == "completed"
    assert "Turn 3 was interrupted: this continues from turn 1." in said["text"]
    assert harness.last["previous_interaction_id"] == first["interaction_id"]
    assert [body["input"] for body in harness.bodies] == ["0", "lost", "queued"]


async def test_many_processes_take_over_one_turn_once(harness: AppHarness, forked: Forked) -> None:
    one = await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE))
    before = await two_turns_in_hand(harness, one)
    others = [await forked(GEMINI_MCP_LEASE_SECONDS=str(LEASE)) for _ in range(4)]
    one.kill()
    late: list[str] = []

    async def collect(line: ForkedServer, id: str) -> None:
        late.append((await line.use("gemini_result", id=id, wait_seconds=40))["status"])

    async with anyio.create_task_group() as tasks:
        for line in others:
            for row in before:
                tasks.start_soon(collect, line, row["id"])

    assert Counter(late) == {"completed": 4, "interrupted": 4}
    assert len(harness.bodies) == 2
