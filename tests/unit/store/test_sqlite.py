from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from gemini_interactions.store import Store, StoreError
from gemini_interactions.store.databases import sqlite
from gemini_interactions.store.databases.database_url import open_database
from gemini_interactions.store.databases.sqlite import SQLite
from tests.support.factories import OWNER, begin, reload


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "gemini.db"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in folder.iterdir()}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
async def test_the_folder_and_every_file_in_it_are_for_this_user_only(
    file: Path, mask: int
) -> None:
    with umask(mask):
        store = await Store.open(f"sqlite:///{file}")
        await begin(store)

    assert modes(file.parent) == {
        "gemini.db": 0o600,
        "gemini.db-wal": 0o600,
        "gemini.db-shm": 0o600,
    }
    assert mode(file.parent) == mode(file.parent.parent) == 0o700
    await store.close()


def test_a_file_others_could_read_is_closed_to_them_and_a_folder_left_alone(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gemini.db"
    file.touch()
    file.chmod(0o666)
    tmp_path.chmod(0o755)

    open_database(f"sqlite:///{file}").close()

    assert mode(file) == 0o600
    assert mode(tmp_path) == 0o755


async def test_what_was_stored_is_there_after_a_restart(file: Path) -> None:
    store = await Store.open(f"sqlite:///{file}")
    turn = await begin(store)
    await store.close()

    store = await Store.open(f"sqlite:///{file}")

    assert await reload(store, turn) == turn
    await store.close()


async def test_two_stores_of_one_process_share_a_file(file: Path) -> None:
    one = await Store.open(f"sqlite:///{file}")
    other = await Store.open(f"sqlite:///{file}")

    turn = await begin(one)
    await other.finish(turn, status="completed", now=101, text="done")

    assert (await reload(one, turn)).text == "done"
    await other.close()
    assert (await reload(one, turn)).text == "done"
    await one.close()


async def test_a_database_in_memory_is_as_good_until_it_is_closed() -> None:
    store = await Store.open("sqlite:///:memory:")
    turn = await begin(store)

    assert await reload(store, turn) == turn
    assert ":memory:" not in os.listdir()
    await store.close()


@pytest.mark.parametrize("content", [b"This is no database. " * 500, b"SQLite format 3\x00" * 99])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "gemini.db"
    file.write_bytes(content)

    with pytest.raises(StoreError, match=r"damaged, or is no database") as refused:
        open_database(f"sqlite:///{file}")

    assert str(tmp_path) not in str(refused.value)
    assert file.read_bytes() == content


async def test_damage_found_later_reads_the_same(file: Path) -> None:
    store = await Store.open(f"sqlite:///{file}")
    for _ in range(50):
        await begin(store, prompt="long" * 1000)
    await store.close()
    _damage(file)

    with pytest.raises(StoreError, match=r"damaged, or is no database"):
        await _all(f"sqlite:///{file}")


def _damage(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))


async def _all(url: str) -> None:
    store = await Store.open(url)
    try:
        await store.conversations(OWNER, limit=99)
    finally:
        await store.close()


@pytest.mark.parametrize("place", ["", "file/gemini.db"])
def test_a_place_where_no_file_can_be_is_refused_without_naming_it(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    tmp_path.chmod(0o755)

    with pytest.raises(StoreError, match="cannot be opened or written") as refused:
        open_database(f"sqlite:///{tmp_path}/{place}")

    assert str(tmp_path) not in str(refused.value)
    assert mode(tmp_path) == 0o755


@pytest.fixture
def patience() -> float:
    return sqlite.PATIENCE


@pytest.fixture
def database(file: Path, patience: float, monkeypatch: pytest.MonkeyPatch) -> SQLite:
    monkeypatch.setattr(sqlite, "PATIENCE", patience)
    database = open_database(f"sqlite:///{file}")
    assert isinstance(database, SQLite)
    return database


@pytest.fixture
async def store(database: SQLite) -> AsyncIterator[Store]:
    store = Store(database)
    yield store
    await store.close()


async def a_thread_is_in(database: SQLite) -> None:
    while not database._alone.locked():
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def other(database: SQLite, file: Path) -> Iterator[sqlite3.Connection]:
    """Another process's connection."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        yield other


async def test_a_write_waits_for_another_process_and_a_read_does_not(
    file: Path, store: Store, database: SQLite, other: sqlite3.Connection
) -> None:
    reader = await Store.open(f"sqlite:///{file}")
    other.execute("BEGIN IMMEDIATE")

    async with anyio.create_task_group() as group:
        group.start_soon(begin, store)
        await a_thread_is_in(database)
        assert await reader.count_conversations(OWNER) == 0
        other.execute("COMMIT")

    assert await reader.count_conversations(OWNER) == 1
    await reader.close()


@pytest.mark.parametrize("patience", [0.01])
async def test_a_database_held_for_too_long_is_busy_and_works_again_later(
    store: Store, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="busy"):
        await begin(store)

    other.execute("ROLLBACK")
    turn = await begin(store)
    assert await reload(store, turn) == turn


def test_our_patience_is_longer_than_any_host_notices() -> None:
    assert sqlite.PATIENCE >= 5


async def test_a_caller_cancelled_while_writing_leaves_a_whole_turn(
    store: Store, database: SQLite, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")

    async with anyio.create_task_group() as group:
        group.start_soon(begin, store)
        await a_thread_is_in(database)
        group.cancel_scope.cancel()
        other.execute("COMMIT")

    (kept,) = await store.conversations(OWNER, limit=9)
    assert kept.first_prompt == "Why is the sky blue?"


async def test_a_task_cancelled_by_asyncio_itself_does_not_let_two_threads_in(
    store: Store, database: SQLite, other: sqlite3.Connection
) -> None:
    other.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(begin(store))
    await a_thread_is_in(database)
    task.cancel()
    await asyncio.wait([task])

    async with anyio.create_task_group() as group:
        group.start_soon(begin, store)
        await a_thread_is_in(database)
        other.execute("COMMIT")

    assert await store.count_conversations(OWNER) == 2


async def test_a_closed_store_says_so_loudly(store: Store) -> None:
    await store.close()

    with pytest.raises(sqlite3.ProgrammingError):
        await store.check()
