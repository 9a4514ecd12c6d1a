"""A nursery for server processes: they are born warm, by fork, a hundredth of a second old.

A server takes more than a second of CPU to start, nearly all of it for imports. The nursery
imports everything once and then forks: each child is a process of its own, with its own pipes,
which runs the command as it is and can be killed like any other.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Prefork:
    """Starts children; used from the test's process."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.prefork", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )

    def bear(
        self,
        environ: dict[str, str],
        cwd: Path,
        pipes: tuple[int, int, int],
        arguments: tuple[str, ...] = (),
    ) -> int:
        """Starts a server on these ends of pipes; its process id."""
        order = {"environ": environ, "cwd": str(cwd), "arguments": arguments}
        with self._one_at_a_time:
            socket.send_fds(self._socket, [json.dumps(order).encode()], pipes)
            return int(self._socket.recv(100))

    def bury(self, pid: int) -> int:
        """Waits for the end of a child; its exit code, or minus the signal that killed it."""
        with self._one_at_a_time:
            self._socket.send(json.dumps({"bury": pid}).encode())
            return int(self._socket.recv(100))

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _main(ours: socket.socket) -> None:
    _warm()
    while True:
        message, pipes, *_ = socket.recv_fds(ours, 1_000_000, 3)
        if not message:
            return
        order = json.loads(message)
        if "bury" in order:
            _, status = os.waitpid(order["bury"], 0)
            ours.send(str(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if not pid:
            ours.close()
            _live(order, pipes)
        for pipe in pipes:
            os.close(pipe)
        ours.send(str(pid).encode())


def _warm() -> None:
    from gemini_interactions.cli.command_line import main  # noqa: F401
    from gemini_interactions.gemini import sdk_loader
    from gemini_interactions.mcp_server.transports.stdio import serve_stdio  # noqa: F401
    from gemini_interactions.tools.registry import tools

    tools(["ask", "research", "images"])
    sdk_loader.client("none", "http://nowhere.invalid", "v1")


def _live(order: dict[str, Any], pipes: list[int]) -> None:
    """The child's whole life."""
    code = 70
    try:
        for number, pipe in enumerate(pipes):
            os.dup2(pipe, number)
            os.close(pipe)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        os.environ.clear()
        os.environ.update(order["environ"])
        os.chdir(order["cwd"])
        if ahead := os.environ.pop("GEMINI_TEST_CLOCK_AHEAD", ""):
            _set_clock(float(ahead))
        from gemini_interactions.cli.command_line import main

        code = main(order["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _set_clock(ahead: float) -> None:
    """Make the server's wall clock so many seconds fast."""
    from gemini_interactions.app import App

    (App.__init__.__kwdefaults__ or {})["now"] = lambda: time.time() + ahead


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        _main(ours)
