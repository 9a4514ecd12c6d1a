"""The harness of the product tests, where looks at Google are quick and its clock is ours."""

from __future__ import annotations

import time

import anyio.lowlevel
import pytest

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.bridge.research.poller import LookRateLimit
from tests.end_to_end.http.conftest import gateways
from tests.end_to_end.product.conftest import clock, emulator, start
from tests.end_to_end.product.conftest import harness as usual_harness
from tests.support.app_harness import AppHarness, Clock
from tests.support.fake_clock_sleep import FakeClockSleep
from tests.support.research_client import RUN, ResearchClient, SlowResearchClient, running_count

__all__ = ["clock", "emulator", "gateways", "start", "usual_harness"]


@pytest.fixture
def harness(usual_harness: AppHarness, emulator: Emulator, clock: Clock) -> AppHarness:
    """Its runs take twenty minutes of a clock that is moved."""
    usual_harness.control = emulator.control = EmulatorControl(clock=clock)
    usual_harness.control.research_seconds = RUN
    usual_harness.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_harness


@pytest.fixture
def real_time(usual_harness: AppHarness, emulator: Emulator) -> AppHarness:
    """The harness for server processes: their clock and Google's are the real one."""
    usual_harness.control = emulator.control = EmulatorControl(clock=time.time)
    usual_harness.control.research_seconds = 0.2
    usual_harness.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_harness


@pytest.fixture
async def researcher(harness: AppHarness) -> ResearchClient:
    """The harness with its first client."""
    return ResearchClient(harness, await harness.connect())


@pytest.fixture
async def slow(
    harness: AppHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> SlowResearchClient:
    """A client whose looks come as seldom as they usually do, on a clock that runs through them."""
    monkeypatch.setattr(
        LookRateLimit, "go", lambda *_: anyio.lowlevel.checkpoint()
    )  # it has tests of its own
    fake_sleep = FakeClockSleep(clock)
    harness.sleep = fake_sleep.sleep
    harness.set(GEMINI_MCP_RESEARCH_POLL_SECONDS=None)
    client = await harness.connect()
    await client.history()
    fake_sleep.awake = lambda: running_count(client)
    return SlowResearchClient(harness, client, fake_sleep)
