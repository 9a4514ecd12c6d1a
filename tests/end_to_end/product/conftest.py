"""The harness, its first client, and servers that are processes of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from gemini_emulator import Emulator, EmulatorControl
from tests.support.app_harness import AppHarness, Clock, McpClient
from tests.support.fork_server import ForkOrder, ForkServer
from tests.support.protocol import Era
from tests.support.server_process import ServerProcess, Start, fork


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(control=EmulatorControl()) as emulator:
        yield emulator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def harness(
    emulator: Emulator, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AppHarness]:
    emulator.control = EmulatorControl()
    async with anyio.create_task_group() as tasks:
        harness = AppHarness(emulator.control, tmp_path / "data", clock, tasks, monkeypatch)
        harness.set(
            GEMINI_API_KEY="test-key",
            GOOGLE_GEMINI_BASE_URL=emulator.url,
            GEMINI_MCP_DATA_DIR=str(harness.folder),
            GEMINI_MCP_RESOLVE_REDIRECTS="off",
        )
        yield harness
        emulator.control.let_go()
        tasks.cancel_scope.cancel()
    if harness.crashes:
        raise ExceptionGroup("servers crashed", harness.crashes)


@pytest.fixture
async def client(harness: AppHarness) -> McpClient:
    return await harness.connect()


@pytest.fixture
async def start(
    harness: AppHarness, fork_server: ForkServer, tmp_path: Path
) -> AsyncIterator[Start]:
    """Starts server processes on the data folder: `await start("modern", NAME="value")`.

    They end with the test at the latest.
    """
    started: list[ServerProcess] = []

    async def start(era: Era = "legacy", **environ: str) -> ServerProcess:
        server = await fork(fork_server, tmp_path, era, ForkOrder(environ=environ))
        started.append(server)
        await server.hello()
        return server

    yield start
    for server in started:
        if server.is_alive:
            await server.killed()
