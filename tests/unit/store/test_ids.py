"""Ids by how they begin, as completions want them: the owner's, newest first."""

from __future__ import annotations

from gemini_interactions.domain.artifact import ArtifactKind
from gemini_interactions.store import Store
from tests.support.factories import begin


async def test_conversations_are_found_by_how_their_id_begins_last_touched_first(
    store: Store,
) -> None:
    old = (await begin(store, now=1)).conversation_id
    new = (await begin(store, now=2)).conversation_id
    await begin(store, "somebody else", now=3)

    assert await store.ids("local", "conversation", "", 10) == [new, old]
    assert await store.ids("local", "conversation", "c_", 1) == [new]
    assert await store.ids("local", "conversation", old, 10) == [old]
    assert await store.ids("local", "conversation", old[1:], 10) == []
    assert await store.ids("local", "conversation", "%", 10) == []


async def test_researches_and_images_are_found_each_by_their_own(store: Store) -> None:
    turn = await begin(store, now=1)
    place = (turn.conversation_id, turn.n)
    first = await store.add_handle("local", ArtifactKind.IMAGE, *place, now=1, facts={})
    second = await store.add_handle("local", ArtifactKind.IMAGE, *place, now=2, facts={})
    research = await store.add_handle("local", ArtifactKind.RESEARCH, *place, now=3, facts={})
    await store.add_handle("somebody else", ArtifactKind.IMAGE, *place, now=4, facts={})

    assert await store.ids("local", ArtifactKind.IMAGE, "i_", 10) == [second.id, first.id]
    assert await store.ids("local", ArtifactKind.RESEARCH, "", 10) == [research.id]
    assert await store.ids("local", ArtifactKind.IMAGE, research.id, 10) == []
