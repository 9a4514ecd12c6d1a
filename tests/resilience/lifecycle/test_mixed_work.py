"""Two processes on one data folder, asked for texts, pictures and researches at once, while they
are killed and stopped at random moments: nothing that was handed out is lost, sent twice or left
running.

`GEMINI_TEST_MIXED_KILLS` says how often; for the long form see `python -m tests.resilience`.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from gemini_emulator import Emulator, EmulatorControl
from tests.end_to_end.product.conftest import start
from tests.support import kill_counts
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.jsonrpc_client import PATIENCE
from tests.support.server_process import ServerProcess, Start
from tests.support.task_client import TaskClient, result_of

__all__ = ["start"]

pytestmark = pytest.mark.processes

KILLS = int(os.environ.get("GEMINI_TEST_MIXED_KILLS", "12"))
SEED = 20261202
TOOLS = (
    *("gemini_ask", "gemini_ask", "gemini_continue", "gemini_generate_image"),
    *("start_deep_research", "flex", "gemini_result"),
)
FINAL = ("completed", "interrupted")
SOON = {
    "GEMINI_MCP_LEASE_SECONDS": "0.4",
    "GEMINI_MCP_MAX_WAIT_SECONDS": "0.3",
    "GEMINI_MCP_TASK_AFTER_SECONDS": "0.05",
    "GEMINI_MCP_MAX_CONCURRENT": "3",
    "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.1",
}


@pytest.fixture
def real_time(harness: AppHarness, emulator: Emulator) -> AppHarness:
    """The harness for server processes: their clock and Google's are the real one."""
    harness.control = emulator.control = EmulatorControl(clock=time.time)
    harness.control.research_seconds = 0.3
    harness.control.delay(0.02)
    return harness


@dataclass
class KillRecord:
    """What was asked, and every id that was told."""

    asked: int = 0
    told: dict[str, ToolResult] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    tasks: list[str] = field(default_factory=list)
    stops: int = 0

    def take(self, tool: str, said: ToolResult) -> None:
        if said.status is not None:
            self.kinds[tool] += said.id not in self.told
            self.told[said.id] = said


class Client:
    """Whoever uses one server, until that is killed; then a new one."""

    def __init__(self, start: Start, rng: random.Random, record: KillRecord) -> None:
        self._start = start
        self._rng = rng
        self._record = record
        self.server: ServerProcess | None = None

    async def run(self) -> None:
        while True:
            era = self._rng.choice(["legacy", "modern"])
            with suppress(ConnectionError, BrokenPipeError):
                self.server = await self._start(era, **SOON)
                while True:
                    await self._call(self.server)
            server, self.server = self.server, None
            assert server is None or await server.ended() == -signal.SIGKILL, server.log

    async def _call(self, server: ServerProcess) -> None:
        self._record.asked += 1
        prompt = f"Prompt {self._record.asked}."
        known = [said.conversation for said in self._record.told.values()][-20:]
        tool = self._rng.choice(TOOLS)
        arguments: dict[str, Any] = {"prompt": prompt}
        match tool:
            case "gemini_continue" if known:
                arguments["conversation_id"] = self._rng.choice(known)
            case "gemini_generate_image" if known and self._rng.random() < 0.3:
                arguments["conversation_id"] = self._rng.choice(known)
            case "start_deep_research":
                arguments = {"question": prompt}
            case "gemini_result" if self._record.told:
                arguments = {"id": self._rng.choice(list(self._record.told)), "wait_seconds": 1}
            case "gemini_generate_image":
                pass
            case "flex":
                tool, arguments = "gemini_ask", {"prompt": prompt, "service_tier": "flex"}
            case _:
                tool = "gemini_ask"
        if server.era == "legacy" or self._rng.random() < 0.6:
            self._record.take(tool, await server.call(tool, **arguments))
            return
        answer = await TaskClient.over(server).call(tool, **arguments)
        if answer.get("resultType") == "task":
            self._record.tasks.append(answer["taskId"])
        else:
            self._record.take(tool, result_of(answer))


async def test_nothing_is_lost_by_kills_and_stops_of_two_processes(
    real_time: AppHarness, start: Start
) -> None:
    rng, record = random.Random(SEED), KillRecord()
    clients = [Client(start, rng, record) for _ in range(2)]

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(client.run)
        for _ in range(KILLS):
            heard = len(record.told)
            with anyio.fail_after(PATIENCE):
                while len(record.told) < heard + 3:
                    await anyio.sleep(0.02)
            await anyio.sleep(rng.uniform(0, 0.2))
            while not (alive := [each.server for each in clients if each.server is not None]):
                await anyio.sleep(0.01)
            victim = rng.choice(alive)
            if rng.random() < 0.4:
                # Longer than its lease: whatever it was about to send is another's to judge.
                record.stops += 1
                os.kill(victim.pid, signal.SIGSTOP)
                await anyio.sleep(rng.uniform(0.3, 1.2))
                os.kill(victim.pid, signal.SIGCONT)
                await anyio.sleep(rng.uniform(0, 0.1))
            victim.kill()
        tasks.cancel_scope.cancel()
    for server in [each.server for each in clients if each.server is not None]:
        server.kill()
        await server.ended()
    real_time.control.delay(0)

    survivor = await start("modern", **SOON)
    ended = {id: await _ended(survivor, id) for id in record.told}
    for id, said in ended.items():
        assert said.status in FINAL, said.text
        if record.told[id].status == "completed":
            assert said.piece == record.told[id].piece
    reader = TaskClient.over(survivor)
    for id in record.tasks:
        said = await reader.result(id)
        assert said.status in FINAL, said.text
        assert (await _ended(survivor, id)).piece == said.piece
    posted = Counter(_words(body) for body in real_time.bodies)
    assert {words: count for words, count in posted.items() if count > 1} == {}
    with anyio.fail_after(PATIENCE):
        while running := _running(real_time.folder):
            await anyio.sleep(0.1)
    kill_counts.add(
        "two processes on one folder: every kind of call; kill -9, and stops before",
        kills=KILLS,
        turns=record.asked,
        told=len(record.told) + len(record.tasks),
        lost=sum(said.status not in FINAL for said in ended.values()),
        doubled=sum(count > 1 for count in posted.values()),
        stuck=running,
    )
    if KILLS >= 12:
        tools = {"gemini_ask", "gemini_continue", "gemini_generate_image", "start_deep_research"}
        assert tools <= {tool for tool, count in record.kinds.items() if count}
        assert record.tasks
    # A picture is a file, whole and there once, and nothing half made is left.
    paths = [said.facts["path"] for said in ended.values() if said.facts.get("path")]
    assert all(map(os.path.getsize, paths))
    assert list(real_time.folder.rglob("*.part")) == []
    with closing(sqlite3.connect(real_time.folder / "gemini.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT * FROM reservations").fetchall() == []


async def _ended(server: ServerProcess, id: str) -> ToolResult:
    with anyio.fail_after(PATIENCE):
        while True:
            said = await server.call("gemini_result", id=id, wait_seconds=10)
            if said.status != "running":
                return said


def _running(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "gemini.db", timeout=10)) as database:
        row = database.execute("SELECT count(*) FROM turns WHERE status = 'running'").fetchone()
        return int(row[0])


def _words(body: dict[str, Any]) -> str:
    given = body["input"]
    return given if isinstance(given, str) else str(given[-1])
