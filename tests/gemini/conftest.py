"""Gemini, with the emulator at the other end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gemini_interactions.emulator import Brain, Emulator
from gemini_interactions.gemini import Gemini, sse
from tests.gemini.wire import Wire

DATA = Path(__file__).parent / "data"


def recorded(name: str) -> list[dict[str, object]]:
    """The events of a sample stream."""
    reader = sse.Reader()
    return [*reader.feed((DATA / f"{name}.sse").read_bytes()), *reader.close()]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def brain(emulator: Emulator) -> Iterator[Brain]:
    emulator.brain = Brain()
    yield emulator.brain
    emulator.brain.let_go()


@pytest.fixture
async def gemini(emulator: Emulator, brain: Brain) -> AsyncIterator[Gemini]:
    gemini = Gemini(lambda: "some-key", emulator.url)
    yield gemini
    await gemini.aclose()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with Wire() as wire:
        yield wire


@pytest.fixture
async def wired(wire: Wire) -> AsyncIterator[Gemini]:
    """Gemini with the bare wire at the other end."""
    gemini = Gemini(lambda: "some-key", wire.url)
    yield gemini
    await gemini.aclose()
