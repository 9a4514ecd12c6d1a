"""64 clients at once over HTTP, beside the bare SDK's echo tool served the same way.

Every client keeps a connection of its own and sends the next call when the last is answered.
Every prompt is unique and comes back in its answer, so a lost, doubled or mixed-up one shows.
Our calls go on to the emulator and into the database; an echo does neither, so the ratio says
what a call costs in all, not what HTTP costs.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import anyio
import httpx2

from tests.benchmarks.report import Measurement
from tests.support import protocol
from tests.support.listening_process import EMULATOR, GATEWAY, ListeningProcess, listening
from tests.support.protocol import ACCEPT, LEGACY, MODERN

CLIENTS = 64
CALLS = 2
WARM = 1
"""Calls of each client that are not counted."""

BUDGET = 30
"""Echoes in the time of one call: most of it is google-genai, whose create takes 28 ms of CPU."""

NAME = "benchmark"
ENVELOPE = protocol.envelope(NAME)

BARE = """
import socket, sys, uvicorn
from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
def echo(prompt: str) -> str:
    return prompt


listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as where uvicorn listens itself
print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
config = uvicorn.Config(server.streamable_http_app(), log_config=None, http="h11", ws="none")
uvicorn.Server(config).run(sockets=[listener])
"""


@dataclass
class Crowd:
    """What came back to a crowd of clients."""

    seconds: float = 0.0
    busy: float = 0.0
    """Milliseconds of CPU that the server used."""
    took: list[float] = field(default_factory=list)
    """Milliseconds of each call."""
    wrong: int = 0
    """Calls whose answer was not theirs, or none."""
    ids: list[str] = field(default_factory=list)

    @property
    def calls_a_second(self) -> float:
        return len(self.took) / self.seconds

    @property
    def percentiles(self) -> tuple[float, float]:
        cuts = quantiles(self.took, n=20)
        return cuts[9], cuts[18]


class Caller:
    """One client: its connection, its era, its session."""

    def __init__(self, http: httpx2.AsyncClient, url: str, version: str, tool: str) -> None:
        self._http = http
        self._url = url
        self._tool = tool
        self._version = version
        self._headers = {
            "accept": ACCEPT,
            "mcp-protocol-version": version,
        }
        self._id = 0

    async def begin(self) -> None:
        if self._version == LEGACY:
            answer = await self._post("initialize", protocol.initialize(NAME))
            self._headers["mcp-session-id"] = answer.headers["mcp-session-id"]
            body = protocol.notification("notifications/initialized")
            await self._http.post(self._url, json=body, headers=self._headers)
        else:
            self._headers |= {"mcp-method": "tools/call", "mcp-name": self._tool}

    async def call(self, **arguments: Any) -> dict[str, Any]:
        params: dict[str, Any] = {"name": self._tool, "arguments": arguments}
        if self._version == MODERN:
            params["_meta"] = ENVELOPE
        answer = await self._post("tools/call", params)
        lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        (told,) = [each for each in found if each.get("id") == self._id]
        result: dict[str, Any] = told["result"]
        return result

    async def _post(self, method: str, params: dict[str, Any]) -> httpx2.Response:
        self._id += 1
        body = protocol.request(method, params, self._id)
        return await self._http.post(self._url, json=body, headers=self._headers)


async def crowd(server: ListeningProcess, version: str, tool: str) -> Crowd:
    """All clients at once; the clock starts when each has called once."""
    seen = Crowd()
    ready = anyio.Semaphore(0)
    start = anyio.Event()

    async def one(number: int) -> None:
        async with httpx2.AsyncClient(timeout=120, trust_env=False) as http:
            caller = Caller(http, server.url, version, tool)
            await caller.begin()
            for call in range(WARM):
                await caller.call(prompt=f"warm-{version}-{number}-{call}")
            ready.release()
            await start.wait()
            for call in range(CALLS):
                prompt = f"token-{version}-{number}-{call}-"
                began = time.perf_counter()
                result = await caller.call(prompt=prompt)
                seen.took.append((time.perf_counter() - began) * 1000)
                said = result["content"][0]["text"]
                seen.wrong += re.findall(r"token-[\d-]+-", said) != [prompt]
                told = result.get("_meta", {}).get("gemini-interactions-mcp/result", {})
                seen.ids.append(told.get("id", prompt))

    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(one, number)
        for _ in range(CLIENTS):
            await ready.acquire()
        busy = server.busy
        began = time.perf_counter()
        start.set()
    seen.seconds = time.perf_counter() - began
    seen.busy = server.busy - busy
    seen.wrong += CLIENTS * CALLS - len(set(seen.ids))
    return seen


async def kept(server: ListeningProcess) -> int:
    """How many conversations the server has in all."""
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        caller = Caller(http, server.url, MODERN, "gemini_history")
        await caller.begin()
        result = await caller.call(limit=1)
    told = re.search(r"of ([\d,]+) conversations", result["content"][0]["text"])
    assert told
    return int(told[1].replace(",", ""))


def rows(era: str, ours: Crowd, bare: Crowd) -> Iterator[Measurement]:
    calls = f"{ours.calls_a_second:,.0f} / {bare.calls_a_second:,.0f} calls/s, n={len(ours.took)}"
    each = [1000 / crowd.calls_a_second for crowd in (ours, bare)]
    yield Measurement(f"{era}: time per call", "ms", each[0], BUDGET, each[1], calls)
    if bare.busy:
        cpu = [crowd.busy / len(crowd.took) for crowd in (ours, bare)]
        yield Measurement(f"{era}: CPU of the server per call", "ms", cpu[0], BUDGET, cpu[1])
    for name, mine, floor in zip(("p50", "p95"), ours.percentiles, bare.percentiles, strict=True):
        yield Measurement(f"{era}: {name} of {CLIENTS} clients", "ms", mine, BUDGET, floor)
    yield Measurement(f"{era}: answers lost, doubled or mixed up", "", ours.wrong + bare.wrong, 0)


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    measured: list[Measurement] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bare = folder / "bare.py"
        bare.write_text(BARE)
        google = stack.enter_context(listening(EMULATOR, clean))
        environ = clean | {
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": google.url,
            "GEMINI_MCP_DATA_DIR": str(folder / "data"),
            "GEMINI_MCP_MAX_CONCURRENT": str(CLIENTS),
        }
        ours = stack.enter_context(listening(GATEWAY, environ))
        floor = stack.enter_context(listening([sys.executable, str(bare)], clean))
        for era, version in (("modern", MODERN), ("legacy", LEGACY)):
            there = anyio.run(crowd, floor, version, "echo")
            here = anyio.run(crowd, ours, version, "gemini_ask")
            measured += rows(era, here, there)
        asked = 2 * CLIENTS * (CALLS + WARM)
        measured.append(
            Measurement(
                "conversations more or fewer than calls", "", abs(anyio.run(kept, ours) - asked), 0
            )
        )
    return measured
