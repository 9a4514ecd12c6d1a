from __future__ import annotations

import anyio

from gemini_interactions.domain.types import Usage
from gemini_interactions.store import Spent, Store
from tests.support.factories import OWNER, begin


async def test_use_adds_up_by_owner_day_and_model(store: Store) -> None:
    await store.add_usage(OWNER, "2026-11-22", "flash", Usage(1, 2, 3, 4, 5, 6), 0.25)
    await store.add_usage(OWNER, "2026-11-22", "flash", Usage(10, 20, 30, 40, 50, 60), 0.5)
    await store.add_usage(OWNER, "2026-11-22", "pro", Usage(total=1), 1.0)
    await store.add_usage(OWNER, "2026-11-23", "flash", Usage(total=2), 1.0)
    await store.add_usage("somebody else", "2026-11-22", "flash", Usage(total=9), 9.0)

    flash = Spent("2026-11-22", "flash", 2, Usage(11, 22, 33, 44, 55, 66), 0.75)
    pro = Spent("2026-11-22", "pro", 1, Usage(total=1), 1.0)
    later = Spent("2026-11-23", "flash", 1, Usage(total=2), 1.0)
    assert await store.usage(OWNER, "2026-11-22") == [flash, pro]
    assert await store.usage_between(OWNER, "2026-11-01", "2026-11-30") == [flash, pro, later]
    assert await store.usage(OWNER, "2026-11-24") == []


async def test_a_model_without_a_price_has_tokens_only(store: Store) -> None:
    await store.add_usage(OWNER, "2026-11-22", "new", Usage(total=1), None)
    await store.add_usage(OWNER, "2026-11-22", "new", Usage(total=1), None)
    assert (await store.usage(OWNER, "2026-11-22"))[0].usd is None

    await store.add_usage(OWNER, "2026-11-22", "new", Usage(total=1), 0.5)
    await store.add_usage(OWNER, "2026-11-22", "new", Usage(total=1), None)
    assert (await store.usage(OWNER, "2026-11-22"))[0] == Spent(
        "2026-11-22", "new", 4, Usage(total=4), 0.5
    )


async def test_use_counted_at_once_is_all_counted_however_much_it_is(store: Store) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(
                store.add_usage, OWNER, "2026-11-22", "flash", Usage(total=2**40), 0.25
            )

    (spent,) = await store.usage(OWNER, "2026-11-22")
    assert (spent.calls, spent.usage.total, spent.usd) == (10, 10 * 2**40, 2.5)


async def test_a_name_belongs_to_whoever_created_it(store: Store) -> None:
    await store.add_name(OWNER, "file", "files/abc", 100)
    await store.add_name(OWNER, "file", "files/abc", 101)
    await store.add_name("somebody else", "file", "files/theirs", 100)

    assert await store.owns_name(OWNER, "files/abc")
    assert not await store.owns_name(OWNER, "files/theirs")
    assert not await store.owns_name("somebody else", "files/abc")
    assert not await store.owns_name(OWNER, "")


async def test_an_interaction_made_here_is_its_owners_name_too(store: Store) -> None:
    turn = await begin(store)
    await store.named(turn, "v1_abc", holder="process 1")

    assert await store.owns_name(OWNER, "v1_abc")
    assert not await store.owns_name("somebody else", "v1_abc")
