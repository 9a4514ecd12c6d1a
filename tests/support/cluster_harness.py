"""A cluster of gateways: real server processes on one database, and clients sent round them."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.abc
import httpx2

from gemini_emulator import EmulatorControl
from tests.support.app_harness import ToolResult
from tests.support.fork_server import ForkOrder, ForkServer
from tests.support.http_client import HttpClient
from tests.support.protocol import ACCEPT

T = TypeVar("T")

PATIENCE = 60.0
"""Longest a test waits for something that is sure to come."""

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
WHERE = re.compile(r"serves (http://\S+)/mcp")


class Replica:
    """One server process."""

    def __init__(self, pid: int, log: Path, fork_server: ForkServer) -> None:
        self.pid = pid
        self.url = ""
        self._log = log
        self._fork_server = fork_server
        self.is_over = False

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text("utf-8", "replace")

    async def up(self) -> None:
        """Once it listens."""
        said = await until(lambda: WHERE.findall(self.log), f"no address from {self.pid}")
        self.url = str(said[0])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """It is gone at once, with nothing said."""
        self.signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        with anyio.fail_after(PATIENCE):
            code = await self._fork_server.ended(self.pid)
        self.is_over = True
        return code


class Cluster:
    """Opens replicas that share a database, an emulator, tokens and a folder for images."""

    def __init__(
        self, control: EmulatorControl, folder: Path, fork_server: ForkServer, **shared: str
    ) -> None:
        self.control = control
        self.folder = folder
        self.images = folder / "images"
        self.replicas: list[Replica] = []
        self.clock = 0.0
        """Seconds by which clocks of replicas that are opened from now on are ahead."""
        self._fork_server = fork_server
        self._raw: list[httpx2.AsyncClient] = []
        self._shared = {
            "GEMINI_API_KEY": "test-key",
            "GEMINI_MCP_IMAGES_DIR": str(self.images),
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
            "GEMINI_MCP_RATE_LIMIT": "0",
            "GEMINI_MCP_SIGNING_KEY": "the same for every replica",
            "GEMINI_MCP_TOKENS_FILE": str(self._tokens()),
            **shared,
        }

    def _tokens(self) -> Path:
        file = self.folder / "tokens"
        lines = [f"{who}:{hashlib.sha256(it.encode()).hexdigest()}\n" for it, who in TOKENS.items()]
        file.write_text("".join(lines))
        return file

    async def open(self, number: int = 1, **settings: str) -> list[Replica]:
        """So many replicas, started side by side, each with a data folder of its own."""
        new = []
        for _ in range(number):
            place = self.folder / f"replica-{len(self.replicas)}"
            place.mkdir()
            log = place / "stderr.log"
            environ = {**self._shared, "GEMINI_MCP_DATA_DIR": str(place / "data"), **settings}
            order = ForkOrder(("serve", "--http", "127.0.0.1:0"), environ, self.clock)
            replica = Replica(self._start(order, place, log), log, self._fork_server)
            self.replicas.append(replica)
            new.append(replica)
        for replica in new:
            await replica.up()
        return new

    def _start(self, order: ForkOrder, place: Path, log: Path) -> int:
        with log.open("ab") as stderr, open(os.devnull, "r+b") as nothing:
            pipes = (nothing.fileno(), stderr.fileno(), stderr.fileno())
            return self._fork_server.start(order, place, pipes)

    async def connect(
        self, *replicas: Replica, token: str = "anns-token", legacy: bool = False
    ) -> ClusterClient:
        """Somebody whose requests go to these replicas in turn (one is always the same)."""
        http = httpx2.AsyncClient(
            base_url="http://nobody",
            headers={"accept": ACCEPT, "authorization": f"Bearer {token}"},
            timeout=PATIENCE,
            transport=_InTurn(replicas or self.replicas),
        )
        self._raw.append(http)
        return await ClusterClient.connect(http, legacy=legacy)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            for http in self._raw:
                await http.aclose()
            for replica in self.replicas:
                if not replica.is_over:
                    with suppress(ProcessLookupError):
                        replica.kill()
                    await replica.ended()


class ClusterClient(HttpClient):
    """A client by hand that asks and researches."""

    async def ask(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_ask", prompt=prompt, **more)

    async def follow(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_continue", prompt=prompt, **more)

    async def research(self, question: str, **more: Any) -> str:
        begun = await self.call("start_deep_research", question=question, **more)
        assert not begun.is_error, begun.text
        return str(begun.facts["research_id"])

    async def finished(self, tool: str = "gemini_result", **arguments: Any) -> ToolResult:
        """What the tool says once it no longer says "running"."""
        with anyio.fail_after(PATIENCE):
            while (said := await self.call(tool, **arguments)).status == "running":
                await anyio.sleep(0.1)
        return said


class _InTurn(httpx2.AsyncBaseTransport):
    """A balancer without any stickiness: every request goes to the next replica."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._replicas = list(replicas)
        self._next = 0
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        replica = self._replicas[self._next % len(self._replicas)]
        self._next += 1
        request.url = httpx2.URL(replica.url).join(request.url.raw_path.decode())
        request.headers["host"] = request.url.netloc.decode()
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def until(true: Callable[[], T], else_: str = "it never came true") -> T:
    """What `true` returns, once that is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, else_
        await anyio.sleep(0.02)
    return found


async def until_so(true: Callable[[], Awaitable[T]], else_: str = "it never came true") -> T:
    deadline = time.monotonic() + PATIENCE
    while not (found := await true()):
        assert time.monotonic() < deadline, else_
        await anyio.sleep(0.05)
    return found
