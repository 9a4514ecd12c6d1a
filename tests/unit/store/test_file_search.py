"""Stores of documents made here, who may search them, and what is in them."""

from __future__ import annotations

import anyio

from gemini_interactions.domain.file_search import KnownStore, StoredDocument
from gemini_interactions.store import Store
from gemini_interactions.store.resource_owners import EVERYONE

DOCS, NOTES = "fileSearchStores/docs-x1", "fileSearchStores/notes-x2"


async def two_stores(store: Store) -> None:
    assert await store.file_search.add(NOTES, "notes", 100)
    assert await store.file_search.add(DOCS, "docs", 101)


def document(path: str, version: int = 1) -> StoredDocument:
    return StoredDocument(f"{DOCS}/documents/{path}-{version}", path, f"hash {version}")


async def test_stores_are_listed_by_their_short_names(store: Store) -> None:
    await two_stores(store)

    assert await store.file_search.all() == [
        KnownStore(DOCS, "docs", 101, 101),
        KnownStore(NOTES, "notes", 100, 100),
    ]


async def test_neither_name_of_a_store_is_given_twice(store: Store) -> None:
    await two_stores(store)

    assert not await store.file_search.add("fileSearchStores/other", "docs", 200)
    assert not await store.file_search.add(DOCS, "other", 200)
    assert await store.file_search.all() == [
        KnownStore(DOCS, "docs", 101, 101),
        KnownStore(NOTES, "notes", 100, 100),
    ]


async def test_of_many_who_make_the_same_store_at_once_one_does(store: Store) -> None:
    made: list[bool] = []

    async def make(number: int) -> None:
        made.append(await store.file_search.add(f"fileSearchStores/{number}", "docs", 100))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(make, number)

    assert sorted(made) == [False] * 7 + [True]
    assert len(await store.file_search.all()) == 1


async def test_an_owner_searches_what_was_given_to_them_or_to_all(store: Store) -> None:
    await two_stores(store)
    await store.names.grant("ann", "store", DOCS, 100)
    await store.names.grant(EVERYONE, "store", NOTES, 100)
    await store.names.grant("ann", "store", "fileSearchStores/unknown", 100)
    await store.names.grant("bob", "agent", DOCS, 100)
    notes = {"notes": NOTES, NOTES: NOTES}

    assert await store.file_search.usable("ann") == {"docs": DOCS, DOCS: DOCS, **notes}
    assert await store.file_search.usable("bob") == notes


async def test_use_is_remembered_of_the_stores_it_was_of(store: Store) -> None:
    await two_stores(store)

    await store.file_search.use([DOCS, "fileSearchStores/unknown"], 500)
    await store.file_search.use([], 600)

    assert {each.short_name: each.used for each in await store.file_search.all()} == {
        "docs": 500,
        "notes": 100,
    }


async def test_a_document_is_known_by_the_path_it_came_from(store: Store) -> None:
    await two_stores(store)
    for path in ("a.md", "dir/ä 😀.md"):
        await store.file_search.put_document(DOCS, document(path), 2**40, 100)
    await store.file_search.put_document(NOTES, document("a.md", 9), 1, 100)

    await store.file_search.put_document(DOCS, document("a.md", 2), 5, 200)
    await store.file_search.drop_document(DOCS, "unknown.md")

    assert await store.file_search.documents(DOCS) == {
        "a.md": document("a.md", 2),
        "dir/ä 😀.md": document("dir/ä 😀.md"),
    }
    await store.file_search.drop_document(DOCS, "a.md")
    assert list(await store.file_search.documents(DOCS)) == ["dir/ä 😀.md"]
    assert await store.file_search.documents(NOTES) == {"a.md": document("a.md", 9)}


async def test_a_store_is_forgotten_with_its_documents_and_its_owners(store: Store) -> None:
    await two_stores(store)
    for name in (DOCS, NOTES):
        await store.names.grant("ann", "store", name, 100)
        await store.file_search.put_document(name, document("a.md"), 5, 100)

    await store.file_search.forget(DOCS)

    assert [each.name for each in await store.file_search.all()] == [NOTES]
    assert await store.file_search.documents(DOCS) == {}
    assert await store.names.holders("store") == {NOTES: ["ann"]}
    assert list(await store.file_search.documents(NOTES)) == ["a.md"]
    assert await store.file_search.add("fileSearchStores/docs-x9", "docs", 300)
