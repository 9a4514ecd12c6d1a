"""A fork server: server processes that are there in a hundredth of a second.

A server takes more than a second of CPU to start, nearly all of it for imports. The fork server
imports everything once and then forks: each child is a process of its own, with its own pipes,
which runs the command as it is, can be killed like any other, and may be ordered to die by
`kill -9` at one exact moment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio

ROOT = Path(__file__).parents[2]

When = Literal["before", "after"]


@dataclass(frozen=True)
class ForkOrder:
    """What a fork is to be: its command, its environment, its clock, and when it dies.

    `die_at` is the number of a write transaction; `when` says on which side of its commit.
    The names of all write transactions are appended to the file `commits`.
    """

    arguments: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    """More than the environment of the test, for this fork."""
    clock: float = 0.0
    """Seconds that its wall clock is ahead."""
    die_at: int = 0
    when: When = "before"
    commits: str = ""
    lookup_seconds: float = 0.0
    """How long looking up a host's name takes."""


class ForkServer:
    """Starts servers; used from the test's process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env=environment(),
            )

    def start(self, order: ForkOrder, folder: Path, pipes: tuple[int, int, int]) -> int:
        """Starts a server in this folder, on these ends of pipes; its process id."""
        told = asdict(order) | {"environ": environment(order.environ), "folder": str(folder)}
        socket.send_fds(self._socket, [json.dumps(told).encode()], pipes)
        return int(self._socket.recv(100))

    async def ended(self, pid: int) -> int:
        """Waits for the end of a server; its exit code, or minus the signal that killed it."""
        while True:
            self._socket.send(json.dumps({"pid": pid}).encode())
            if (code := self._socket.recv(100)) != b"running":
                return int(code)
            await anyio.sleep(0.005)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of the test for a process that imports what the test can."""
    path = os.pathsep.join([str(ROOT), *(each for each in sys.path if each)])
    return {**os.environ, "PYTHONPATH": path, **(more or {})}


# The process that forks


def _main(ours: socket.socket) -> None:
    _import_everything()
    codes: dict[int, int] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _reap(codes))
    while True:
        message, pipes, *_ = socket.recv_fds(ours, 1_000_000, 3)
        if not message:
            return
        order = json.loads(message)
        if "pid" in order:
            code = codes.get(order["pid"])
            ours.send(b"running" if code is None else str(code).encode())
            continue
        pid = os.fork()
        if not pid:
            ours.close()
            _serve(order.pop("folder"), ForkOrder(**order), pipes)
        for pipe in pipes:
            os.close(pipe)
        ours.send(str(pid).encode())


def _import_everything() -> None:
    from gemini_interactions import components, mcp_server  # noqa: F401
    from gemini_interactions.cli.command_line import main  # noqa: F401
    from gemini_interactions.gemini.sdk import sdk_loader
    from gemini_interactions.mcp_server.transports.stdio import serve_stdio  # noqa: F401
    from gemini_interactions.tools.registry import tools

    tools(["ask", "research", "images"])
    sdk_loader.client("none", "http://nowhere.invalid", "v1")
    sdk_loader._warm()
    if threading.active_count() > 1:
        raise RuntimeError("A process with threads cannot be forked safely.")


def _reap(codes: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])


# The fork


def _serve(folder: str, order: ForkOrder, pipes: list[int]) -> None:
    """The fork's whole life."""
    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
            os.close(pipe)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        os.environ.clear()
        os.environ.update(order.environ)
        os.chdir(folder)
        _obey(order)
        from gemini_interactions.cli.command_line import main

        code = main(order.arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _obey(order: ForkOrder) -> None:
    if order.clock:
        from gemini_interactions.app import App

        (App.__init__.__kwdefaults__ or {})["now"] = lambda: time.time() + order.clock
    if order.lookup_seconds:
        socket.getaddrinfo = lambda *_, **__: time.sleep(order.lookup_seconds)  # type: ignore[assignment]
    if order.die_at or order.commits:
        _watch_commits(order)


def _watch_commits(order: ForkOrder) -> None:
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
            watched = _WatchedTransaction(t)
            yield watched
            if order.commits:
                with open(order.commits, "a", encoding="utf-8") as file:
                    file.write(f"{watched.last_change}\n")
            if (number, "before") == (order.die_at, order.when):
                _die()
        if (number, "after") == (order.die_at, order.when):
            _die()

    SQLite.transaction = numbered  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _WatchedTransaction:
    """A transaction that remembers what it was for, by its last change."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self.last_change = ""

    def clock(self, now: float) -> float:
        return float(self._transaction.clock(now))

    def execute(self, sql: str, *parameters: Any) -> Any:
        return self._transaction.execute(sql, *parameters)

    def change(self, sql: str, *parameters: Any) -> Any:
        self.last_change = " ".join(sql.split()[:4])
        return self._transaction.change(sql, *parameters)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as theirs:
        _main(theirs)
