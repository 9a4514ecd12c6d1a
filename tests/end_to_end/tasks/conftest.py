"""The research tests' harness, whose runs take twenty minutes of a clock that is moved."""

from __future__ import annotations

import pytest

from tests.end_to_end.research.conftest import (
    clock,
    emulator,
    gateways,
    harness,
    real_time,
    start,
    usual_harness,
)
from tests.support.app_harness import AppHarness
from tests.support.task_client import TaskClient, in_process

__all__ = ["clock", "emulator", "gateways", "harness", "real_time", "start", "usual_harness"]


@pytest.fixture
async def client(harness: AppHarness) -> TaskClient:
    """Declares tasks, and does not wait long for what may become one."""
    return await in_process(harness, task_after_seconds=0.05)
