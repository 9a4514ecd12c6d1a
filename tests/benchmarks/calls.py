"""Calls: what the bridge adds to Google's SDK, and what others notice while one runs.

The overhead is measured in one process, our call and the SDK's own in turn, against an emulator
in another; everything else on the real server over stdio.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

import anyio

from gemini_emulator import Emulator
from gemini_interactions.app import App
from gemini_interactions.bridge.requests import AskRequest, Caller
from gemini_interactions.config.settings import Config
from tests.benchmarks.report import Measurement
from tests.benchmarks.startup import ENVELOPE, NAME, Child
from tests.support import protocol

ROUNDS = 60
BESIDE = 8
"""Calls beside which others are measured; fewer would leave the machine idle."""
RUNNING = 6.0
"""Seconds that the call takes beside which others are measured."""
REPEATS = 7

DIRECTLY = """
import asyncio, sys, time
from google import genai

client = genai.Client(api_key="benchmark", http_options={"base_url": sys.argv[1]})


async def ask(prompt):
    start = time.perf_counter()
    stream = await client.aio.interactions.create(
        model="gemini-3.8-flash",
        input=prompt,
        generation_config={"thinking_summaries": "auto"},
        stream=True,
    )
    async for _ in stream:
        pass
    return (time.perf_counter() - start) * 1000


with asyncio.Runner() as runner:
    for line in sys.stdin:
        print(runner.run(ask(line.strip())), flush=True)
"""

EMULATOR = """
import sys
from gemini_emulator import Emulator

with Emulator() as emulator:
    print(emulator.url, flush=True)
    sys.stdin.read()
"""


def run() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        rows = [anyio.run(overhead, folder)]
        with Emulator() as emulator:
            environ = {
                **{k: v for k, v in os.environ.items() if not k.startswith(("GEMINI_", "GOOGLE_"))},
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": emulator.url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/server",
            }
            rows += pings(emulator, environ)
            rows += [cancel(emulator, environ), *exits(emulator, environ)]
    return rows


# ------------------------------------------------------------------------------- overhead


async def overhead(folder: str) -> Measurement:
    with emulator_elsewhere() as url, unpatched_sdk(url) as ask_directly:
        config = Config.read(
            {
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/bridge",
            }
        )
        os.environ["GEMINI_API_KEY"] = "benchmark"
        ours, direct = [], []
        app = App(config)
        async with app.running():
            conversations = await app.conversations()
            for number in range(ROUNDS):
                took = ask_directly(f"Hello {number}")
                middle = time.perf_counter()
                reply = await conversations.ask(Caller(), AskRequest(f"Hello {number}"))
                end = time.perf_counter()
                assert reply.turn.status == "completed"
                if number >= ROUNDS // 10:
                    direct.append(took)
                    ours.append((end - middle) * 1000)
    return Measurement.ratio(
        "one ask through the bridge, against the SDK", "ms", ours, direct, 0.35
    )


@contextmanager
def unpatched_sdk(url: str) -> Iterator[Callable[[str], float]]:
    """Asks by Google's SDK alone, in a process of its own; milliseconds as measured there."""
    process = subprocess.Popen(
        [sys.executable, "-c", DIRECTLY, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    written, told = process.stdin, process.stdout

    def ask(prompt: str) -> float:
        written.write(f"{prompt}\n")
        written.flush()
        return float(told.readline())

    try:
        yield ask
    finally:
        written.close()
        process.wait()
        told.close()


@contextmanager
def emulator_elsewhere() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", EMULATOR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


# ------------------------------------------------------------------- the server over stdio


class Server(Child):
    """A server that has answered its first call, so that everything is warm."""

    _numbers = itertools.count(1)

    def __init__(self, environ: Mapping[str, str], era: str) -> None:
        super().__init__([sys.executable, "-m", "gemini_interactions"], environ)
        self._meta = {"_meta": ENVELOPE} if era == "modern" else {}
        if era == "legacy":
            self.ask("initialize", protocol.initialize(NAME))
            self.tell("notifications/initialized", {})
        self.timed("tools/call", {"name": "gemini_ask", "arguments": {"prompt": "warm"}})

    def timed(self, method: str, params: Mapping[str, Any]) -> float:
        """Milliseconds until that is answered."""
        start = time.perf_counter()
        self.ask(method, {**params, **self._meta})
        return (time.perf_counter() - start) * 1000

    def begin(self, prompt: str) -> str:
        """Calls without waiting; the request's id."""
        id = f"call-{next(self._numbers)}"
        call = {"name": "gemini_ask", "arguments": {"prompt": prompt}}
        self.tell("tools/call", {**call, **self._meta}, id=id)
        return id

    def close(self) -> float:
        """Milliseconds from the end of stdin to the end of the process."""
        assert self._process.stdin
        start = time.perf_counter()
        self._process.stdin.close()
        self._process.wait(30)
        self._impatience.cancel()
        return (time.perf_counter() - start) * 1000


def pings(emulator: Emulator, environ: Mapping[str, str]) -> list[Measurement]:
    """Round trips of something light, one after the other, while a call is sent and answered."""
    rows = []
    for era, method in (("legacy", "ping"), ("modern", "tools/list")):
        server = Server(environ, era)
        emulator.control.delay(RUNNING, "create")
        for number in range(BESIDE):
            server.begin(f"a long answer, please, of {number}")
        took = []
        end = time.perf_counter() + RUNNING - 0.5
        while time.perf_counter() < end:
            took.append(server.timed(method, {}))
            time.sleep(0.005)
        emulator.control.delay(0, "create")
        server.end()
        p95 = quantiles(took, n=20)[-1]
        note = f"p50 {median(took):.1f}, n={len(took)}"
        rows.append(
            Measurement(f"`{method}` while {BESIDE} calls run, p95", "ms", p95, 10, note=note)
        )
        rows.append(Measurement(f"`{method}` while {BESIDE} calls run, worst", "ms", max(took), 60))
    return rows


def cancel(emulator: Emulator, environ: Mapping[str, str]) -> Measurement:
    """From a person's abort to the end of the connection at Google's side."""
    server = Server(environ, "modern")
    took = []
    for number in range(REPEATS):
        gate = emulator.control.hold_next("create", "before_completed")
        call = server.begin(f"abort {number}")
        assert gate.wait_reached()
        post = emulator.control.posts[-1]
        start = time.perf_counter()
        reason = {"requestId": call, "reason": "AbortError: This operation was aborted"}
        server.tell("notifications/cancelled", reason)
        assert emulator.control.wait_until(lambda post=post: post.closed_early)  # type: ignore[misc]
        took.append((time.perf_counter() - start) * 1000)
    server.end()
    note = f"worst {max(took):.1f}, n={len(took)}"
    return Measurement("a user's cancel → upstream closed", "ms", median(took), 50, note=note)


def exits(emulator: Emulator, environ: Mapping[str, str]) -> list[Measurement]:
    rows = []
    for what, busy in (("with a call running", True), ("while it warms up", False)):
        took = []
        for number in range(REPEATS):
            if busy:
                server = Server(environ, "modern")
                gate = emulator.control.hold_next("create", "before_completed")
                server.begin(f"leave {number}")
                assert gate.wait_reached()
                took.append(server.close())
            else:
                child = Warming(environ)
                took.append(child.close())
        note = f"worst {max(took):,.0f}, n={len(took)}"
        rows.append(
            Measurement(f"end of stdin → exit, {what}", "ms", median(took), 1000, note=note)
        )
    return rows


class Warming(Server):
    """A server that has listed its tools a moment ago: Google's SDK is being imported."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        Child.__init__(self, [sys.executable, "-m", "gemini_interactions"], environ)
        self.ask("tools/list", {"_meta": ENVELOPE})


if __name__ == "__main__":
    from tests.benchmarks.report import table

    sys.stdout.write(table("Calls", run()) + "\n")
