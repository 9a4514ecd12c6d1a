"""A gateway: calls a second with one, two and four processes, and a store that has grown.

The processes share one PostgreSQL and one emulator, which runs as a process of its own and
answers at once. All of them, and the clients, share this machine's cores: beyond as many
processes as there are cores, more of them only show what sharing costs. Without PostgreSQL
the processes are not measured, and the store only with SQLite.
"""

# ruff: noqa: S608 - only names of tables and columns are put into SQL.

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import anyio
import httpx2

from gemini_interactions.domain.types import TurnSettings
from gemini_interactions.store import Store
from gemini_interactions.store.databases.database import Transaction
from tests.benchmarks.report import Measurement
from tests.benchmarks.startup import ENVELOPE, MODERN
from tests.support import postgres

CALLS = 200
AT_ONCE = 16
LOOKS = 200
FEW, MANY = 1_000, 100_000
TURNS_EACH = 10
TURN = "conversation_id"
ANY = inf  # a figure to read, without a budget
CLI = [sys.executable, "-m", "gemini_interactions"]


def run() -> list[Measurement]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp")))
        server = stack.enter_context(_postgres())
        rows = _processes(server, folder) if server else []
        urls = {"SQLite": f"sqlite:///{folder}/gemini.db"}
        if server:
            urls["PostgreSQL"] = _database(server, "store")
        for kind, url in urls.items():
            rows += anyio.run(_grown, kind, url)
        return rows


# Processes


def _processes(server: postgres.Postgres, folder: Path) -> list[Measurement]:
    rows = []
    for number in (1, 2, 4):
        with ExitStack() as stack:
            emulator = stack.enter_context(_process([*CLI, "emulator"], {}, folder))
            environ = {
                "GEMINI_API_KEY": "none-needed",
                "GOOGLE_GEMINI_BASE_URL": emulator,
                "GEMINI_MCP_DATABASE_URL": _database(server, f"calls_{number}"),
                "GEMINI_MCP_SIGNING_KEY": "one for all of them",
                "GEMINI_MCP_MAX_CONCURRENT": str(AT_ONCE),
            }
            serve = [*CLI, "serve", "--http", "127.0.0.1:0"]
            places = [
                stack.enter_context(
                    _process(
                        serve, {**environ, "GEMINI_MCP_DATA_DIR": f"{folder}/{number}-{n}"}, folder
                    )
                )
                for n in range(number)
            ]
            rows += anyio.run(_called, places)
    return rows


async def _called(places: list[str]) -> list[Measurement]:
    who = f"{len(places)} process{'es' if len(places) > 1 else ''}"
    rows = []
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        asked = [await call(http, each, "gemini_ask", prompt="Hello.") for each in places]
        told = re.search(r"c_\w+/\d+", asked[0])
        assert told, asked[0]
        kinds: dict[str, dict[str, Any]] = {
            "gemini_ask": {"prompt": "Hello."},
            "gemini_result": {"id": told[0]},
        }
        for tool, arguments in kinds.items():
            took: list[float] = []

            async def caller(first: int, tool: str, arguments: Any, took: list[float]) -> None:
                for number in range(first, CALLS, AT_ONCE):
                    began = time.perf_counter()
                    await call(http, places[number % len(places)], tool, **arguments)
                    took.append((time.perf_counter() - began) * 1000)

            began = time.perf_counter()
            async with anyio.create_task_group() as tasks:
                for first in range(AT_ONCE):
                    tasks.start_soon(caller, first, tool, arguments, took)
            seconds = time.perf_counter() - began
            note = f"p50 {median(took):,.0f} ms, p95 {quantiles(took, n=20)[18]:,.0f} ms, n={CALLS}"
            note += f", {AT_ONCE} at once"
            rows.append(Measurement(f"{tool}, {who}", "calls/s", CALLS / seconds, ANY, note=note))
    return rows


async def call(http: httpx2.AsyncClient, place: str, tool: str, **arguments: Any) -> str:
    params = {"name": tool, "arguments": arguments, "_meta": ENVELOPE}
    answer = await http.post(
        f"{place}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        },
    )
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    result = json.loads([line for line in lines if line.startswith("{")][-1])["result"]
    if result.get("isError"):
        raise RuntimeError(f"{tool} was refused: {result['content']}")
    return json.dumps(result)


@contextmanager
def _process(command: list[str], environ: dict[str, str], folder: Path) -> Iterator[str]:
    """A process, by the address it says it has."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    with tempfile.NamedTemporaryFile(dir=folder) as said:
        process = subprocess.Popen(command, env={**clean, **environ}, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + 60
            while not (found := re.search(r"http://[\w.:]+", Path(said.name).read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(Path(said.name).read_text())
                time.sleep(0.05)
            yield found[0]
        finally:
            process.terminate()
            process.wait(20)


# The store


async def _grown(kind: str, url: str) -> list[Measurement]:
    """What it costs to go on and to list, in a store of few turns and in one of many."""
    store = await Store.open(url)
    try:
        for number in range(FEW // TURNS_EACH):
            newest = await _conversation(store, number * TURNS_EACH)
        samples = []
        for size in (FEW, MANY):
            if size > FEW:
                await _multiplied(store, size // FEW, analyze=kind == "PostgreSQL")
            samples.append(
                (
                    await _timed(lambda: _continue(store, newest)),
                    await _timed(lambda: store.conversations("ann", limit=20)),
                )
            )
    finally:
        await store.close()
    (few_on, few_listed), (many_on, many_listed) = samples
    return [
        _ratio(f"continue, {kind}, {MANY:,} turns against {FEW:,}", many_on, few_on),
        _ratio(f"history, {kind}, {MANY:,} turns against {FEW:,}", many_listed, few_listed),
    ]


def _ratio(what: str, ours: list[float], floor: list[float]) -> Measurement:
    note = f"medians, n={len(ours)}"
    return Measurement(what, "ms", median(ours), 2.0, median(floor), note)


async def _timed(work: Callable[[], Coroutine[Any, Any, Any]]) -> list[float]:
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return took


async def _conversation(store: Store, there: int) -> str:
    now = float(there)
    turn = await store.begin("ann", prompt=f"Question {there}", kind="ask", **_how(now))
    await store.finish(turn, status="completed", now=now, text=f"Answer {there}")
    for n in range(1, TURNS_EACH):
        await _continue(store, turn.conversation_id, now + n)
    return turn.conversation_id


async def _multiplied(store: Store, times: int, *, analyze: bool) -> None:
    """Everything in it so many times, under other ids: to write it all would take minutes."""

    def copy(t: Transaction) -> None:
        for table, id in (("conversations", "id"), ("turns", TURN), ("words", TURN)):
            (row,) = t.execute(f"SELECT * FROM {table} LIMIT 1")
            others = ", ".join(name for name in row if name != id)
            for number in range(1, times):
                t.change(
                    f"INSERT INTO {table} ({id}, {others}) SELECT {id} || %s, {others} "
                    f"FROM {table} WHERE length({id}) = %s",
                    (f"-{number}", len(row[id])),
                )
        if analyze:  # as PostgreSQL does by itself, which the one of the tests does not
            t.change("ANALYZE")

    await store._write(copy)


async def _continue(store: Store, conversation_id: str, now: float = 1e9) -> None:
    """The store's part in a continue: written down, sent, named, finished, read."""
    turn = await store.follow("ann", conversation_id, prompt="And?", kind="continue", **_how(now))
    assert turn is not None
    if now == 1e9:
        await store.prepare(turn, holder="bench", chained=1)
        await store.claim_send(turn, holder="bench", now=now, lease_until=now + 30)
        await store.named(turn, f"v1_{turn.id}", holder="bench")
    await store.finish(turn, status="completed", now=now, text="So.")
    if now == 1e9:
        await store.turn("ann", conversation_id, turn.n)


def _how(now: float) -> dict[str, Any]:
    return {"settings": TurnSettings(), "holder": "bench", "lease_until": now + 30, "now": now}


# PostgreSQL


@contextmanager
def _postgres() -> Iterator[postgres.Postgres | None]:
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


def _database(server: postgres.Postgres, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)
