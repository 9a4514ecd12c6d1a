from __future__ import annotations

import hashlib

import pytest

from gemini_interactions.store import Store, StoreError
from gemini_interactions.store.databases import migrations
from tests.support.factories import OWNER, begin, reload

RELEASED = ["8542146b9e449487"]
"""Digests of the migrations as they were released: these never change, they only get longer."""

LATER = "ALTER TABLE turns ADD COLUMN mood TEXT; UPDATE turns SET mood = 'calm';"


def test_a_released_migration_never_changes() -> None:
    digests = [hashlib.sha256(script.encode()).hexdigest() for script in migrations.MIGRATIONS]

    assert [digest[: len(RELEASED[0])] for digest in digests[: len(RELEASED)]] == RELEASED


async def test_a_database_of_an_older_version_is_brought_up_with_all_it_holds(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = await Store.open(url)
    turn = await begin(older, prompt="Kept?")
    await older.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, LATER])

    for _ in range(2):
        newer = await Store.open(url)
        assert await reload(newer, turn) == turn
        assert await newer.count_conversations(OWNER, "kept") == 1
        await newer.close()


async def test_an_older_version_still_running_goes_on_beside_a_newer_one(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = await Store.open(url)
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, LATER])
    newer = await Store.open(url)

    turn = await begin(older)

    assert await reload(newer, turn) == turn == await reload(older, turn)
    await older.close()
    await newer.close()


async def test_a_database_of_a_newer_version_is_refused_in_one_sentence(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, LATER])
        await (await Store.open(url)).close()

    with pytest.raises(StoreError, match=r"newer version .* Upgrade this one"):
        await Store.open(url)


async def test_a_migration_that_fails_leaves_everything_as_it_was(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(url)
    turn = await begin(store)
    await store.close()
    with monkeypatch.context() as broken:
        broken.setattr(
            migrations,
            "MIGRATIONS",
            [*migrations.MIGRATIONS, LATER, "CREATE TABLE halfway (n INTEGER); SELECT nonsense"],
        )
        with pytest.raises(Exception, match="nonsense"):
            await Store.open(url)

    store = await Store.open(url)
    assert await reload(store, turn) == turn
    await store.close()


@pytest.mark.parametrize("wrong", ["mysql://host/name", "gemini.db", "sqlite://gemini.db", ""])
async def test_an_url_of_another_kind_is_refused_with_the_two_that_work(wrong: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:////absolute.* or postgresql://"):
        await Store.open(wrong)
