"""The harness of the product tests, and clients by hand that break off, cancel and do not read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.product.conftest import client, clock, emulator, harness
from tests.support import server_process
from tests.support.app_harness import AppHarness
from tests.support.fork_server import ForkOrder, ForkServer
from tests.support.jsonrpc_client import InProcessClient
from tests.support.protocol import Era
from tests.support.server_process import ServerProcess

__all__ = ["client", "clock", "emulator", "harness"]

Connect = Callable[..., Awaitable[InProcessClient]]


@pytest.fixture
def connect(harness: AppHarness) -> Connect:
    """Starts a server of this process: `await connect("legacy", max_wait_seconds=1)`."""

    async def connect(era: Era = "modern", **changes: Any) -> InProcessClient:
        return await InProcessClient.connect(harness, era, **changes)

    return connect


Fork = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture
async def fork(harness: AppHarness, fork_server: ForkServer, tmp_path: Path) -> AsyncIterator[Fork]:
    """Starts a server process on the data folder: `await fork(GEMINI_MCP_…="1")`.

    Its client wants progress, and reads nothing where it is `deaf`.
    """
    started: list[ServerProcess] = []

    async def start(
        era: Era = "modern",
        *,
        deaf: bool = False,
        lookup_seconds: float = 0.0,
        clock: float = 0.0,
        **variables: str,
    ) -> ServerProcess:
        order = ForkOrder(environ=variables, clock=clock, lookup_seconds=lookup_seconds)
        server = await server_process.fork(
            fork_server, tmp_path, era, order, name="raw", wants_progress=True
        )
        started.append(server)
        if deaf:
            server.stop_reading(close=False)
        elif era == "legacy":
            await server.hello()
        return server

    yield start
    for server in started:
        if server.is_alive:
            await server.killed()
