"""PostgreSQL behind PgBouncer in transaction mode, whose connections others use too."""

from __future__ import annotations

import anyio
import psycopg
import pytest

from gemini_interactions.store import Store
from tests.support.factories import begin
from tests.support.pgbouncer import pgbouncer, url_through

pytestmark = pytest.mark.postgres


async def test_many_transactions_share_two_connections_and_leave_nothing_on_them(
    postgres_server: str, postgres_url: str
) -> None:
    with pgbouncer(postgres_server, 2) as folder:
        url = url_through(folder, postgres_url)
        store = await Store.open(url)
        other = await Store.open(url)
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(begin, (store, other)[number % 2], "ann")
        count = await store.count_conversations("ann")
        left = []
        for _ in range(4):
            with psycopg.connect(url, autocommit=True) as theirs:
                for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    left.append(theirs.execute(f"SHOW {name}".encode()).fetchone())
        await store.close()
        await other.close()

    assert count == 20
    assert set(left) == {("0",)}


async def test_our_own_transactions_are_limited(postgres_server: str, postgres_url: str) -> None:
    with pgbouncer(postgres_server, 1) as folder:
        store = await Store.open(url_through(folder, postgres_url))
        read = await store._read(lambda t: t.execute("SHOW statement_timeout"))
        written = await store._write(lambda t: t.execute("SHOW statement_timeout"))
        await store.close()

    assert [dict(*read), dict(*written)] == [{"statement_timeout": "30s"}] * 2
