"""The research tests' harness, whose runs take twenty minutes of a clock that is moved."""

from __future__ import annotations

import pytest

from tests.end_to_end.research.conftest import (
    clock,
    emulator,
    house,
    nursery,
    real,
    site,
    start,
    usual_house,
)
from tests.support.app_harness import AppHarness
from tests.support.task_client import TaskClient, in_process

__all__ = ["clock", "emulator", "house", "nursery", "real", "site", "start", "usual_house"]


@pytest.fixture
async def client(house: AppHarness) -> TaskClient:
    """Declares tasks, and does not wait long for what may become one."""
    return await in_process(house, task_after_seconds=0.05)
