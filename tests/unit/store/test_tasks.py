"""What is written down of a turn that was answered as a task."""

from __future__ import annotations

from functools import partial

import anyio

from gemini_interactions.store import Store
from tests.support.factories import OWNER, begin, reload


async def test_facts_of_a_task_are_added_to_those_there_are(store: Store) -> None:
    turn = await begin(store)

    assert turn.task == {}
    assert await store.mark_task(turn, {"id": turn.id}) == {"id": turn.id}
    await store.mark_task(turn, {"shared": True})

    assert (await reload(store, turn)).task == {"id": turn.id, "shared": True}


async def test_what_was_told_as_ended_stays_so(store: Store) -> None:
    turn = await begin(store)
    await store.mark_task(turn, {"id": turn.id, "answer": {"status": "completed"}})

    now = await store.mark_task(turn, {"id": "other", "answer": {"status": "cancelled"}, "x": 1})

    assert now == {"id": turn.id, "answer": {"status": "completed"}, "x": 1}


async def test_marks_made_at_the_same_time_are_all_kept(store: Store) -> None:
    turn = await begin(store)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(partial(store.mark_task, turn, {f"mark {number}": number}))

    assert len((await reload(store, turn)).task) == 10


async def test_somebody_elses_turn_is_not_marked(store: Store) -> None:
    turn = await begin(store, "somebody else")
    named_by_us = await begin(store, OWNER)

    await store.mark_task(named_by_us, {"id": "x"})

    found = await store.turn("somebody else", turn.conversation_id, turn.n)
    assert found is not None
    assert found.task == {}


async def test_a_holder_learns_which_of_its_running_turns_are_to_end(store: Store) -> None:
    one, other, over = [await begin(store) for _ in range(3)]
    for each in (one, over):
        await store.mark_task(each, {"id": each.id, "cancel": True})
    await store.mark_task(other, {"id": other.id})
    await store.finish(over, status="completed", now=102)

    assert await store.with_cancelled_task("process 1") == [one.id]
    assert await store.with_cancelled_task("process 2") == []


async def test_an_outcome_leaves_the_task_as_it_is(store: Store) -> None:
    turn = await begin(store)
    await store.mark_task(turn, {"id": turn.id})
    await store.finish(turn, status="completed", now=102, extra={"x": 1})

    assert (await reload(store, turn)).task == {"id": turn.id}
