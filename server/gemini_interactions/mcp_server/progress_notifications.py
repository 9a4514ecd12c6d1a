"""Progress notifications: a client that waits hears something every few seconds.

Running turns report their own progress (`bridge.turns.running_turns`). This fills in where
nothing does: while Google is asked about a file, or about a turn that was given up, or while
the store opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

import anyio

from ..bridge.turns.execution.running_turns import SMALLEST_GAP

SILENCE = 4.5
"""Longest silence in seconds: hosts are promised a word every 5, and work speaks every 4."""

Say = Callable[[float, float | None, str | None], Awaitable[None]]
"""Sends one notification: progress, total and message. Hosts show the message; the number only
has to grow."""


class ProgressReporter:
    """Tells one client how long its call has taken, and what is done meanwhile."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._came = self._last = anyio.current_time()
        self._filled_in = -inf
        self._doing = "Still at work"

    async def tell(self, _seconds: float, doing: str) -> None:
        """What is done now. A word that comes right after a filler is left to the next one:
        four a second are the most."""
        self._doing = doing
        if anyio.current_time() >= self._filled_in + SMALLEST_GAP:
            await self._speak()

    async def fill_in(self) -> None:
        """Speaks up whenever nobody has for too long."""
        while True:
            await anyio.sleep_until(self._last + SILENCE)
            if anyio.current_time() >= self._last + SILENCE:
                self._filled_in = anyio.current_time()
                await self._speak()

    async def _speak(self) -> None:
        self._last = anyio.current_time()
        await self._say(round(self._last - self._came, 3), None, self._doing)


@asynccontextmanager
async def reporting(say: Say) -> AsyncIterator[ProgressReporter]:
    """Reports progress to a client for as long as its call is worked on.

    Most calls end before anybody has to speak up, and a task for each of them costs more than all
    the rest of this: it begins once a call has taken so long.
    """
    reporter = ProgressReporter(say)
    filling: list[asyncio.Task[None]] = []

    def begin() -> None:
        filling.append(asyncio.ensure_future(reporter.fill_in()))
        filling[0].add_done_callback(lambda task: task.cancelled() or task.exception())

    timer = asyncio.get_running_loop().call_later(SILENCE, begin)
    try:
        yield reporter
    finally:
        timer.cancel()
        for task in filling:
            task.cancel()
