"""Which owners may use which agents and stores of documents."""

from __future__ import annotations

import anyio
import pytest

from gemini_interactions.store import Store
from gemini_interactions.store.resource_owners import EVERYONE

KINDS = ["agent", "store"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_given_to_nobody_is_nobodys(store: Store, kind: str) -> None:
    assert await store.names.granted("ann", kind) == set()
    assert await store.names.granted(EVERYONE, kind) == set()
    assert await store.names.holders(kind) == {}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_owner_may_use_their_own_names_and_everybodys(store: Store, kind: str) -> None:
    await store.names.grant("ann", kind, "hers", 100)
    await store.names.grant("bob", kind, "his", 101)
    await store.names.grant(EVERYONE, kind, "public", 102)

    assert await store.names.granted("ann", kind) == {"hers", "public"}
    assert await store.names.granted("bob", kind) == {"his", "public"}
    assert await store.names.granted("eve", kind) == {"public"}
    assert await store.names.granted(EVERYONE, kind) == {"public"}


async def test_a_name_of_one_kind_is_none_of_the_other(store: Store) -> None:
    await store.names.grant("ann", "agent", "reviewer", 100)
    await store.names.grant("ann", "store", "fileSearchStores/docs", 100)

    assert await store.names.granted("ann", "agent") == {"reviewer"}
    assert await store.names.granted("ann", "store") == {"fileSearchStores/docs"}
    assert await store.names.holders("agent") == {"reviewer": ["ann"]}


async def test_given_again_it_is_given_once(store: Store) -> None:
    async with anyio.create_task_group() as tasks:
        for now in range(10):
            tasks.start_soon(store.names.grant, "ann", "agent", "reviewer", now)

    assert await store.names.holders("agent") == {"reviewer": ["ann"]}


async def test_holders_are_listed_by_name_in_order(store: Store) -> None:
    for owner, name in (("bob", "b"), (EVERYONE, "a"), ("ann", "b"), ("ann", "a")):
        await store.names.grant(owner, "agent", name, 100)

    holders = await store.names.holders("agent")

    assert list(holders.items()) == [("a", ["", "ann"]), ("b", ["ann", "bob"])]


async def test_a_name_that_is_forgotten_is_gone_for_all_its_owners(store: Store) -> None:
    for owner in ("ann", "bob", EVERYONE):
        await store.names.grant(owner, "agent", "reviewer", 100)
    await store.names.grant("ann", "agent", "writer", 100)

    await store.names.forget("agent", "reviewer")
    await store.names.forget("store", "writer")
    await store.names.forget("agent", "unknown")

    assert await store.names.holders("agent") == {"writer": ["ann"]}


@pytest.mark.parametrize("owner", ["%", "_nn", "an", "ANN", "ann ", "ann'--"])
async def test_an_owner_is_matched_literally(store: Store, owner: str) -> None:
    await store.names.grant("ann", "agent", "reviewer", 100)

    assert await store.names.granted(owner, "agent") == set()
