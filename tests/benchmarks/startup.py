"""Start-up: from spawn to the first answers, beside a bare `MCPServer` with one tool.

Both servers run on this interpreter, in turn, and are spoken to in plain JSON lines, so that
only they are measured. The first round warms the disk and is not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Measurement
from tests.support import protocol

ROUNDS = 7
WARMED = 8.0  # seconds after which the warm-up has surely ended
PATIENCE = 30.0  # seconds after which a server that does not answer is killed

BARE = """
from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
def echo(text: str) -> str:
    return text


server.run("stdio")
"""

NAME = "benchmark"
ENVELOPE = protocol.envelope(NAME)


class Child:
    """A server process and the seconds since it was spawned.

    It blocks, unlike `ServerProcess` of the tests: no event loop of ours is in what is measured.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._spawned = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
        )
        self._id = 0
        self._impatience = threading.Timer(PATIENCE, self._process.kill)
        self._impatience.start()

    def ask(self, method: str, params: Mapping[str, Any]) -> float:
        """Sends a request, waits for its answer; milliseconds from spawn to there."""
        self._id += 1
        self.tell(method, params, id=self._id)
        assert self._process.stdout
        while line := self._process.stdout.readline():
            answer = json.loads(line)
            if answer.get("id") == self._id:
                if "result" not in answer:
                    raise RuntimeError(f"{method} was answered with {answer['error']}")
                return (time.perf_counter() - self._spawned) * 1000
        raise RuntimeError(f"the server ended before it answered {method}")

    def tell(self, method: str, params: Mapping[str, Any], **more: Any) -> None:
        message = protocol.notification(method, params) | more
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def resident(self) -> float:
        """Megabytes of memory, or 0 where /proc does not say."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def end(self) -> None:
        self._impatience.cancel()
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def legacy(child: Child) -> dict[str, float]:
    first = child.ask("initialize", protocol.initialize(NAME))
    child.tell("notifications/initialized", {})
    return {"initialize": first, "tools/list": child.ask("tools/list", {})}


def modern(child: Child) -> dict[str, float]:
    return {
        "server/discover": child.ask("server/discover", {"_meta": ENVELOPE}),
        "tools/list, modern": child.ask("tools/list", {"_meta": ENVELOPE}),
    }


def measure(commands: Mapping[str, Sequence[str]], data: str) -> dict[tuple[str, str], list[float]]:
    """Samples by (server, what), the servers taking turns."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    environ["GEMINI_MCP_DATA_DIR"] = data
    samples: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS + 1):
        for era in (legacy, modern):
            for server, command in commands.items():
                child = Child(command, environ)
                try:
                    times = era(child)
                    if era is legacy and server == "ours" and number == ROUNDS:
                        time.sleep(WARMED)
                        times["resident memory"] = child.resident()
                finally:
                    child.end()
                if number:
                    for what, value in times.items():
                        samples.setdefault((server, what), []).append(value)
    return samples


def run() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as data:
        bare = Path(data, "bare.py")
        bare.write_text(BARE)
        ours = [sys.executable, "-m", "gemini_interactions"]
        samples = measure({"bare": [sys.executable, str(bare)], "ours": ours}, f"{data}/ours")

    budgets = {
        "initialize": 0.25,
        "server/discover": 0.25,
        "tools/list": 0.25,
        "tools/list, modern": 0.25,
    }
    rows = [
        Measurement.ratio(
            f"spawn → {what}", "ms", samples["ours", what], samples["bare", what], budget
        )
        for what, budget in budgets.items()
    ]
    memory = samples["ours", "resident memory"]
    if all(memory):
        rows.append(Measurement("memory, idle once the warm-up has ended", "MB", memory[0], 100))
    return rows
