"""Research: a thousand runs in flight on one gateway process, and how often one is looked at.

The gateway and the emulator are processes of their own. Idle is a gateway that has started one
research and answered for it: everything it needs is imported by then. The looks at one run are
counted on a clock that jumps.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from statistics import median, quantiles

import anyio
import httpx2

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.app import App
from gemini_interactions.bridge.requests import Caller, ResearchRequest
from gemini_interactions.config.settings import Config
from tests.benchmarks.gateway import call
from tests.benchmarks.http import Server, serving
from tests.benchmarks.report import Measurement
from tests.support.app_harness import Clock
from tests.support.fake_clock_sleep import FakeClockSleep

RUNS = 1_000
AT_ONCE = 8
CHECKS = 300
CLI = [sys.executable, "-m", "gemini_interactions"]
ANY = inf  # a figure to read, without a budget
LIVES = (20, 60)
"""Minutes a run takes whose looks are counted."""


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    with tempfile.TemporaryDirectory() as folder:
        emulator = [*CLI, "emulator", "--research-seconds", "86400"]
        with serving(emulator, clean) as google:
            environ = {
                **clean,
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": google.url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/gateway",
            }
            with serving([*CLI, "serve", "--http", "127.0.0.1:0"], environ) as gateway:
                rows = anyio.run(crowded, gateway)
        return [*rows, *(anyio.run(looked, minutes, folder) for minutes in LIVES)]


async def crowded(gateway: Server) -> list[Measurement]:
    place = gateway.url.removesuffix("/mcp")
    ids: list[str] = []
    async with httpx2.AsyncClient(timeout=120, trust_env=False) as http:

        async def started(first: int, step: int) -> None:
            for number in range(first, RUNS, step):
                said = await call(http, place, "start_deep_research", question=f"Run {number}?")
                ids.append(re.findall(r"r_\w{10}", said)[0])

        async def checked(id: str) -> float:
            began = time.perf_counter()
            await call(http, place, "check_research", research_id=id)
            return (time.perf_counter() - began) * 1000

        await started(0, RUNS)
        for _ in range(20):
            await checked(ids[0])
        idle = resident(gateway)
        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for first in range(1, AT_ONCE + 1):
                tasks.start_soon(started, first, AT_ONCE)
        each = (time.perf_counter() - began) * 1000 / (RUNS - 1)
        took = [await checked(ids[number * 7 % RUNS]) for number in range(CHECKS)]
        most = resident(gateway)
    note = f"p50 {median(took):,.0f} ms, n={CHECKS}"
    return [
        Measurement(f"memory of {RUNS:,} researches in flight, above idle", "MB", most - idle, 40),
        Measurement(
            "check_research beside them, p95", "ms", quantiles(took, n=20)[18], 50, note=note
        ),
        Measurement(f"a start among them, {AT_ONCE} at once", "ms", each, ANY),
    ]


def resident(server: Server) -> float:
    """Its memory in MB."""
    status = Path(f"/proc/{server.process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def looked(minutes: int, folder: str) -> Measurement:
    """The looks at one run of so many minutes, of which nobody asks."""
    os.environ["GEMINI_API_KEY"] = "benchmark"
    clock = Clock()
    glass = FakeClockSleep(clock)
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
        app = App(config, now=clock, sleep=glass.sleep)
        async with app.running():
            researches = (await app.bridge()).researches
            await researches.start(Caller(), ResearchRequest("How often?"))
            assert app.maintenance is not None
            works = app.maintenance._executor.running
            glass.awake = lambda: len(works)
            while len(works):
                await glass.run(60)
        looks = sum(each.kind == "get" for each in control.log)
    return Measurement(f"looks at a research of {minutes} minutes", "looks", looks, ANY)
