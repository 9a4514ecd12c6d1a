"""Sleep on a clock that a test moves: it takes no time.

The clock goes from one sleeper to the next, and whoever wakes finishes what it does before time
goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from tests.support.app_harness import Clock


@dataclass(eq=False)
class _Sleeper:
    due: float
    woken: anyio.Event = field(default_factory=anyio.Event)


class FakeClockSleep:
    """`awake` says how many there are in all who sleep whenever they have nothing to do."""

    def __init__(self, clock: Clock) -> None:
        self.awake: Callable[[], int] = lambda: 0
        self._clock = clock
        self._sleepers: set[_Sleeper] = set()

    async def sleep(self, seconds: float) -> None:
        sleeper = _Sleeper(self._clock() + seconds)
        self._sleepers.add(sleeper)
        try:
            await sleeper.woken.wait()
        finally:
            self._sleepers.discard(sleeper)

    async def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self._clock() + seconds
        while sleeper := await self._next():
            if sleeper.due > end:
                break
            self._clock.time = max(self._clock(), sleeper.due)
            self._sleepers.discard(sleeper)
            sleeper.woken.set()
        self._clock.time = end

    async def _next(self) -> _Sleeper | None:
        """Who wakes next, once everybody sleeps."""
        with anyio.fail_after(60):
            while len(self._sleepers) < self.awake():
                await anyio.sleep(0.001)
        return min(self._sleepers, key=lambda each: each.due, default=None)
