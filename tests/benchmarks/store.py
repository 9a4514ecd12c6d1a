"""A store that has grown: 1,000, 100,000 and 1,000,000 turns, on SQLite and PostgreSQL.

What is timed is the store's part of a `gemini_continue` and of the first page of
`gemini_history`, as the product makes its transactions: the rest of a call does not grow. Ten turns
a conversation, all of one owner. The first thousand are written one by one and then copied under
other ids, for a million would take an hour; texts are short. The three stores take turns.
PostgreSQL is a server of its own; without it only SQLite is measured.
"""

# ruff: noqa: S608 - only names of tables and columns are put into SQL.

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from gemini_interactions.app import App
from gemini_interactions.bridge.requests import AskRequest, Caller
from gemini_interactions.config.settings import Config
from gemini_interactions.domain.types import TurnSettings
from gemini_interactions.store import Store
from gemini_interactions.store.databases.database import Transaction
from tests.benchmarks.calls import emulator_elsewhere
from tests.benchmarks.report import Measurement
from tests.support import postgres

SIZES = (1_000, 100_000, 1_000_000)
TURNS_EACH = 10
BUDGET = 1.5
SEARCH = "history with a query that nothing matches"
TIMES = {"continue": 100, "history": 200, "ask, then delete": 50, SEARCH: 3}
WARM = 2
OWNER = "local"
TABLES = {
    "conversations": ("id",),
    "turns": ("conversation_id", "interaction_id", "session", "fingerprint"),
    "words": ("conversation_id",),
}
"""What is copied, and the columns that differ in each copy; the first names the conversation."""

Work = Callable[[], Coroutine[Any, Any, Any]]


def run() -> list[Measurement]:
    os.environ["GEMINI_API_KEY"] = "benchmark"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="store-", dir="/tmp")))
        google = stack.enter_context(emulator_elsewhere())
        server = stack.enter_context(postgres.running())
        rows: list[Measurement] = []
        for kind in ("SQLite", "PostgreSQL") if server else ("SQLite",):
            configs = {}
            for size in SIZES:
                here = f"{folder}/{kind}-{size}"
                environ = {
                    "GEMINI_API_KEY": "benchmark",
                    "GOOGLE_GEMINI_BASE_URL": google,
                    "GEMINI_MCP_DATA_DIR": here,
                    "GEMINI_MCP_DATABASE_URL": new_database(server, f"turns_{size}")
                    if server and kind == "PostgreSQL"
                    else f"sqlite:///{here}.db",
                }
                configs[size] = Config.read(environ)
            rows += anyio.run(_grown, kind, configs)
        return rows


async def _grown(kind: str, configs: dict[int, Config]) -> list[Measurement]:
    """The store's part of each work, in stores of each size, which take turns."""
    for size, config in configs.items():
        await _fill(config.database_url, size)
    samples: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        apps = {
            size: await stack.enter_async_context(App(config).running())
            for size, config in configs.items()
        }
        works = {size: await _works(app) for size, app in apps.items()}
        for what, times in TIMES.items():
            for number in range(times + WARM):
                for size, (spent, of_app) in works.items():
                    spent[0] = 0.0
                    await of_app[what]()
                    if number >= WARM:
                        samples.setdefault((what, size), []).append(spent[0])
    least = SIZES[0]
    return [
        Measurement(
            f"{what}, {kind}, {size:,} turns against {least:,}",
            "ms",
            median(samples[what, size]),
            inf if what == SEARCH else BUDGET,
            median(samples[what, least]),
            f"medians, n={times}",
        )
        for what, times in TIMES.items()
        for size in SIZES[1:]
    ]


async def _works(app: App) -> tuple[list[float], dict[str, Work]]:
    """What is timed; the one number before it grows by the milliseconds spent in the store."""
    conversations = await app.conversations()
    assert app._components is not None
    store: Any = app._components.store
    run, spent = store._run, [0.0]

    async def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return await run(*arguments)
        finally:
            spent[0] += (time.perf_counter() - began) * 1000

    store._run = timed
    asked = await conversations.ask(Caller(), AskRequest("Hello."))
    id = asked.turn.conversation_id

    async def go_on() -> None:
        reply = await conversations.follow(Caller(), AskRequest("And?"), id)
        assert reply.turn.status == "completed", reply.turn.error

    async def list_first() -> None:
        assert (await conversations.history(Caller(), "", 20, 0)).lines

    async def delete() -> None:
        asked = await conversations.ask(Caller(), AskRequest("Hello again."))
        await store.delete_conversation(OWNER, asked.turn.conversation_id)

    async def search() -> None:
        await conversations.history(Caller(), "no such words", 20, 0)

    works: dict[str, Work] = {"continue": go_on, "history": list_first, SEARCH: search}
    return spent, works | {"ask, then delete": delete}


async def _fill(url: str, size: int) -> None:
    store = await Store.open(url)
    least = SIZES[0]
    first = [await _conversation(store, number) for number in range(least // TURNS_EACH)]
    if size > least:
        await _copy(store, first, range(1, size // least))
    await store.close()
    _tidy(url)


async def _conversation(store: Store, number: int) -> str:
    now = float(number * TURNS_EACH)
    how: dict[str, Any] = {
        "settings": TurnSettings(model="gemini-3.8-flash"),
        "holder": "bench",
        "session": f"s{number}",
        "lease_until": now + 30,
    }
    turn = await store.begin(
        OWNER, prompt=f"Question {number}", kind="ask", fingerprint="f1", now=now, **how
    )
    for n in range(1, TURNS_EACH + 1):
        if n > 1:
            following = await store.follow(
                OWNER,
                turn.conversation_id,
                prompt="And?",
                kind="continue",
                fingerprint=f"f{n}",
                now=now + n,
                **how,
            )
            assert following is not None
            turn = following
        await store.finish(
            turn,
            status="completed",
            now=now + n,
            text=f"Answer {n}",
            steps=[{"type": "model_output", "content": [{"type": "text", "text": f"Answer {n}"}]}],
            interaction_id=f"v1_{turn.conversation_id}_{n}",
            is_read=True,
        )
    return turn.conversation_id


async def _copy(store: Store, conversations: list[str], numbers: range) -> None:
    """Copies of these conversations under other ids, one for each number."""

    def copy(t: Transaction) -> None:
        for table, others in TABLES.items():
            (row,) = t.execute(f"SELECT * FROM {table} LIMIT 1")
            same = [name for name in row if name not in others]
            places = ", ".join("%s" for _ in conversations)
            t.change(
                "WITH RECURSIVE numbers (number) AS (SELECT CAST(%s AS INTEGER) "
                "UNION ALL SELECT number + 1 FROM numbers WHERE number < %s) "
                f"INSERT INTO {table} ({', '.join([*others, *same])}) "
                f"SELECT {', '.join(f'{name} || %s || number' for name in others)}, "
                f"{', '.join(same)} FROM {table}, numbers "
                f"WHERE {others[0]} IN ({places}) ORDER BY number, {others[0]}",
                (numbers[0], numbers[-1], *("-" for _ in others), *conversations),
            )

    await store._write(copy)


def _tidy(url: str) -> None:
    """As PostgreSQL does by itself in time, which the one of the tests does not."""
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("VACUUM ANALYZE")


# PostgreSQL


def new_database(server: postgres.Postgres, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)
