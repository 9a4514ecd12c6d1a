"""The harness of the product tests, with clients in both eras."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.product.conftest import client, clock, emulator, harness
from tests.support.app_harness import AppHarness, McpClient

__all__ = ["client", "clock", "emulator", "harness"]


@pytest.fixture(params=["modern", "legacy"])
async def either_client(harness: AppHarness, request: pytest.FixtureRequest) -> McpClient:
    """A client of either era."""
    return await harness.connect(legacy=request.param == "legacy")


@pytest.fixture(params=["modern", "legacy"])
async def program(harness: AppHarness, request: pytest.FixtureRequest) -> McpClient:
    """A client of either era for whom the server is started with --structured."""
    return await harness.connect(legacy=request.param == "legacy", structured=True)


@pytest.fixture
def searching() -> dict[str, Any]:
    """An answer with two sources behind Google's redirects."""
    redirect = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
    notes = [
        {"type": "url_citation", "start_index": 0, "end_index": 8, "title": title, "url": url}
        for title, url in (("First", f"{redirect}one"), ("Second", f"{redirect}two"))
    ]
    content = [{"type": "text", "text": "It is so.", "annotations": notes}]
    return {"steps": [{"type": "model_output", "content": content}]}
