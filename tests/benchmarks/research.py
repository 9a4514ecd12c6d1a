"""Research: thousands of runs in flight on one gateway process, and how often one is looked at.

The gateway and the emulator are processes of their own. Idle is a gateway that has started one
research and answered for it: everything it needs is imported by then. The looks at one run are
counted on a clock that jumps.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
import time
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import anyio
import httpx2

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.app import App
from gemini_interactions.bridge.requests import Caller, ResearchRequest
from gemini_interactions.config.settings import Config
from tests.benchmarks.http import ENVELOPE
from tests.benchmarks.report import Measurement
from tests.support import protocol
from tests.support.app_harness import Clock
from tests.support.fake_clock_sleep import FakeClockSleep
from tests.support.listening_process import EMULATOR, GATEWAY, ListeningProcess, listening
from tests.support.protocol import ACCEPT

RUNS = {1_000: (40.0, 50.0), 10_000: (inf, inf)}
"""How many, and the budgets for their memory (MB) and for a `check_research` beside them (ms)."""
AT_ONCE = 8
CHECKS = 300
STILL = 20.0
"""Seconds over which the CPU is counted that following them takes."""
ANY = inf  # a figure to read, without a budget
LIVES = (20, 60)
"""Minutes a run takes whose looks are counted."""


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    with tempfile.TemporaryDirectory() as folder:
        emulator = [*EMULATOR, "--research-seconds", "86400"]
        with listening(emulator, clean) as google:
            environ = {
                **clean,
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": google.url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/gateway",
            }
            with listening(GATEWAY, environ) as gateway:
                rows = anyio.run(crowded, gateway)
                what = f"SIGTERM → exit with {max(RUNS):,} researches in flight"
                rows.append(Measurement(what, "s", ended(gateway), ANY))
        return [*rows, *(anyio.run(looked, minutes, folder) for minutes in LIVES)]


async def call(http: httpx2.AsyncClient, place: str, tool: str, **arguments: Any) -> str:
    params = {"name": tool, "arguments": arguments, "_meta": ENVELOPE}
    answer = await http.post(
        f"{place}/mcp",
        json=protocol.request("tools/call", params),
        headers={"accept": ACCEPT, **protocol.http_headers("tools/call", params)},
    )
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    result = json.loads([line for line in lines if line.startswith("{")][-1])["result"]
    if result.get("isError"):
        raise RuntimeError(f"{tool} was refused: {result['content']}")
    return json.dumps(result)


async def crowded(gateway: ListeningProcess) -> list[Measurement]:
    place = gateway.url.removesuffix("/mcp")
    ids: list[str] = []
    rows: list[Measurement] = []
    async with httpx2.AsyncClient(timeout=120, trust_env=False) as http:

        async def started(first: int, until: int, step: int) -> None:
            for number in range(first, until, step):
                said = await call(http, place, "start_deep_research", question=f"Run {number}?")
                ids.append(re.findall(r"r_\w{10}", said)[0])

        async def checked(id: str) -> float:
            began = time.perf_counter()
            await call(http, place, "check_research", research_id=id)
            return (time.perf_counter() - began) * 1000

        await started(0, 1, 1)
        for _ in range(20):
            await checked(ids[0])
        idle = resident(gateway)
        for runs, (memory, check) in RUNS.items():
            there = len(ids)
            began = time.perf_counter()
            async with anyio.create_task_group() as tasks:
                for first in range(there, there + AT_ONCE):
                    tasks.start_soon(started, first, runs, AT_ONCE)
            each = (time.perf_counter() - began) * 1000 / (runs - there)
            took = [await checked(ids[number * 7 % runs]) for number in range(CHECKS)]
            busy, began = gateway.busy, time.perf_counter()
            await anyio.sleep(STILL)
            share = (gateway.busy - busy) / (time.perf_counter() - began) / 10
            what = f"{runs:,} researches in flight"
            note = f"p50 {median(took):,.1f} ms, n={CHECKS}"
            rows += [
                Measurement(
                    f"memory of {what}, above idle", "MB", resident(gateway) - idle, memory
                ),
                Measurement(
                    f"check_research beside {what}, p95",
                    "ms",
                    quantiles(took, n=20)[18],
                    check,
                    note=note,
                ),
                Measurement(f"a start up to {what}, {AT_ONCE} at once", "ms", each, ANY),
                Measurement(f"CPU with {what}, nobody asking", "%", share, ANY),
            ]
    return rows


def ended(gateway: ListeningProcess) -> float:
    """Seconds until it has exited, once it was told to."""
    began = time.perf_counter()
    os.kill(gateway.pid, signal.SIGTERM)
    while Path(f"/proc/{gateway.pid}/status").read_text().find("State:\tZ") < 0:
        time.sleep(0.02)
    return time.perf_counter() - began


def resident(server: ListeningProcess) -> float:
    """Its memory in MB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def looked(minutes: int, folder: str) -> Measurement:
    """The looks at one run of so many minutes, of which nobody asks."""
    os.environ["GEMINI_API_KEY"] = "benchmark"
    clock = Clock()
    fake_sleep = FakeClockSleep(clock)
    with Emulator() as emulator:
        control = emulator.control = EmulatorControl(clock=clock)
        control.research_seconds = minutes * 60
        config = Config.read(
            {
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": emulator.url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/{minutes}",
            }
        )
        app = App(config, now=clock, sleep=fake_sleep.sleep)
        async with app.running():
            researches = (await app.bridge()).researches
            await researches.start(Caller(), ResearchRequest("How often?"))
            assert app.maintenance is not None
            works = app.maintenance._executor.running
            fake_sleep.awake = lambda: len(works)
            while len(works):
                await fake_sleep.run(60)
        looks = sum(each.kind == "get" for each in control.log)
    return Measurement(f"looks at a research of {minutes} minutes", "looks", looks, ANY)
