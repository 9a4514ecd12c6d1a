"""Researches, images and uploads: names of turns, and what belongs to them."""

from __future__ import annotations

import pytest

from gemini_interactions.domain.artifact import ArtifactKind
from gemini_interactions.domain.types import UploadedFile
from gemini_interactions.store import Deleted, Store
from tests.support.factories import OWNER, begin, follow

pytestmark = pytest.mark.anyio


async def test_a_handle_names_a_turn_and_can_be_moved_to_the_next(store: Store) -> None:
    turn = await begin(store)
    later = await follow(store, turn)
    made = await store.add_handle(
        OWNER,
        ArtifactKind.RESEARCH,
        turn.conversation_id,
        turn.n,
        now=100,
        facts={"question": "why?"},
    )

    assert made.id.startswith("r_")
    assert await store.handle(OWNER, made.id) == made
    assert await store.handles_of(turn) == [made]

    assert await store.move_handle(made, n=later.n)

    assert await store.handles_of(turn) == []
    assert [each.id for each in await store.handles_of(later)] == [made.id]


async def test_somebody_elses_handle_is_simply_not_there(store: Store) -> None:
    turn = await begin(store)
    made = await store.add_handle(
        OWNER,
        ArtifactKind.IMAGE,
        turn.conversation_id,
        1,
        now=100,
        facts={"path": "/images/cat.jpg"},
    )

    assert await store.handle("thief", made.id) is None
    assert await store.handles("thief", "image", limit=9) == []
    assert await store.count_handles("thief", "image") == 0


async def test_images_are_listed_newest_first_and_found_by_their_prompt(store: Store) -> None:
    turn = await begin(store, prompt="A red CAFÉ")
    other = await begin(store, prompt="a blue house")
    for now, each in ((100, turn), (101, other)):
        await store.add_handle(
            OWNER, ArtifactKind.IMAGE, each.conversation_id, 1, now=now, facts={"path": "x.jpg"}
        )

    listed = await store.handles(OWNER, "image", limit=9)
    found = await store.handles(OWNER, "image", query="café", limit=9)

    assert [each.prompt for each in listed] == ["a blue house", "A red CAFÉ"]
    assert [each.prompt for each in found] == ["A red CAFÉ"]
    assert await store.count_handles(OWNER, "image", "café") == 1
    assert await store.handles(OWNER, "research", limit=9) == []


async def test_a_deleted_conversation_names_the_files_it_had(store: Store) -> None:
    turn = await begin(store)
    await store.add_handle(
        OWNER,
        ArtifactKind.IMAGE,
        turn.conversation_id,
        1,
        now=100,
        facts={"path": "/images/cat.jpg"},
    )
    await store.finish(turn, status="completed", now=101, extra={"path": "/research/report.md"})

    deleted = await store.delete_conversation(OWNER, turn.conversation_id)

    assert deleted == Deleted(1, 1, (), ("/images/cat.jpg", "/research/report.md"))
    assert await store.count_handles(OWNER, "image") == 0


async def test_what_a_running_turn_does_is_told_only_by_its_holder(store: Store) -> None:
    turn = await begin(store)

    assert await store.remark(turn, {"doing": "Searching"}, holder=turn.lease_holder)
    assert not await store.remark(turn, {"doing": "Lying"}, holder="somebody else")

    seen = await store.turn(OWNER, turn.conversation_id, 1)
    assert seen is not None
    assert seen.extra["doing"] == "Searching"


async def test_an_upload_is_used_again_until_google_forgets_it(store: Store) -> None:
    uploaded = UploadedFile("files/abc", "https://example.com/files/abc", "text/plain")
    await store.add_upload(OWNER, "0123", uploaded, until=200)

    assert await store.upload(OWNER, "0123", now=199) == uploaded
    assert await store.upload(OWNER, "0123", now=200) is None
    assert await store.upload("thief", "0123", now=199) is None

    again = UploadedFile("files/def", "https://example.com/files/def", "text/plain")
    await store.add_upload(OWNER, "0123", again, until=400)

    assert await store.upload(OWNER, "0123", now=300) == again
