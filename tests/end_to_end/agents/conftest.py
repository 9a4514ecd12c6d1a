"""The harness of the product tests, started in a working folder of its own."""

from __future__ import annotations

import pytest

from tests.end_to_end.product.conftest import clock, emulator, harness, start
from tests.support.agent_client import ALL_TOOLS
from tests.support.app_harness import AppHarness, McpClient
from tests.support.working_folder import work

__all__ = ["clock", "emulator", "harness", "start", "work"]


@pytest.fixture
async def client(harness: AppHarness) -> McpClient:
    """A client that has every tool, and a server that looks soon at what runs."""
    harness.set(**ALL_TOOLS)
    return await harness.connect()
