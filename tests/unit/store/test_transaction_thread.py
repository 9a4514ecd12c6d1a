"""Transactions that wait for the database together are committed together."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import anyio
import pytest

from gemini_interactions.store.databases.database import Database, Transaction, TryAgain
from gemini_interactions.store.databases.sqlite import SQLite
from gemini_interactions.store.databases.transaction_thread import TransactionThread

Work = Callable[[Transaction], object]


class Counting(SQLite):
    """SQLite in memory that counts its transactions and can fail one of them at its end."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.began = 0
        self.fails: list[Exception] = []

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Transaction]:
        self.began += 1
        with super().transaction(writes=writes) as transaction:
            yield transaction
            if self.fails:
                raise self.fails.pop()


@pytest.fixture
async def database() -> AsyncIterator[Counting]:
    database = Counting()
    with database.transaction(writes=True) as transaction:
        transaction.change("CREATE TABLE numbers (number BIGINT PRIMARY KEY)")
    database.began = 0
    yield database
    database.close()


def insert(number: int) -> Work:
    return lambda transaction: transaction.change(
        "INSERT INTO numbers (number) VALUES (%s)", (number,)
    )


def refuse(transaction: Transaction) -> None:
    insert(99)(transaction)
    raise ValueError("refused")


def numbers(database: Database) -> set[int]:
    with database.transaction(writes=False) as transaction:
        return {row["number"] for row in transaction.execute("SELECT number FROM numbers")}


async def run_together(database: Counting, *works: Work) -> list[BaseException | None]:
    """Run so many transactions that all wait while the thread is held; the problem of each."""
    thread = TransactionThread(database)
    problems: list[BaseException | None] = [None] * len(works)
    is_held, go = threading.Event(), threading.Event()

    def hold() -> None:
        is_held.set()
        go.wait(60)

    async def run(number: int, work: Work) -> None:
        try:
            await thread.run(work, writes=True)
        except Exception as problem:
            problems[number] = problem

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(thread.call, hold)
        await anyio.to_thread.run_sync(is_held.wait)
        for number, work in enumerate(works):
            tasks.start_soon(run, number, work)
        await anyio.wait_all_tasks_blocked()
        go.set()
    await thread.close()
    return problems


async def test_what_waits_together_is_one_transaction(database: Counting) -> None:
    problems = await run_together(database, insert(1), insert(2), insert(3))

    assert problems == [None, None, None]
    assert database.began == 1
    assert numbers(database) == {1, 2, 3}


async def test_work_that_fails_leaves_nothing_and_stops_nobody(database: Counting) -> None:
    problems = await run_together(database, insert(1), refuse, insert(3))

    assert [type(problem) for problem in problems] == [type(None), ValueError, type(None)]
    assert numbers(database) == {1, 3}


async def test_a_commit_that_surely_did_not_happen_is_tried_again(database: Counting) -> None:
    database.fails = [TryAgain("once more")]

    assert await run_together(database, insert(1), insert(2)) == [None, None]
    assert numbers(database) == {1, 2}


async def test_a_commit_of_unknown_outcome_is_everybodys_problem(database: Counting) -> None:
    database.fails = [OSError("the disk is gone")]

    problems = await run_together(database, insert(1), insert(2))

    assert [type(problem) for problem in problems] == [OSError, OSError]
    assert numbers(database) == set()
