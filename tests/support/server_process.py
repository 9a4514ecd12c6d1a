"""Servers that are processes of their own, each with the only client it has."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio

from tests.support.app_harness import ToolResult
from tests.support.fork_server import ForkOrder, ForkServer, environment
from tests.support.jsonrpc_client import PATIENCE, ConnectionClosed, JsonRpcClient
from tests.support.protocol import Era, Message

MOST_LINE = 64 * 2**20
CLIENT = "claude-code"
SHORT_LEASE = {"GEMINI_MCP_LEASE_SECONDS": "0.2"}
"""Leases end soon after a kill."""


class ServerProcess(JsonRpcClient):
    """One server process, spoken to over its stdin and stdout."""

    def __init__(
        self,
        pid: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log: Path,
        wait: Callable[[], Awaitable[int]],
        era: Era,
        *,
        name: str = CLIENT,
        wants_progress: bool = False,
        stdout: asyncio.ReadTransport | None = None,
    ) -> None:
        super().__init__(era, name, wants_progress=wants_progress)
        self.pid = pid
        self.is_alive = True
        self.lines: list[str] = []
        """What it wrote to stdout."""
        self._reader, self._writer = reader, writer
        self._stdout = stdout
        self._log = log
        self._wait = wait
        self._listener = asyncio.get_running_loop().create_task(self._listen())

    async def send(self, message: Message | str | bytes) -> None:
        """One line, as it is where it is a text."""
        line = json.dumps(message) if isinstance(message, dict) else message
        try:
            self._writer.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
            await self._writer.drain()
        except OSError:
            raise ConnectionClosed from None

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self.lines.append(line.decode())
                if line.endswith(b"\n"):  # or it died in the middle of it
                    self.receive(json.loads(line))
        finally:
            self.receive(None)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits until something out there is true, or the process is gone."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                if self.is_over:
                    raise ConnectionClosed
                await anyio.sleep(0.005)

    # What becomes of it

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def killed(self) -> int:
        self.kill()
        return await self.ended()

    def hang_up(self) -> None:
        """Closes its stdin."""
        self._writer.close()

    def stop_reading(self, *, close: bool) -> None:
        """Reads no more of its stdout; `close` tells it so."""
        assert self._stdout is not None
        self._stdout.close() if close else self._stdout.pause_reading()

    def close(self) -> None:
        """The client is gone: nothing is said any more, and nothing read."""
        self.stop_reading(close=True)
        self.hang_up()

    async def exit_code(self) -> int:
        """Waits for its end without reading what it still says; minus the signal that killed it."""
        with anyio.fail_after(PATIENCE):
            code = await self._wait()
        self.is_alive = False
        self._writer.close()
        if self._stdout is not None:
            self._stdout.close()
        return code

    async def ended(self) -> int:
        """Reads what it still says, waits for its end; the exit code."""
        with anyio.fail_after(PATIENCE):
            await asyncio.shield(self._listener)
        return await self.exit_code()

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text("utf-8", "replace")


Start = Callable[..., Awaitable[ServerProcess]]
"""Starts a server: `await start("modern", NAME="value")`; the arguments may be left out."""


async def spawn(folder: Path, era: Era = "modern", *arguments: str) -> ServerProcess:
    """A server started as a host starts it, by an interpreter of its own."""
    log = folder / "stderr.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-m", "gemini_interactions", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=environment(),
            cwd=folder,
            limit=MOST_LINE,
        )
    assert process.stdin
    assert process.stdout
    return ServerProcess(process.pid, process.stdout, process.stdin, log, process.wait, era)


async def fork(
    forks: ForkServer,
    folder: Path,
    era: Era = "modern",
    order: ForkOrder | None = None,
    *,
    name: str = CLIENT,
    wants_progress: bool = False,
) -> ServerProcess:
    """A server that is there at once, in the environment of the test and with more of it."""
    log = folder / "stderr.log"
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    with log.open("ab") as stderr:
        pipes = (their_in, their_out, stderr.fileno())
        pid = forks.start(order or ForkOrder(), folder, pipes)
    os.close(their_in)
    os.close(their_out)

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MOST_LINE)
    stdout, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_in, "rb", 0)
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(our_out, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    return ServerProcess(
        pid,
        reader,
        writer,
        log,
        lambda: forks.ended(pid),
        era,
        name=name,
        wants_progress=wants_progress,
        stdout=stdout,
    )


async def finished_research(server: JsonRpcClient, id: str) -> ToolResult:
    """How a research stands once it is over."""
    while (said := await server.call("check_research", research_id=id, wait_seconds=10)).status == (
        "running"
    ):
        pass
    return said
