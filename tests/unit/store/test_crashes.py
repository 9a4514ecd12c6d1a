"""What a transaction leaves behind when it is broken off at any of its statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from gemini_interactions.domain.types import Turn, Usage
from gemini_interactions.store import Store
from gemini_interactions.store.databases.database import Database, Row, Transaction, Value
from gemini_interactions.store.databases.database_url import open_database
from tests.support.factories import OWNER, USUAL, begin, follow, reload


class Crash(BaseException):
    """The process ends here."""


class CrashingDatabase:
    """A database whose transactions crash before the statement (or COMMIT) they are told."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.workers = database.workers
        self.left: int | None = None

    def count(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Crash
            self.left -= 1

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Transaction]:
        with self.database.transaction(writes=writes) as transaction:
            yield CountingTransaction(self, transaction)
            if writes:
                self.count()

    def claim_schema(self, transaction: Transaction) -> bool:
        return self.database.claim_schema(transaction)

    def is_in_place(self) -> bool:
        return self.database.is_in_place()

    def close(self) -> None:
        self.database.close()


class CountingTransaction:
    def __init__(self, fragile: CrashingDatabase, transaction: Transaction) -> None:
        self.fragile = fragile
        self.transaction = transaction

    def clock(self, now: float) -> float:
        return self.transaction.clock(now)

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        self.fragile.count()
        return self.transaction.execute(sql, parameters)

    def change(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        self.fragile.count()
        return self.transaction.change(sql, parameters)


@pytest.fixture
def fragile(url: str) -> CrashingDatabase:
    return CrashingDatabase(open_database(url))


@pytest.fixture
async def store(fragile: CrashingDatabase) -> AsyncIterator[Store]:
    store = Store(fragile)
    yield store
    await store.close()


async def begin_step(store: Store, turn: Turn) -> object:
    return await begin(store)


async def follow_step(store: Store, turn: Turn) -> object:
    return await store.follow(OWNER, turn.conversation_id, **USUAL)


async def finish_step(store: Store, turn: Turn) -> object:
    return await store.finish(turn, status="completed", now=900, text="done", usage=Usage(1))


async def delete_step(store: Store, turn: Turn) -> object:
    return await store.delete_conversation(OWNER, turn.conversation_id)


async def all_reads(store: Store, turn: Turn) -> object:
    return (
        await store.conversations(OWNER, limit=9),
        await store.conversations(OWNER, query="sky", limit=9),
        await store.conversations(OWNER, query="done", limit=9),
        await store.turns(OWNER, turn.conversation_id),
        await store.conversation(OWNER, turn.conversation_id),
        await store.current(OWNER, "s"),
    )


@pytest.mark.parametrize("step", [begin_step, follow_step, finish_step, delete_step])
async def test_a_step_broken_off_anywhere_never_happened(
    store: Store, fragile: CrashingDatabase, step: Callable[[Store, Turn], Awaitable[object]]
) -> None:
    turn = await begin(store)
    await follow(store, turn)
    await store.set_current(OWNER, "s", 100, turn.conversation_id)
    before = await all_reads(store, turn)

    crashes = 0
    while True:
        fragile.left = crashes
        try:
            await step(store, turn)
        except Crash:
            crashes += 1
            fragile.left = None
            assert await all_reads(store, turn) == before
        else:
            break

    fragile.left = None
    assert crashes >= 3
    assert await all_reads(store, turn) != before


async def test_a_database_goes_on_after_a_broken_transaction(
    store: Store, fragile: CrashingDatabase
) -> None:
    fragile.left = 1
    with pytest.raises(Crash):
        await begin(store)
    fragile.left = None

    turn = await begin(store)

    assert await reload(store, turn) == turn
    await store.check()
