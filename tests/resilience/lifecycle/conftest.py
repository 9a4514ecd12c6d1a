"""The harness of the product tests, and a wire into it for clients with bad manners."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.product.conftest import client, clock, emulator, harness
from tests.support.app_harness import AppHarness
from tests.support.fork_server import ForkOrder
from tests.support.forked_server import ForkedServer, forking
from tests.support.jsonrpc_client import InProcessClient, JsonRpcClient

__all__ = ["client", "clock", "emulator", "harness"]

Wired = Callable[..., Awaitable[InProcessClient]]


@pytest.fixture
def wired(harness: AppHarness) -> Wired:
    """Starts a server and a wire to it: `await wired("legacy", max_wait_seconds=1)`."""

    async def start(era: str = "modern", **changes: Any) -> InProcessClient:
        return await JsonRpcClient.to(harness, era, **changes)

    return start


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where server processes come from, a fork each: see `forks.py`."""
    with forking(tmp_path_factory.mktemp("forks")) as path:
        yield path


Forked = Callable[..., Awaitable[ForkedServer]]


@pytest.fixture
def forked(harness: AppHarness, forks: Path) -> Forked:
    """Starts a server process on the data folder: `await forked(GEMINI_MCP_…="1")`."""

    async def start(
        era: str = "modern",
        *,
        deaf: bool = False,
        names_take: float = 0.0,
        clock: float = 0.0,
        **variables: str,
    ) -> ForkedServer:
        environ = {
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": os.environ["GOOGLE_GEMINI_BASE_URL"],
            "GEMINI_MCP_DATA_DIR": str(harness.folder),
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
            **variables,
        }
        order = ForkOrder(environ, names_take=names_take, clock=clock)
        return await ForkedServer.to_fork(harness.tasks, forks, order, era, deaf=deaf)

    return start
