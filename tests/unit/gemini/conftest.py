"""Gemini, with the emulator at the other end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.gemini import Gemini, sse_parser
from tests.support.raw_http_server import RawHttpServer
from tests.support.samples import SAMPLES


def recorded_events(name: str) -> list[dict[str, object]]:
    """The events of a sample stream."""
    reader = sse_parser.Reader()
    return [*reader.feed((SAMPLES / f"{name}.sse").read_bytes()), *reader.close()]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def control(emulator: Emulator) -> Iterator[EmulatorControl]:
    emulator.control = EmulatorControl()
    yield emulator.control
    emulator.control.let_go()


@pytest.fixture
async def gemini(emulator: Emulator, control: EmulatorControl) -> AsyncIterator[Gemini]:
    gemini = Gemini(lambda: "some-key", emulator.url)
    yield gemini
    await gemini.aclose()


@pytest.fixture
async def raw_server() -> AsyncIterator[RawHttpServer]:
    async with RawHttpServer() as raw_server:
        yield raw_server


@pytest.fixture
async def raw_gemini(raw_server: RawHttpServer) -> AsyncIterator[Gemini]:
    """Gemini with the bare wire at the other end."""
    gemini = Gemini(lambda: "some-key", raw_server.url)
    yield gemini
    await gemini.aclose()
