"""The house of the product tests, and a wire into it for clients with bad manners."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.product.conftest import clock, emulator, guest, house
from tests.product.house import House
from tests.time.forks import Order
from tests.time.line import Line, forking
from tests.time.wire import Inside, Wire

__all__ = ["clock", "emulator", "guest", "house"]

Wired = Callable[..., Awaitable[Inside]]


@pytest.fixture
def wired(house: House) -> Wired:
    """Starts a server and a wire to it: `await wired("legacy", max_wait_seconds=1)`."""

    async def start(era: str = "modern", **changes: Any) -> Inside:
        return await Wire.to(house, era, **changes)

    return start


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where server processes come from, a fork each: see `forks.py`."""
    with forking(tmp_path_factory.mktemp("forks")) as path:
        yield path


Forked = Callable[..., Awaitable[Line]]


@pytest.fixture
def forked(house: House, forks: Path) -> Forked:
    """Starts a server process on the house's folder: `await forked(GEMINI_MCP_…="1")`."""

    async def start(
        era: str = "modern", *, deaf: bool = False, names_take: float = 0.0, **variables: str
    ) -> Line:
        environ = {
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": os.environ["GOOGLE_GEMINI_BASE_URL"],
            "GEMINI_MCP_DATA_DIR": str(house.folder),
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
            **variables,
        }
        order = Order(environ, names_take=names_take)
        return await Line.to_fork(house.tasks, forks, order, era, deaf=deaf)

    return start
