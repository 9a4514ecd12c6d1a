from __future__ import annotations

import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from gemini_interactions.store import Store, StoreError
from gemini_interactions.store.databases import postgres
from gemini_interactions.store.databases.database import run
from gemini_interactions.store.databases.database_url import open_database
from tests.support.factories import OWNER, begin, follow, reload

psycopg = pytest.importorskip("psycopg")

pytestmark = pytest.mark.postgres


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    store = await Store.open(postgres_url)
    yield store
    await store.close()


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Any]:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        yield admin


def cut_all(admin: Any) -> int:
    """End every other connection, as a restart of the server does."""
    ended = admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ).fetchall()
    return len(ended)


async def test_connections_that_died_meanwhile_are_replaced_unnoticed(
    store: Store, admin: Any
) -> None:
    turn = await begin(store)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(follow, store, turn)
    assert cut_all(admin) >= 2

    twelfth = await follow(store, turn)

    assert twelfth.n == 12
    assert await store.count_conversations(OWNER) == 1


class CommitBreaker:
    """Breaks the connection around the next COMMIT, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.breaks: Callable[[Any, Callable[[], None]], None] | None = None
        real = psycopg.Connection.commit

        def commit(connection: Any) -> None:
            breaks, self.breaks = self.breaks, None
            if breaks is None:
                real(connection)
            else:
                breaks(connection, lambda: real(connection))

        monkeypatch.setattr(psycopg.Connection, "commit", commit)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> CommitBreaker:
    return CommitBreaker(monkeypatch)


def before_it_arrives(connection: Any, commit: Callable[[], None]) -> None:
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


def after_it_was_done(connection: Any, commit: Callable[[], None]) -> None:
    commit()
    connection.close()
    raise psycopg.OperationalError("the connection is lost")


@pytest.mark.parametrize("when", [before_it_arrives, after_it_was_done])
async def test_a_commit_without_an_answer_leaves_one_turn_and_never_two(
    store: Store, commits: CommitBreaker, when: Callable[[Any, Callable[[], None]], None]
) -> None:
    commits.breaks = when
    first = await begin(store)
    commits.breaks = when
    second = await follow(store, first)

    assert second.n == 2
    assert await store.turns(OWNER, first.conversation_id) == [first, second]
    assert await store.count_conversations(OWNER) == 1


@pytest.mark.parametrize("when", [before_it_arrives, after_it_was_done])
async def test_a_commit_without_an_answer_still_tells_who_won(
    store: Store, commits: CommitBreaker, when: Callable[[Any, Callable[[], None]], None]
) -> None:
    await begin(store, lease_until=100)
    (turn,) = await store.expired(130, 9)

    commits.breaks = when
    assert await store.take_over(turn, "process 2", 160)
    commits.breaks = when
    assert await store.finish(turn, status="completed", now=140)
    assert (await reload(store, turn)).finished == 140


async def test_a_commit_whose_fate_cannot_be_learnt_is_not_repeated(
    store: Store, commits: CommitBreaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_good(connection: Any, commit: Callable[[], None]) -> None:
        monkeypatch.setattr(postgres.Postgres, "_connection", no_more)
        after_it_was_done(connection, commit)

    def no_more(database: postgres.Postgres) -> None:
        raise StoreError(postgres.SILENT)

    commits.breaks = for_good
    with pytest.raises(StoreError, match="whether the last step was kept is not known"):
        await begin(store)

    monkeypatch.undo()
    assert await store.count_conversations(OWNER) == 1


async def test_a_read_whose_end_is_lost_has_still_been_read(
    store: Store, commits: CommitBreaker
) -> None:
    turn = await begin(store)

    commits.breaks = before_it_arrives
    assert await reload(store, turn) == turn


def test_a_deadlock_is_tried_once_more_and_a_mistake_is_not(postgres_url: str) -> None:
    database = open_database(postgres_url)
    tries = []

    def unlucky(t: Any) -> str:
        tries.append("unlucky")
        if len(tries) == 1:
            raise psycopg.errors.DeadlockDetected
        return "done"

    def bad_sql(t: Any) -> None:
        tries.append("wrong")
        t.execute("SELECT nonsense")

    assert run(database, unlucky, writes=True) == "done"
    with pytest.raises(psycopg.errors.UndefinedColumn):
        run(database, bad_sql, writes=True)
    assert tries == ["unlucky", "unlucky", "wrong"]
    database.close()


def test_a_transaction_that_only_reads_cannot_write(postgres_url: str) -> None:
    database = open_database(postgres_url)

    with pytest.raises(StoreError), database.transaction(writes=False) as transaction:
        transaction.change("DELETE FROM turns")

    database.close()


def test_a_database_that_does_not_answer_is_named_by_its_setting_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 0.05)

    with pytest.raises(StoreError, match="does not answer") as refused:
        open_database("postgresql://me:secret@127.0.0.1:1/name")

    assert "secret" not in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_an_url_psycopg_cannot_read_is_refused_without_repeating_it() -> None:
    with pytest.raises(StoreError, match="not understood") as refused:
        open_database("postgresql://me:secret@host:port/name?nonsense=1")

    assert "secret" not in str(refused.value)


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StoreError, match=r"install gemini-interactions-mcp\[postgres\]"):
        open_database("postgresql://host/name")


def test_a_database_that_is_not_unicode_is_refused(postgres_url: str, admin: Any) -> None:
    admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")

    with pytest.raises(StoreError, match="UTF-8"):
        open_database(re.sub(r"test_\d+", "latin", postgres_url))
    admin.execute("DROP DATABASE latin WITH (FORCE)")


def test_a_user_who_may_not_create_tables_is_told_so(postgres_url: str, admin: Any) -> None:
    admin.execute("CREATE ROLE guest LOGIN")

    with pytest.raises(StoreError, match="may not create"):
        open_database(postgres_url.replace("postgres@", "guest@"))
    admin.execute("DROP ROLE guest")


def test_a_user_who_may_not_create_tables_can_use_those_that_are_there(
    postgres_url: str, admin: Any
) -> None:
    open_database(postgres_url).close()
    admin.execute("CREATE ROLE guest LOGIN")
    admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest")

    open_database(postgres_url.replace("postgres@", "guest@")).close()

    admin.execute("DROP OWNED BY guest")
    admin.execute("DROP ROLE guest")


async def test_a_pool_serves_more_callers_than_it_has_connections(store: Store) -> None:
    turn = await begin(store)

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(follow, store, turn)

    assert len(await store.turns(OWNER, turn.conversation_id)) == 41


async def test_the_databases_clock_decides_about_leases(postgres_url: str) -> None:
    """A replica whose clock is a minute ahead, and one whose clock is a minute behind."""
    store = await Store.open(postgres_url)
    try:
        real = time.time()
        ahead = await begin(store, now=real + 60, lease_until=real + 90)
        behind = await begin(store, now=real - 60, lease_until=real - 30)

        assert await store.expired(real + 60, 9) == await store.expired(real - 60, 9) == []
        for turn in (ahead, behind):
            assert not await store.is_expired(turn, real + 60)
            assert (await reload(store, turn)).lease_until == pytest.approx(real + 30, abs=20)
        assert await store.renew("process 1", real + 90, real + 60) == 2
        assert (await reload(store, ahead)).lease_until == pytest.approx(real + 30, abs=20)
    finally:
        await store.close()
