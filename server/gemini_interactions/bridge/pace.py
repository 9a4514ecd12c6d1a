"""Pace: at most so many looks a second, in the order in which they were due."""

from __future__ import annotations

import anyio


class Pace:
    """Gives every caller the next free place; callers come when they are due, so the most
    overdue one stands first."""

    # A little less than ten: what leaves at the same distance may arrive closer together.
    def __init__(self, rate: float = 9.5) -> None:
        self._gap = 1 / rate
        self._free = 0.0

    async def go(self) -> None:
        now = anyio.current_time()
        place = max(self._free, now)
        self._free = place + self._gap
        if place > now:
            await anyio.sleep(place - now)
