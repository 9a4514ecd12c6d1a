"""The server with a probe in its event loop: `python -m tests.support.probed_server FILE ARGS…`.

A timer that is due every few milliseconds measures how late the loop is, whatever the reason: a
long step, or another thread that holds the interpreter's lock. FILE gets a line of JSON for each
time it was late by more than `LATE`: when (epoch seconds), how late (ms), and the longest step
since the timer ran before.
"""

from __future__ import annotations

import json
import sys
import time
from asyncio.base_events import BaseEventLoop
from asyncio.events import Handle
from typing import Any

TICK = 0.002
LATE = 0.01


class LoopProbe:
    """Watches every event loop that is run in this process; the first one's lateness is told."""

    def __init__(self, file: str) -> None:
        self._file = open(file, "a", buffering=1)  # noqa: SIM115 - as long as the process
        self._longest = (0.0, "")

    def install(self) -> None:
        run_forever, run = BaseEventLoop.run_forever, Handle._run

        def ticking(loop: BaseEventLoop) -> None:
            loop.call_soon(self._tick, loop, time.perf_counter())
            run_forever(loop)

        def timed(handle: Handle) -> None:
            began = time.perf_counter()
            run(handle)
            took = time.perf_counter() - began
            if took > self._longest[0]:
                # Described at once: its task may be somewhere else a moment later.
                self._longest = (took, _described(handle) if took > LATE else "")

        BaseEventLoop.run_forever = ticking  # type: ignore[assignment, method-assign]
        Handle._run = timed  # type: ignore[assignment, method-assign]

    def _tick(self, loop: BaseEventLoop, due: float) -> None:
        late = time.perf_counter() - due
        if late > LATE:
            took, what = self._longest
            said = {"at": time.time(), "late": late * 1000, "step": took * 1000, "what": what}
            self._file.write(json.dumps(said) + "\n")
        self._longest = (0.0, "")
        loop.call_later(TICK, self._tick, loop, time.perf_counter() + TICK)


def _described(handle: Handle) -> str:
    """Where its task stands, or what it calls; never its arguments, which may be megabytes."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task: Any = getattr(callback, "__self__", None)
    stack = task.get_stack(limit=3) if hasattr(task, "get_stack") else []
    places = [f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in stack]
    return " > ".join(places) or getattr(callback, "__qualname__", type(callback).__name__)


if __name__ == "__main__":
    LoopProbe(sys.argv.pop(1)).install()
    from gemini_interactions.cli.command_line import main

    sys.exit(main())
