"""What every test has: one event loop (asyncio, as in production) and a clean environment."""

from __future__ import annotations

import os

import pytest

OURS = ("GEMINI_", "GOOGLE_", "CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """The developer's own key and settings are nobody's test data."""
    for name in [each for each in os.environ if each.startswith(OURS)]:
        del os.environ[name]
