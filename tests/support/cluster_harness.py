"""A cluster of gateways: real server processes on one database, and clients sent round them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
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
from tests.support.gateway_harness import ACCEPT, ENVELOPE, Wire
from tests.support.prefork import ROOT, Prefork

T = TypeVar("T")

PATIENCE = 60.0
"""Longest a test waits for something that is sure to come."""

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
WHERE = re.compile(r"serves (http://\S+)/mcp")


class Replica:
    """One server process."""

    def __init__(self, pid: int, log: Path, nursery: Prefork) -> None:
        self.pid = pid
        self.url = ""
        self._log = log
        self._nursery = nursery
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
        await until(lambda: _is_gone(self.pid), f"{self.pid} did not end:\n{self.log}")
        self.is_over = True
        return await anyio.to_thread.run_sync(self._nursery.bury, self.pid)


class Cluster:
    """Opens replicas that share a database, an emulator, tokens and a folder for images."""

    def __init__(
        self, control: EmulatorControl, folder: Path, nursery: Prefork, **shared: str
    ) -> None:
        self.control = control
        self.folder = folder
        self.images = folder / "images"
        self.replicas: list[Replica] = []
        self._nursery = nursery
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
            environ = {
                **_ours(),
                **self._shared,
                "GEMINI_MCP_DATA_DIR": str(place / "data"),
                **settings,
            }
            pid = self._bear(environ, place, log)
            replica = Replica(pid, log, self._nursery)
            self.replicas.append(replica)
            new.append(replica)
        for replica in new:
            await replica.up()
        return new

    def _bear(self, environ: dict[str, str], place: Path, log: Path) -> int:
        with log.open("ab") as stderr, open(os.devnull, "r+b") as nothing:
            ends = (nothing.fileno(), stderr.fileno(), stderr.fileno())
            return self._nursery.bear(environ, place, ends, ("serve", "--http", "127.0.0.1:0"))

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
        return ClusterClient(await Wire.begin(http, legacy=legacy))

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            for http in self._raw:
                await http.aclose()
            for replica in self.replicas:
                if not replica.is_over:
                    with suppress(ProcessLookupError):
                        replica.kill()
                    await replica.ended()


class ClusterClient:
    """A client by hand."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.http = wire.http

    async def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        return await self.wire.call(tool, **arguments)

    async def ask(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_ask", prompt=prompt, **more)

    async def follow(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_continue", prompt=prompt, **more)

    async def result(self, id: str, **more: Any) -> ToolResult:
        return await self.call("gemini_result", id=id, **more)

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

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Any other request; the whole message that answers it."""
        params["_meta"] = ENVELOPE
        headers = {**self.wire.headers, "mcp-method": method}
        if "uri" in params:
            headers["mcp-name"] = params["uri"]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await self.http.post("/mcp", json=body, headers=headers)
        lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
        message: dict[str, Any] = json.loads([line for line in lines if line.startswith("{")][-1])
        return message


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


def _is_gone(pid: int) -> bool:
    """Whether it has ended (and may wait to be buried)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def _ours() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
