"""The house of the product tests, where looks at Google are quick and its clock is ours."""

from __future__ import annotations

import time

import anyio.lowlevel
import pytest

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.bridge.research.poller import LookRateLimit
from tests.end_to_end.http.conftest import site
from tests.end_to_end.product.conftest import clock, emulator, nursery, start
from tests.end_to_end.product.conftest import house as usual_house
from tests.support.app_harness import AppHarness, Clock
from tests.support.fake_clock_sleep import FakeClockSleep
from tests.support.research_client import RUN, ResearchClient, SlowResearchClient, works

__all__ = ["clock", "emulator", "nursery", "site", "start", "usual_house"]


@pytest.fixture
def house(usual_house: AppHarness, emulator: Emulator, clock: Clock) -> AppHarness:
    """Its runs take twenty minutes of a clock that is moved."""
    usual_house.brain = emulator.brain = EmulatorControl(clock=clock)
    usual_house.brain.research_seconds = RUN
    usual_house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_house


@pytest.fixture
def real(usual_house: AppHarness, emulator: Emulator) -> AppHarness:
    """The house for servers that are processes: their clock is the real one, and so is Google's."""
    usual_house.brain = emulator.brain = EmulatorControl(clock=time.time)
    usual_house.brain.research_seconds = 0.2
    usual_house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_house


@pytest.fixture
async def lab(house: AppHarness) -> ResearchClient:
    """The house with its first guest."""
    return ResearchClient(house, await house.connect())


@pytest.fixture
async def slow(
    house: AppHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> SlowResearchClient:
    """A lab where looks come as seldom as they usually do, on a clock that runs through them."""
    monkeypatch.setattr(
        LookRateLimit, "go", lambda _: anyio.lowlevel.checkpoint()
    )  # it has tests of its own
    glass = FakeClockSleep(clock)
    house.sleep = glass.sleep
    house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS=None)
    guest = await house.connect()
    await guest.history()
    glass.awake = lambda: works(guest)
    return SlowResearchClient(house, guest, glass)
