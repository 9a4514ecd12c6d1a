"""A store that has grown: 1,000, 100,000 and 1,000,000 turns, on SQLite and PostgreSQL.

What is timed is the store's part of a `gemini_continue` and of the first page of
`gemini_history`, as the product makes its transactions: the rest of a call does not grow. Ten turns
a conversation, all of one owner. The first thousand are written one by one and then copied under
other ids, for a million would take an hour; texts are short. PostgreSQL is a server of its own;
without it only SQLite is measured.
"""

# ruff: noqa: S608 - only names of tables and columns are put into SQL.

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
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
LOOKS = 100
BUDGET = 1.5
OWNER = "local"
TABLES = {
    "conversations": ("id",),
    "turns": ("conversation_id", "interaction_id", "session", "fingerprint"),
    "words": ("conversation_id",),
}
"""What is copied, and the columns that differ in each copy; the first names the conversation."""

Work = Callable[[], Coroutine[Any, Any, Any]]


def run() -> list[Measurement]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="store-", dir="/tmp")))
        google = stack.enter_context(emulator_elsewhere())
        urls = {"SQLite": f"sqlite:///{folder}/gemini.db"}
        if server := stack.enter_context(postgres_server()):
            urls["PostgreSQL"] = new_database(server, "store")
        rows: list[Measurement] = []
        for kind, url in urls.items():
            rows += anyio.run(_grown, kind, url, google, folder)
        return rows


async def _grown(kind: str, url: str, google: str, folder: Path) -> list[Measurement]:
    """Milliseconds in the store, by what is done and how many turns there are."""
    os.environ["GEMINI_API_KEY"] = "benchmark"
    environ = {
        "GEMINI_API_KEY": "benchmark",
        "GOOGLE_GEMINI_BASE_URL": google,
        "GEMINI_MCP_DATA_DIR": f"{folder}/{kind}",
        "GEMINI_MCP_DATABASE_URL": url,
    }
    store = await Store.open(url)
    first = [await _conversation(store, number) for number in range(SIZES[0] // TURNS_EACH)]
    samples: dict[str, list[list[float]]] = {}
    for before, size in zip((SIZES[0], *SIZES), SIZES, strict=False):
        copies = range(before // SIZES[0], size // SIZES[0])
        if copies:
            await _copy(store, first, copies)
            _tidy(url)
        app = App(Config.read(environ))
        async with app.running():
            for what, took in (await _timed(app)).items():
                samples.setdefault(what, []).append(took)
    await store.close()
    return [
        Measurement(
            f"{what}, {kind}, {size:,} turns against {SIZES[0]:,}",
            "ms",
            median(took),
            BUDGET if what in BUDGETED else inf,
            median(few),
            f"medians, n={len(took)}",
        )
        for what, (few, *others) in samples.items()
        for size, took in zip(SIZES[1:], others, strict=True)
    ]


BUDGETED = ("continue", "history")


async def _timed(app: App) -> dict[str, list[float]]:
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

    async def find() -> None:
        await conversations.history(Caller(), "no such words", 20, 0)

    works: dict[str, tuple[Work, int]] = {
        "continue": (go_on, LOOKS),
        "history": (list_first, LOOKS),
        "history with a query that nothing matches": (find, 3),
    }
    samples: dict[str, list[float]] = {}
    for what, (work, times) in works.items():
        samples[what] = []
        for number in range(times + times // 10):
            spent[0] = 0.0
            await work()
            if number >= times // 10:
                samples[what].append(spent[0])
    return samples


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


@contextmanager
def postgres_server() -> Iterator[postgres.Postgres | None]:
    """A server of its own in a temporary folder; None where PostgreSQL is not installed."""
    programs = postgres.programs()
    if programs is None:
        yield None
        return
    server = postgres.Postgres(programs)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def new_database(server: postgres.Postgres, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)
