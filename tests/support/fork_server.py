"""Forks: server processes that start at once, live on the data folder they are given, and may be
told to die at one exact moment.

`python -m tests.time.forks SOCKET` imports everything once; each connection to the socket then
becomes the stdin and stdout of a fresh fork. Its first line is an order, its answer the fork's
process id, and from then on the fork is the server itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

When = Literal["before", "after"]


@dataclass(frozen=True)
class ForkOrder:
    """What a fork is to be: its environment, its clock, and when it dies by `kill -9`.

    `die_at` is the number of a write transaction; `when` says on which side of its commit.
    The names of all write transactions are appended to `diary`.
    """

    environ: dict[str, str] = field(default_factory=dict)
    clock: float = 0.0
    """Seconds that its wall clock is ahead."""
    die_at: int = 0
    when: When = "before"
    diary: str = ""
    names_take: float = 0.0
    """Seconds that looking up a host's name takes."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def serve(order: ForkOrder) -> None:
    """Be the server, as `python -m gemini_interactions` would."""
    from gemini_interactions.app import App
    from gemini_interactions.cli.command_line import main
    from gemini_interactions.mcp_server.transports import stdio

    os.environ.update(order.environ)
    if order.names_take:
        socket.getaddrinfo = lambda *_, **__: time.sleep(order.names_take)  # type: ignore[assignment]
    stdio.App = partial(App, now=lambda: time.time() + order.clock)  # type: ignore[attr-defined, assignment]
    watch_commits(order)
    sys.exit(main([]))


def watch_commits(order: ForkOrder) -> None:
    """Number the write transactions, and die at the one that was ordered."""
    from gemini_interactions.store.databases.sqlite import SQLite

    transaction = SQLite.transaction
    numbers = iter(range(1, 10**9))

    @contextmanager
    def numbered(self: SQLite, *, writes: bool) -> Iterator[Any]:
        if not writes:
            with transaction(self, writes=False) as t:
                yield t
            return
        with transaction(self, writes=True) as t:
            number = next(numbers)
            told = _Told(t)
            yield told
            if order.diary:
                with open(order.diary, "a", encoding="utf-8") as diary:
                    diary.write(f"{told.words}\n")
            if (number, "before") == (order.die_at, order.when):
                die()
        if (number, "after") == (order.die_at, order.when):
            die()

    SQLite.transaction = numbered  # type: ignore[method-assign]


class _Told:
    """A transaction that remembers what it was for, by its last change."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self.words = ""

    def clock(self, now: float) -> float:
        return float(self._transaction.clock(now))

    def execute(self, sql: str, *parameters: Any) -> Any:
        return self._transaction.execute(sql, *parameters)

    def change(self, sql: str, *parameters: Any) -> Any:
        self.words = " ".join(sql.split()[:4])
        return self._transaction.change(sql, *parameters)


def take_orders(path: str) -> None:
    """The parent: imports everything, then forks for each who comes."""
    from gemini_interactions import components, mcp_server  # noqa: F401
    from gemini_interactions.gemini import client, sdk_loader  # noqa: F401

    sdk_loader._warm()
    if threading.active_count() > 1:
        raise RuntimeError("A process with threads cannot be forked safely.")
    signal.signal(signal.SIGCHLD, lambda *_: note_ends(Path(path).parent))
    parent = os.getppid()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(64)
        door.settimeout(5)
        while os.getppid() == parent:  # else the tests are gone, and so are we
            try:
                connection, _ = door.accept()
            except TimeoutError:
                continue
            connection.settimeout(None)
            if os.fork() == 0:
                door.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _become(connection)
            connection.close()


def note_ends(folder: Path) -> None:
    """The exit code of each fork that has ended goes into a file named after it."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            code = os.waitstatus_to_exitcode(ended[1])
            file = folder / f"{ended[0]}.new"
            file.write_text(str(code), "utf-8")
            file.rename(file.with_suffix(".code"))


def _become(connection: socket.socket) -> None:
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    order = ForkOrder(**json.loads(line))
    connection.sendall(f"{os.getpid()}\n".encode())
    os.dup2(connection.fileno(), 0)
    os.dup2(connection.fileno(), 1)
    connection.close()
    serve(order)


def written(order: ForkOrder) -> bytes:
    return json.dumps(asdict(order)).encode() + b"\n"


if __name__ == "__main__":
    take_orders(sys.argv[1])
