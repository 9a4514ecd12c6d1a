"""The house of the product tests, where looks at Google are quick and its clock is ours."""

from __future__ import annotations

import time

import anyio.lowlevel
import pytest

from gemini_interactions.bridge.pace import Pace
from gemini_interactions.emulator import Brain, Emulator
from tests.http.conftest import site
from tests.product.conftest import clock, emulator, nursery, start
from tests.product.conftest import house as usual_house
from tests.product.house import Clock, House
from tests.research.hourglass import Hourglass
from tests.research.lab import RUN, Lab, SlowLab, works

__all__ = ["clock", "emulator", "nursery", "site", "start", "usual_house"]


@pytest.fixture
def house(usual_house: House, emulator: Emulator, clock: Clock) -> House:
    """Its runs take twenty minutes of a clock that is moved."""
    usual_house.brain = emulator.brain = Brain(clock=clock)
    usual_house.brain.research_seconds = RUN
    usual_house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_house


@pytest.fixture
def real(usual_house: House, emulator: Emulator) -> House:
    """The house for servers that are processes: their clock is the real one, and so is Google's."""
    usual_house.brain = emulator.brain = Brain(clock=time.time)
    usual_house.brain.research_seconds = 0.2
    usual_house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_house


@pytest.fixture
async def lab(house: House) -> Lab:
    """The house with its first guest."""
    return Lab(house, await house.connect())


@pytest.fixture
async def slow(house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> SlowLab:
    """A lab where looks come as seldom as they usually do, on a clock that runs through them."""
    monkeypatch.setattr(
        Pace, "go", lambda _: anyio.lowlevel.checkpoint()
    )  # it has tests of its own
    glass = Hourglass(clock)
    house.sleep = glass.sleep
    house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS=None)
    guest = await house.connect()
    await guest.history()
    glass.awake = lambda: works(guest)
    return SlowLab(house, guest, glass)
