from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from gemini_interactions.domain import types
from gemini_interactions.domain.types import Turn, TurnSettings, Usage
from gemini_interactions.store import Deleted, Store
from tests.support.factories import OWNER, USUAL, begin, follow, reload

EVERYTHING: dict[str, Any] = {
    "kind": "ask",
    "prompt": "Zürich? 😀\n\tตกลง",
    "settings": TurnSettings("m", "Be brief.", "low", ({"type": "google_search"}, {"type": "x"})),
    "session": "thread 7",
    "fingerprint": "f00",
    "holder": "process 1",
    "lease_until": 130,
    "now": 100,
    "input": [{"type": "text", "text": "ü"}],
    "extra": {"files": ["a.txt"], "deep": {"er": None}},
}


async def test_a_begun_turn_is_returned_as_it_is_read_later(store: Store) -> None:
    turn = await store.begin(OWNER, **EVERYTHING)

    assert turn == await reload(store, turn)
    assert turn == Turn(
        conversation_id=turn.conversation_id,
        n=1,
        owner=OWNER,
        kind="ask",
        status="running",
        prompt="Zürich? 😀\n\tตกลง",
        input=[{"type": "text", "text": "ü"}],
        settings=EVERYTHING["settings"],
        created=100.0,
        lease_holder="process 1",
        lease_until=130.0,
        session="thread 7",
        fingerprint="f00",
        extra=EVERYTHING["extra"],
    )


async def test_a_followed_turn_is_returned_as_it_is_read_later(store: Store) -> None:
    first = await begin(store)

    turn = await store.follow(OWNER, first.conversation_id, parent=None, **EVERYTHING)

    assert turn is not None
    assert turn == await reload(store, turn)
    assert (turn.n, turn.parent, turn.created) == (2, 1, 100.0)


async def test_a_finished_turn_keeps_everything_it_was_given(store: Store) -> None:
    turn = await store.begin(OWNER, **EVERYTHING)
    outcome: dict[str, Any] = {
        "status": "failed",
        "steps": ({"type": "thought", "signature": "EsMB=="}, {"type": "model_output"}),
        "usage": Usage(1, 2, 3, 4, 5, 15),
        "model": "gemini-3.8-flash",
        "text": "Zürich 😀",
        "notes": ("Chained past a failed turn.",),
        "error": {"kind": "Rejected", "message": "no"},
        "interaction_id": "v1_abc",
    }

    assert await store.finish(turn, now=105, extra={"charts": 2}, **outcome)

    assert await reload(store, turn) == replace(
        turn,
        **outcome,
        finished=105.0,
        lease_holder="",
        lease_until=0.0,
        extra={"files": ["a.txt"], "deep": {"er": None}, "charts": 2},
    )


async def test_a_conversation_knows_when_it_began_and_whether_google_keeps_it(store: Store) -> None:
    turn = await begin(store, stored=False)
    await follow(store, turn, now=110.0)

    conversation = await store.conversation(OWNER, turn.conversation_id)

    assert conversation == types.Conversation(
        turn.conversation_id, OWNER, created=100.0, updated=110.0, newest=2, stored=False
    )


async def test_a_chain_begun_elsewhere_remembers_the_interaction_it_follows(store: Store) -> None:
    turn = await begin(store, parent_interaction_id="v1_elsewhere", extra={"files": []})

    assert (await reload(store, turn)).extra == {"files": [], "after": "v1_elsewhere"}


async def test_a_name_already_taken_is_not_given_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["c_0000000000", "c_0000000000", "c_1111111111"])
    monkeypatch.setattr(types, "new_name", lambda prefix: next(names))

    first = await begin(store, prompt="first")
    second = await begin(store, "somebody else", prompt="second")

    assert second.conversation_id == "c_1111111111"
    assert (await reload(store, first)).prompt == "first"


async def test_a_turn_follows_the_newest_one_unless_a_parent_is_named(store: Store) -> None:
    first = await begin(store)
    second = await follow(store, first)
    branch = await follow(store, first, parent=1)
    fourth = await follow(store, first)

    assert [(turn.n, turn.parent) for turn in (second, branch, fourth)] == [(2, 1), (3, 1), (4, 3)]


async def test_turns_that_follow_at_once_are_numbered_and_chained_without_a_gap(
    store: Store,
) -> None:
    first = await begin(store)
    made: list[Turn] = []

    async def follow_it() -> None:
        made.append(await follow(store, first))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(follow_it)

    assert sorted((turn.n, turn.parent) for turn in made) == [(n, n - 1) for n in range(2, 14)]


async def test_turns_of_one_process_follow_in_the_order_they_were_asked_for(store: Store) -> None:
    first = await begin(store)
    numbers = [(await follow(store, first, prompt=str(n))).n for n in range(2, 6)]

    assert numbers == [2, 3, 4, 5]
    assert [turn.prompt for turn in await store.turns(OWNER, first.conversation_id)] == [
        first.prompt,
        "2",
        "3",
        "4",
        "5",
    ]


async def test_a_lineage_goes_from_a_turn_back_to_the_first_and_leaves_branches_out(
    store: Store,
) -> None:
    first = await begin(store)
    await follow(store, first)
    await follow(store, first, parent=1)
    await follow(store, first, parent=2)
    newest = await follow(store, first)

    line = await store.lineage(OWNER, first.conversation_id, 5)

    assert [turn.n for turn in line] == [5, 4, 2, 1]
    assert line[0] == newest == await store.newest_turn(OWNER, first.conversation_id)


async def test_an_interaction_leads_to_its_turn(store: Store) -> None:
    turn = await begin(store)
    await store.named(turn, "v1_abc", holder="process 1")

    found = await store.turn_of_interaction(OWNER, "v1_abc")

    assert found == await reload(store, turn)
    assert await store.turn_of_interaction(OWNER, "v1_unknown") is None
    assert await store.turn_of_interaction(OWNER, "") is None


async def test_another_owner_sees_and_changes_nothing(store: Store) -> None:
    turn = await begin(store, session="s", fingerprint="f")
    await store.named(turn, "v1_abc", holder="process 1")
    await store.waits(turn, "owed", now=101)
    c = turn.conversation_id
    before = await reload(store, turn)
    thief = replace(turn, owner="thief")

    assert await store.conversation("thief", c) is None
    assert await store.turn("thief", c, 1) is None
    assert await store.newest_turn("thief", c) is None
    assert await store.turns("thief", c) == []
    assert await store.lineage("thief", c, 1) == []
    assert await store.turn_of_interaction("thief", "v1_abc") is None
    assert await store.follow("thief", c, **USUAL) is None
    assert await store.joinable("thief", "s", "f", since=0) is None
    assert await store.conversations("thief", limit=9) == []
    assert await store.count_conversations("thief") == 0
    assert await store.delete_conversation("thief", c) == Deleted(0, 0)
    assert not await store.owns_name("thief", "v1_abc")
    assert not await store.prepare(thief, holder="process 1", chained=None)
    assert not await store.named(thief, "v1_stolen", holder="process 1")
    assert not await store.claim_join(thief)
    assert not await store.take_over(thief, "thief", 999)
    assert not await store.finish(thief, status="failed", now=101)
    assert await reload(store, turn) == before


@pytest.mark.parametrize("unknown", ["c_0000000000", "", "c_\x00", "c_\ud800", "'; --"])
async def test_an_unknown_conversation_is_simply_not_there(store: Store, unknown: str) -> None:
    assert await store.conversation(OWNER, unknown) is None
    assert await store.turn(OWNER, unknown, 1) is None
    assert await store.newest_turn(OWNER, unknown) is None
    assert await store.turns(OWNER, unknown) == []
    assert await store.lineage(OWNER, unknown, 1) == []
    assert await store.turn_of_interaction(OWNER, unknown) is None
    assert await store.follow(OWNER, unknown, **USUAL) is None
    assert await store.delete_conversation(OWNER, unknown) == Deleted(0, 0)


async def test_a_list_shows_newest_activity_first_and_pages(store: Store) -> None:
    turns = [await begin(store, now=100.0 + n, prompt=f"Question {n}") for n in range(5)]
    await store.finish(turns[1], status="completed", now=200, model="gemini-3.8-pro", text="Yes.")
    await follow(store, turns[3], now=150.0)

    listed = await store.conversations(OWNER, limit=3)
    rest = await store.conversations(OWNER, limit=3, offset=3)

    assert [one.first_prompt[-1] for one in listed] == ["1", "3", "4"]
    assert [one.first_prompt[-1] for one in rest] == ["2", "0"]
    assert (listed[0].last_status, listed[0].last_model) == ("completed", "gemini-3.8-pro")
    assert (listed[1].turns, listed[1].created, listed[1].updated) == (2, 103.0, 150.0)
    assert listed[1].last_status == "running"
    assert await store.count_conversations(OWNER) == 5


async def test_a_list_never_carries_a_whole_long_prompt(store: Store) -> None:
    await begin(store, prompt="é" * 10_000)

    assert (await store.conversations(OWNER, limit=1))[0].first_prompt == "é" * 300


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("50%", ["50% off_now"]),
        ("%", ["50% off_now"]),
        ("f_n", ["50% off_now"]),
        ("fan", []),
        ("\\d", [r"a \d+ regex"]),
        ("'", ["it's"]),
        ("IT'S", ["it's"]),
        ("straße", ["STRASSE"]),
        ("привет", ["ПРИВЕТ, мир"]),
        ("ΟΔΟΣ", ["οδος"]),
        ("é", ["CAFÉ"]),
        ("the answer", ["a \\d+ regex"]),
        ("", ["50% off_now", r"a \d+ regex", "it's", "STRASSE", "ПРИВЕТ, мир", "οδος", "CAFÉ"]),
        ("\x00", []),
        ("x" * 200_000, []),
    ],
)
async def test_a_search_finds_the_literal_words_in_any_case(
    store: Store, query: str, expected: list[str]
) -> None:
    prompts = ["50% off_now", r"a \d+ regex", "it's", "STRASSE", "ПРИВЕТ, мир", "οδος", "CAFÉ"]
    for now, prompt in enumerate(reversed(prompts)):
        turn = await begin(store, prompt=prompt, now=float(now))
        answer = "THE ANSWER" if "regex" in prompt else ""
        await store.finish(turn, status="completed", now=float(now), text=answer)

    found = await store.conversations(OWNER, query=query, limit=50)

    assert [one.first_prompt for one in found] == expected
    assert await store.count_conversations(OWNER, query) == len(expected)


async def test_a_search_reads_later_turns_too_and_lists_a_conversation_once(store: Store) -> None:
    turn = await begin(store, prompt="needle")
    await follow(store, turn, prompt="another needle")
    other = await begin(store, prompt="hay")
    await follow(store, other, prompt="Needle!")

    assert len(await store.conversations(OWNER, query="needle", limit=9)) == 2


async def test_deleting_a_conversation_says_what_google_still_has(store: Store) -> None:
    turn = await begin(store)
    await store.named(turn, "v1_1", holder="process 1")
    await follow(store, turn)
    third = await follow(store, turn)
    await store.named(third, "v1_3", holder="process 1")
    other = await begin(store)
    await store.set_current(OWNER, "s", 100, turn.conversation_id, "r_1")
    await store.set_current(OWNER, "t", 100, other.conversation_id)

    deleted = await store.delete_conversation(OWNER, turn.conversation_id)

    assert deleted == Deleted(1, 3, ("v1_1", "v1_3"))

    assert await store.turns(OWNER, turn.conversation_id) == []
    assert await store.count_conversations(OWNER, "sky") == 1
    assert await store.follow(OWNER, turn.conversation_id, **USUAL) is None
    assert not await store.finish(third, status="completed", now=101)
    session = await store.current(OWNER, "s")
    assert (session.conversation_id, session.research_id) == ("", "r_1")
    assert (await store.current(OWNER, "t")).conversation_id == other.conversation_id


async def test_retention_deletes_what_nobody_touched_and_nothing_that_runs(store: Store) -> None:
    async def finished(now: float) -> Turn:
        turn = await begin(store, now=now)
        await store.finish(turn, status="completed", now=now)
        return turn

    old = [await finished(10) for _ in range(103)]
    running = await begin(store, now=10)
    recent = await finished(50)
    touched = await finished(10)
    await store.finish(await follow(store, touched, now=60), status="completed", now=60)
    await store.set_current(OWNER, "old", 10, old[0].conversation_id)
    await store.set_current(OWNER, "recent", 50, old[0].conversation_id)

    assert await store.delete_older(50) == Deleted(conversations=103, turns=103)

    left = await store.conversations(OWNER, limit=9)
    kept = {running.conversation_id, recent.conversation_id, touched.conversation_id}
    assert {one.id for one in left} == kept
    assert (await store.current(OWNER, "old")).updated == 0
    recent_session = await store.current(OWNER, "recent")
    assert (recent_session.conversation_id, recent_session.updated) == ("", 50)
    assert await store.delete_older(50) == Deleted(0, 0)


anything = some.text(some.characters(codec=None, exclude_categories=()))
json = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | anything,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(anything, inner, max_size=3),
    max_leaves=5,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(prompt=anything, text=anything, session=anything, step=json)
async def test_any_text_survives_except_nul_and_lone_surrogates(
    store: Store, prompt: str, text: str, session: str, step: object
) -> None:
    turn = await begin(store, prompt=prompt, session=session, extra={"as given": step})
    await store.finish(turn, status="completed", now=101, text=text, steps=[{"content": step}])

    kept = await reload(store, turn)

    assert kept.prompt == readable(prompt) == turn.prompt
    assert kept.text == readable(text)
    assert kept.session == readable(session)
    assert kept.steps == ({"content": readable_json(step)},)
    assert kept.extra == {"as given": readable_json(step)}
    if prompt:
        found = await store.conversations(OWNER, query=prompt.swapcase(), limit=10_000)
        if prompt.swapcase().casefold() == prompt.casefold():
            assert turn.conversation_id in [one.id for one in found]


def readable(text: str) -> str:
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return paired.replace("\x00", "\ufffd")


def readable_json(value: object) -> object:
    """NUL stays in JSON, where it is written as an escape."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [readable_json(one) for one in value]
    if isinstance(value, dict):
        return {readable_json(name): readable_json(one) for name, one in value.items()}
    return value
