"""The house and its first guest; what they are stands in `house.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from gemini_interactions.emulator import Brain, Emulator
from tests.product.house import Clock, Guest, House


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(brain=Brain()) as emulator:
        yield emulator


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def house(
    emulator: Emulator, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    emulator.brain = Brain()
    async with anyio.create_task_group() as tasks:
        house = House(emulator.brain, tmp_path / "data", clock, tasks, monkeypatch)
        house.set(
            GEMINI_API_KEY="test-key",
            GOOGLE_GEMINI_BASE_URL=emulator.url,
            GEMINI_MCP_DATA_DIR=str(house.folder),
            GEMINI_MCP_RESOLVE_REDIRECTS="off",
        )
        yield house
        emulator.brain.let_go()
        tasks.cancel_scope.cancel()
    if house.crashes:
        raise ExceptionGroup("servers crashed", house.crashes)


@pytest.fixture
async def guest(house: House) -> Guest:
    return await house.connect()
