from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from gemini_interactions.domain.status import Status
from gemini_interactions.domain.types import Turn, TurnSettings
from gemini_interactions.store import Store
from tests.support.factories import OWNER, begin, follow, reload


async def test_prepare_records_what_is_really_sent_before_it_is(store: Store) -> None:
    first = await begin(store)
    turn = await follow(store, first)
    used = TurnSettings(model="gemini-3.8-pro", tools=({"type": "google_search"},))

    assert await store.prepare(
        turn, holder="process 1", chained=1, settings=used, notes=["Replaced a model."]
    )

    assert await reload(store, turn) == replace(
        turn, chained=1, settings=used, notes=("Replaced a model.",)
    )


async def test_prepare_leaves_settings_and_notes_as_they_are_where_none_are_given(
    store: Store,
) -> None:
    turn = await begin(store)
    await store.prepare(turn, holder="process 1", chained=None, notes=["one"])
    await store.prepare(turn, holder="process 1", chained=None)

    assert (await reload(store, turn)).settings == turn.settings
    assert (await reload(store, turn)).notes == ("one",)


async def test_notes_made_at_the_end_join_those_made_while_sending(store: Store) -> None:
    turn = await begin(store)
    await store.prepare(turn, holder="process 1", chained=None, notes=["one"])
    await store.finish(turn, status="completed", now=102, notes=["one", "two"])

    assert (await reload(store, turn)).notes == ("one", "two")


async def test_only_the_holder_of_a_running_turn_sends_and_names_it(store: Store) -> None:
    turn = await begin(store)

    assert not await store.prepare(turn, holder="process 2", chained=None)
    assert not await store.named(turn, "v1_wrong", holder="process 2")
    assert await store.named(turn, "v1_right", holder="process 1")
    await store.finish(turn, status="completed", now=102)
    assert not await store.prepare(turn, holder="process 1", chained=None)
    assert not await store.named(turn, "v1_late", holder="process 1")
    now = await reload(store, turn)
    assert (now.interaction_id, now.sent) == ("v1_right", None)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "plan_ready"])
async def test_the_first_outcome_of_a_turn_stays(store: Store, status: Status) -> None:
    turn = await begin(store)

    assert await store.finish(turn, status=status, now=101, text="first")
    assert not await store.finish(turn, status="completed", now=102, text="second")
    assert not await store.finish(turn, status="interrupted", now=103)
    now = await reload(store, turn)
    assert (now.status, now.text, now.finished) == (status, "first", 101)
    assert await store.count_conversations(OWNER, "second") == 0


@pytest.mark.parametrize("given_up", ["interrupted", "stalled"])
async def test_a_real_outcome_beats_a_turn_given_up_and_keeps_googles_id(
    store: Store, given_up: Status
) -> None:
    turn = await begin(store)
    await store.named(turn, "v1_abc", holder="process 1")

    assert await store.finish(turn, status=given_up, now=101)
    assert not await store.finish(turn, status=given_up, now=102)
    assert (await reload(store, turn)).finished == 101
    assert await store.finish(turn, status="completed", now=103, text="After all.")
    now = await reload(store, turn)
    assert (now.status, now.interaction_id, now.text) == ("completed", "v1_abc", "After all.")


async def test_of_many_who_finish_a_turn_at_once_one_does(store: Store) -> None:
    turn = await begin(store)
    took: list[str] = []

    async def finish(text: str) -> None:
        if await store.finish(turn, status="completed", now=101, text=text):
            took.append(text)

    async with anyio.create_task_group() as group:
        for n in range(8):
            group.start_soon(finish, str(n))

    assert took == [(await reload(store, turn)).text]


async def test_renewing_keeps_all_of_a_holders_running_turns_and_nobody_elses(
    store: Store,
) -> None:
    mine = [await begin(store), await begin(store, "somebody else")]
    done = await begin(store)
    await store.finish(done, status="completed", now=101)
    other = await begin(store, holder="process 2")

    assert await store.renew("process 1", 150) == 2

    assert [(await reload(store, turn)).lease_until for turn in mine] == [150, 150]
    assert (await reload(store, done)).lease_until == 0
    assert (await reload(store, other)).lease_until == 130


async def test_expired_turns_of_every_owner_come_longest_overdue_first(store: Store) -> None:
    late = await begin(store, lease_until=120)
    later = await begin(store, "somebody else", lease_until=110)
    await begin(store, lease_until=140)
    done = await begin(store, lease_until=100)
    await store.finish(done, status="failed", now=105)

    assert [turn.id for turn in await store.expired(130, 9)] == [later.id, late.id]
    assert [turn.id for turn in await store.expired(130, 1)] == [later.id]
    assert await store.expired(110, 9) == []


async def test_of_many_who_take_over_a_turn_one_does(store: Store) -> None:
    await begin(store, lease_until=100)
    (turn,) = await store.expired(130, 9)
    took: list[str] = []

    async def take_over(holder: str) -> None:
        if await store.take_over(turn, holder, 160):
            took.append(holder)

    async with anyio.create_task_group() as group:
        for n in range(8):
            group.start_soon(take_over, f"process {n + 2}")

    now = await reload(store, turn)
    assert ([now.lease_holder], now.lease_until) == (took, 160)
    assert not await store.named(turn, "v1_late", holder="process 1")


async def test_a_lease_renewed_or_finished_meanwhile_is_not_taken_over(store: Store) -> None:
    renewed = await begin(store, lease_until=100)
    finished = await begin(store, lease_until=100)
    await store.renew("process 1", 150)
    await store.finish(finished, status="completed", now=120)

    assert not await store.take_over(renewed, "process 2", 160)
    assert not await store.take_over(finished, "process 2", 160)
    assert (await reload(store, renewed)).lease_holder == "process 1"


async def test_what_a_leaving_process_releases_can_be_taken_over_at_once(store: Store) -> None:
    turn = await begin(store)

    assert await store.release("process 1") == 1
    assert await store.release("process 1") == 1
    assert await store.release("process 2") == 0
    (found,) = await store.expired(101, 9)
    assert found.id == turn.id
    assert await store.take_over(found, "process 2", 160)


async def owed_turn(store: Store, at: float = 110.0, **differently: Any) -> Turn:
    turn = await begin(store, **{"session": "s", "fingerprint": "f"} | differently)
    await store.waits(turn, "owed", now=at)
    return turn


async def test_an_identical_call_joins_the_newest_one_that_is_owed(store: Store) -> None:
    await owed_turn(store, now=90.0)
    newest = await owed_turn(store, now=95.0)
    await owed_turn(store, now=99.0, fingerprint="something else")
    await owed_turn(store, now=99.0, session="another")

    found = await store.joinable(OWNER, "s", "f", since=100)

    assert found is not None
    assert (found.id, found.delivery, found.owed) == (newest.id, "owed", 110.0)


async def test_without_a_session_any_identical_call_of_the_owner_is_joined(store: Store) -> None:
    turn = await owed_turn(store)

    found = await store.joinable(OWNER, "", "f", since=100)

    assert found == await reload(store, turn)
    assert await store.joinable("somebody else", "", "f", since=100) is None


async def test_a_call_without_a_fingerprint_joins_nothing(store: Store) -> None:
    await owed_turn(store, fingerprint="")

    assert await store.joinable(OWNER, "s", "", since=0) is None


async def test_nobody_joins_what_was_owed_too_long_ago(store: Store) -> None:
    turn = await owed_turn(store, at=110)

    assert await store.joinable(OWNER, "s", "f", since=110) == await reload(store, turn)
    assert await store.joinable(OWNER, "s", "f", since=110.5) is None


@pytest.mark.parametrize("delivery", ["waiting", "delivered"])
async def test_nobody_joins_what_somebody_waits_for_or_has_read(
    store: Store, delivery: str
) -> None:
    turn = await owed_turn(store)
    await store.waits(turn, delivery, now=111)  # type: ignore[arg-type]  # pytest hands in a str

    assert await store.joinable(OWNER, "s", "f", since=0) is None
    assert (await reload(store, turn)).owed is None


@pytest.mark.parametrize(
    ("status", "joins"),
    [
        ("completed", True),
        ("incomplete", True),
        ("requires_action", True),
        ("failed", False),
        ("cancelled", False),
        ("interrupted", False),
    ],
)
async def test_only_an_outcome_worth_having_is_joined(
    store: Store, status: Status, joins: bool
) -> None:
    turn = await owed_turn(store)
    await store.finish(turn, status=status, now=111)

    assert (await store.joinable(OWNER, "s", "f", since=100) is not None) == joins


async def test_of_many_who_want_to_join_one_does(store: Store) -> None:
    turn = await owed_turn(store)
    joined: list[int] = []

    async def join(n: int) -> None:
        if await store.claim_join(turn):
            joined.append(n)

    async with anyio.create_task_group() as group:
        for n in range(8):
            group.start_soon(join, n)

    assert len(joined) == 1
    assert (await reload(store, turn)).delivery == "waiting"


async def test_who_waited_in_a_process_that_died_can_ask_again_and_join(store: Store) -> None:
    await begin(store, session="s", fingerprint="f", lease_until=130)
    (turn,) = await store.expired(150, 9)
    await store.take_over(turn, "process 2", 180)

    found = await store.joinable(OWNER, "s", "f", since=130)

    assert found is not None
    assert (found.id, found.owed) == (turn.id, 130)


async def test_a_lease_that_ends_later_than_it_can_is_none(store: Store) -> None:
    turn = await begin(store, now=1_000, lease_until=1_030)

    assert await store.expired(1_000, 9) == []
    assert await store.expired(996, 9) == []
    assert [each.id for each in await store.expired(900, 9)] == [turn.id]
    assert await store.is_expired(turn, 900)


async def test_claiming_the_send_renews_the_lease_and_marks_the_turn_as_sent(store: Store) -> None:
    turn = await begin(store)

    assert await store.claim_send(turn, holder="process 1", now=125, lease_until=155)
    assert not await store.claim_send(turn, holder="process 2", now=126, lease_until=156)
    now = await reload(store, turn)
    assert (now.sent, now.lease_until) == (125, 155)
