"""The house of the product tests, where looks at Google are quick and its clock is ours."""

from __future__ import annotations

import pytest

from gemini_interactions.emulator import Brain, Emulator
from tests.product.conftest import clock, emulator, nursery, start
from tests.product.conftest import house as usual_house
from tests.product.house import Clock, House
from tests.research.lab import RUN, Lab

__all__ = ["clock", "emulator", "nursery", "start", "usual_house"]


@pytest.fixture
def house(usual_house: House, emulator: Emulator, clock: Clock) -> House:
    """Its runs take twenty minutes of a clock that is moved."""
    usual_house.brain = emulator.brain = Brain(clock=clock)
    usual_house.brain.research_seconds = RUN
    usual_house.set(GEMINI_MCP_RESEARCH_POLL_SECONDS="0.05")
    return usual_house


@pytest.fixture
async def lab(house: House) -> Lab:
    """The house with its first guest."""
    return Lab(house, await house.connect())
