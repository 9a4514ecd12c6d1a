"""The harness of the product tests, started in a working folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.product.conftest import clock, emulator, harness, start
from tests.support.app_harness import AppHarness, McpClient

__all__ = ["clock", "emulator", "harness", "start"]


@pytest.fixture
async def client(harness: AppHarness) -> McpClient:
    """A client that has every tool, and a server that looks at videos soon."""
    harness.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_RESEARCH_POLL_SECONDS="0.1")
    return await harness.connect()


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the server is started in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
