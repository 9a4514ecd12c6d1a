"""Which event loop a gateway runs on."""

from __future__ import annotations

import asyncio
import sys

import pytest

from gemini_interactions.mcp_server.transports.http import event_loop


async def loop_and(*words: str) -> tuple[str, tuple[str, ...]]:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0], words


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no build for Windows")
def test_a_gateway_runs_on_uvloop() -> None:
    assert event_loop.run(loop_and, "one", "two") == ("uvloop", ("one", "two"))


def test_without_uvloop_it_runs_on_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "find_spec", lambda _name: None)

    assert event_loop.run(loop_and)[0] == "asyncio"
