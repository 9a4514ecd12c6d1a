"""What an event loop does: how much work each of its steps is, and what it waits for."""

from __future__ import annotations

import sys
import threading
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WAITS = {
    "sqlite3.connect": "opens a database",
    "socket.getaddrinfo": "looks up a name",
    "subprocess.Popen": "starts a process",
    "time.sleep": "sleeps",
}
"""Audit events of things that take as long as somebody else likes."""


@dataclass
class Watch:
    """The steps of one loop's thread: work in seconds of CPU, so that other load is not counted."""

    longest: list[tuple[float, str]] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    """What was imported, by any thread but the loop's."""

    def slow(self, seconds: float) -> list[str]:
        return [f"{took:.3f} s: {what}" for took, what in self.longest if took > seconds]


_watching: list[Callable[[str, tuple[Any, ...]], None]] = []


def _hear(event: str, details: tuple[Any, ...]) -> None:
    for each in _watching:
        each(event, details)


_hook: list[bool] = []


@contextmanager
def watch_loop() -> Iterator[Watch]:
    """Watches the loop that runs in this thread."""
    if not _hook:  # a hook stays for ever
        sys.addaudithook(_hear)
        _hook.append(True)
    watch = Watch()
    mine = threading.get_ident()
    run = Handle._run

    def timed(handle: Handle) -> None:
        if threading.get_ident() != mine:
            run(handle)
            return
        start = time.thread_time()
        run(handle)
        took = time.thread_time() - start
        if took > 0.02:
            watch.longest.append((took, repr(handle)))

    def hear(event: str, details: tuple[Any, ...]) -> None:
        if threading.get_ident() == mine:
            if event in WAITS and details != (0,):
                watch.waits.append(f"{WAITS[event]}: {details}")
            elif event == "import" and str(details[0]).startswith("google"):
                watch.waits.append(f"imports {details[0]}")

    Handle._run = timed  # type: ignore[assignment, method-assign]
    _watching.append(hear)
    try:
        yield watch
    finally:
        Handle._run = run  # type: ignore[method-assign]
        _watching.remove(hear)
