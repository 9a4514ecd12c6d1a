"""Pace: at most so many looks a second, in the order in which they were due."""

from __future__ import annotations

import anyio


class LookRateLimit:
    """Lets callers go one by one; they come when they are due, so the most overdue one stands
    first."""

    # A little less than ten: what leaves at the same distance may arrive closer together.
    def __init__(self, rate: float = 9.5) -> None:
        self._gap = 1 / rate
        self._free = 0.0
        self._first = anyio.Lock()

    async def go(self) -> None:
        # A place given out ahead would be worth nothing where the loop was busy meanwhile: all
        # whose time had come would leave at once.
        async with self._first:
            await anyio.sleep(max(0.0, self._free - anyio.current_time()))
            self._free = anyio.current_time() + self._gap
