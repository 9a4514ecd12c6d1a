"""Servers as processes of their own, spoken to in raw JSON-RPC over stdin and stdout."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    CallToolResult,
)

from tests.support.app_harness import ToolResult
from tests.support.prefork import Prefork

Era = Literal["modern", "legacy"]
Message = dict[str, Any]

PATIENCE = 60.0
MOST_LINE = 64 * 2**20
CLIENT = {"name": "claude-code", "version": "1"}


class Server:
    """One server process and the only client it has."""

    def __init__(
        self,
        pid: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log: Path,
        ended: Callable[[], Awaitable[int]],
        era: Era,
        ears: asyncio.ReadTransport | None = None,
    ) -> None:
        self.pid = pid
        self.era = era
        self.is_alive = True
        self.lines: list[str] = []
        self.unread: list[Message] = []
        """What it said that nobody had waited for when it ended."""
        self._reader, self._writer = reader, writer
        self._ears = ears
        self._log = log
        self._ended = ended
        self._ids = itertools.count(1)

    # What a client does

    async def hello(self, version: str = "2025-11-25") -> Message:
        """The handshake of its era; what the server says of itself."""
        if self.era == "modern":
            return await self.ask("server/discover")
        said = await self.ask(
            "initialize", protocolVersion=version, capabilities={}, clientInfo=CLIENT
        )
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return said

    async def ask(self, method: str, **params: Any) -> Message:
        """A request and the whole message that answers it."""
        return await self.answer(await self.request(method, **params))

    async def request(self, method: str, **params: Any) -> int:
        """Sends a request and waits for nothing; its id."""
        frame = self.frame(method, **params)
        await self.send(frame)
        return int(frame["id"])

    def frame(self, method: str, **params: Any) -> Message:
        """A request as its era writes it, not sent yet."""
        if self.era == "modern":
            params["_meta"] = {
                PROTOCOL_VERSION_META_KEY: "2026-07-28",
                CLIENT_INFO_META_KEY: CLIENT,
                CLIENT_CAPABILITIES_META_KEY: {},
                **params.get("_meta", {}),
            }
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    async def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        return self.said(await self.ask("tools/call", name=tool, arguments=arguments))

    async def send(self, message: Message | str | bytes) -> None:
        """One line, as it is where it is a text."""
        line = json.dumps(message) if isinstance(message, dict) else message
        self._writer.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        await self._writer.drain()

    async def answer(self, id: int) -> Message:
        """The answer to the request with this id; other messages are passed over."""
        with anyio.fail_after(PATIENCE):
            while line := await self._reader.readline():
                self.lines.append(line.decode())
                message: Message = json.loads(line)
                if message.get("id") == id and "method" not in message:
                    return message
        raise ConnectionError(f"The server ended without an answer. Its log: {self.log}")

    async def next(self) -> Message:
        """The next message, whatever it is."""
        with anyio.fail_after(PATIENCE):
            line = await self._reader.readline()
        self.lines.append(line.decode())
        return dict(json.loads(line))

    @staticmethod
    def said(message: Message) -> ToolResult:
        assert "result" in message, message
        return ToolResult.of(CallToolResult.model_validate(message["result"]))

    # What becomes of it

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Closes its stdin."""
        self._writer.close()

    def stop_reading(self, *, close: bool) -> None:
        """Reads no more of its stdout; `close` tells it so."""
        assert self._ears is not None
        self._ears.close() if close else self._ears.pause_reading()

    async def left(self) -> int:
        """Waits for its end without reading what it still says."""
        with anyio.fail_after(PATIENCE):
            code = await self._ended()
        self.is_alive = False
        self._writer.close()
        if self._ears is not None:
            self._ears.close()
        return code

    async def ended(self) -> int:
        """Reads what it still says, waits for its end; the exit code, or minus the signal."""
        with anyio.fail_after(PATIENCE):
            while line := await self._reader.readline():
                self.lines.append(line.decode())
                if line.endswith(b"\n"):
                    self.unread.append(json.loads(line))
        return await self.left()

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text("utf-8", "replace")


Start = Callable[..., Awaitable[Server]]
"""Starts a server: `await start("modern", NAME="value")`; the arguments may be left out."""


async def spawn(folder: Path, era: Era = "modern", *arguments: str) -> Server:
    """A server started as a host starts it, in this environment."""
    log = folder / "stderr.log"
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-m", "gemini_interactions", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=folder,
            limit=MOST_LINE,
        )
    assert process.stdin
    assert process.stdout
    return Server(process.pid, process.stdout, process.stdin, log, process.wait, era)


async def bear(nursery: Prefork, folder: Path, era: Era = "modern", **environ: str) -> Server:
    """A server from the nursery, in this environment and with more of it."""
    log = folder / "stderr.log"
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    with log.open("ab") as stderr:
        pipes = (their_in, their_out, stderr.fileno())
        pid = nursery.bear({**os.environ, **environ}, folder, pipes)
    os.close(their_in)
    os.close(their_out)

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MOST_LINE)
    ears, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_in, "rb", 0)
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(our_out, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)

    async def ended() -> int:
        return await anyio.to_thread.run_sync(nursery.bury, pid)

    return Server(pid, reader, writer, log, ended, era, ears)
