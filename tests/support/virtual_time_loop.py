"""Virtual time: an event loop whose clock jumps to the next timer, so that hours take no time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Nothing here may wait for threads or sockets: only for each other, and for time."""

    _now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        loop: Any = self
        if not loop._ready and loop._scheduled:
            self._now = max(self._now, loop._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]  # asyncio's own, not in its stubs


def run_in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    """Runs a coroutine function to its end in virtual time."""
    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
