"""A condition across threads and event loops: whoever waits looks again when notified."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable


class Waiters:
    """Wakes waiters of every thread and loop at once; a wait ends when its condition holds."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._notified = 0
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def notify(self) -> None:
        with self._condition:
            self._notified += 1
            self._condition.notify_all()
            for loop, event in self._waiting:
                # A loop that was closed since has nobody left to wake.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(event.set)

    def wait_until(self, true: Callable[[], bool], timeout: float | None = 30.0) -> bool:
        """Block this thread until the condition holds; False when the time ran out."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            notified = self._notified
            # Looked at without our lock: the condition may take a lock whose holder notifies us.
            if true():
                return True
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return False
            with self._condition:
                if self._notified == notified:
                    self._condition.wait(left)

    async def until(self, true: Callable[[], bool], timeout: float | None = None) -> bool:
        """The same without blocking the event loop."""
        if true():
            return True
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        with self._condition:
            self._waiting.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                while not true():
                    await waiter[1].wait()
                    waiter[1].clear()
        except TimeoutError:
            return true()
        finally:
            with self._condition:
                self._waiting.discard(waiter)
        return True
