from __future__ import annotations

from typing import Any

import pytest

from gemini_interactions.domain.types import Turn
from gemini_interactions.store import Session, Store
from tests.support.factories import OWNER, begin, follow


async def test_a_session_remembers_its_conversation_and_its_research_apart(store: Store) -> None:
    await store.set_current(OWNER, "s", 100, conversation_id="c_1")
    await store.set_current(OWNER, "s", 101, research_id="r_1")
    await store.set_current(OWNER, "s", 102, conversation_id="c_2")
    await store.set_current("somebody else", "s", 103, "c_3")

    assert await store.current(OWNER, "s") == Session("c_2", "r_1", 102)
    assert await store.current("somebody else", "s") == Session("c_3", "", 103)


async def test_an_unknown_session_is_in_the_middle_of_nothing(store: Store) -> None:
    assert await store.current(OWNER, "s") == Session("", "", 0)


async def test_without_a_session_nothing_is_remembered(store: Store) -> None:
    await store.set_current(OWNER, "", 100, conversation_id="c_1")

    assert await store.current(OWNER, "") == Session()


async def call(
    store: Store, created: float, finished: float | None, after: Turn | None = None, **more: Any
) -> Turn:
    more = {"session": "s", "now": created, **more}
    turn = await follow(store, after, **more) if after else await begin(store, **more)
    if finished is not None:
        await store.finish(turn, status="completed", now=finished)
    return turn


async def test_calls_that_overlap_in_two_conversations_ran_side_by_side(store: Store) -> None:
    one = await call(store, 100, 110)
    other = await call(store, 109, 120)
    await call(store, 121, 130)

    assert await store.side_by_side(OWNER, "s", since=0) == [
        one.conversation_id,
        other.conversation_id,
    ]


async def test_a_call_that_still_runs_is_beside_every_later_one(store: Store) -> None:
    one = await call(store, 100, None)
    other = await call(store, 500, 510)

    assert await store.side_by_side(OWNER, "s", since=505) == [
        one.conversation_id,
        other.conversation_id,
    ]


async def test_a_call_that_was_told_to_come_back_has_ended_though_its_turn_runs(
    store: Store,
) -> None:
    slow = await call(store, 100, None)
    await store.waits(slow, "owed", now=145)
    await call(store, 150, 160)

    assert await store.side_by_side(OWNER, "s", since=0) == []


async def test_no_call_is_thought_to_have_waited_longer_than_any_does(store: Store) -> None:
    await call(store, 100, 200)
    one, other = await call(store, 150, 160), await call(store, 155, 400)
    both = [one.conversation_id, other.conversation_id]

    assert await store.side_by_side(OWNER, "s", since=0, longest=45) == both
    assert await store.side_by_side(OWNER, "s", since=180, longest=45) == []


async def test_one_call_after_the_other_is_not_side_by_side(store: Store) -> None:
    first = await call(store, 100, 110)
    await call(store, 110, 120)
    await call(store, 120, 130, after=first)

    assert await store.side_by_side(OWNER, "s", since=0) == []


async def test_calls_in_one_conversation_are_never_side_by_side(store: Store) -> None:
    first = await call(store, 100, 110)
    await call(store, 105, 120, after=first)

    assert await store.side_by_side(OWNER, "s", since=0) == []


@pytest.mark.parametrize(
    "different",
    [{"session": "t"}, {"owner": "somebody else"}, {"kind": "research"}, {"kind": "image"}],
)
async def test_only_asks_and_continues_of_the_same_session_count(
    store: Store, different: dict[str, Any]
) -> None:
    await call(store, 100, 110)
    await call(store, 105, 115, **different)

    assert await store.side_by_side(OWNER, "s", since=0) == []


async def test_calls_side_by_side_are_forgotten_after_a_while(store: Store) -> None:
    await call(store, 100, 110)
    await call(store, 105, 200)

    assert len(await store.side_by_side(OWNER, "s", since=110)) == 2
    assert await store.side_by_side(OWNER, "s", since=111) == []


async def test_when_an_interrupted_call_ended_is_unknown_so_it_does_not_count(
    store: Store,
) -> None:
    lost = await call(store, 100, None)
    await call(store, 150, 160)
    await store.finish(lost, status="interrupted", now=155)

    assert await store.side_by_side(OWNER, "s", since=0) == []


async def test_no_call_is_longer_than_calls_may_wait(store: Store) -> None:
    await call(store, 100, 500)
    await call(store, 146, 150)

    assert await store.side_by_side(OWNER, "s", since=0, longest=45) == []
    assert len(await store.side_by_side(OWNER, "s", since=0, longest=47)) == 2


async def test_a_call_ends_where_its_client_went_away(store: Store) -> None:
    left = await call(store, 100, None)
    await store.waits(left, "owed", now=110)
    await call(store, 111, 120)

    assert await store.side_by_side(OWNER, "s", since=0) == []


async def test_conversations_that_somebody_else_knows_about_are_left_to_them(
    store: Store,
) -> None:
    one = await call(store, 100, 110)
    other = await call(store, 105, 120)
    both = [one.conversation_id, other.conversation_id]

    assert await store.side_by_side(OWNER, "s", since=0, besides=both) == []
    assert await store.side_by_side(OWNER, "s", since=0, besides=both[:1]) == both


async def test_calls_without_a_session_are_never_side_by_side(store: Store) -> None:
    await call(store, 100, 110, session="")
    await call(store, 105, 115, session="")

    assert await store.side_by_side(OWNER, "", since=0) == []
