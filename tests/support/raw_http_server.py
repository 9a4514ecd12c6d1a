"""A bare HTTP server in Google's place that sends exactly the bytes a test gives it.

The emulator speaks valid HTTP and valid JSON; this is for what is neither.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Self

HANG_UP = object()
"""Instead of bytes: close the connection here."""

KEEP_WAITING = object()
"""Instead of bytes: say no more, and notice when the client leaves."""


@dataclass
class ReceivedRequest:
    """One request, as it came."""

    line: str
    headers: dict[str, str]
    body: Any
    connection: int


@dataclass
class RawHttpServer:
    """Answers each request with the next of `answers`, a list of bytes."""

    answers: list[list[Any]] = field(default_factory=list)
    requests: list[ReceivedRequest] = field(default_factory=list)
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    client_left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _connections: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def respond_with_stream(self, *events: dict[str, Any], then: Any = b"0\r\n\r\n") -> None:
        """The next answer is a stream of these events, [DONE], and then that."""
        lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
        if then == b"0\r\n\r\n":
            lines.append(b"event: done\ndata: [DONE]\n\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        chunks = [b"%x\r\n%s\r\n" % (len(line), line) for line in lines]
        self.answers.append([head + b"transfer-encoding: chunked\r\n\r\n", *chunks, then])

    def respond_with(
        self, body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = ""
    ) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}"
        self.answers.append([head.encode() + b"\r\n" + body])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = self._connections
        try:
            while await self._exchange(reader, writer, connection):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.client_left.set()
        writer.close()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> bool:
        line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(
            ReceivedRequest(line, headers, json.loads(body) if body else None, connection)
        )
        for piece in self.answers.pop(0):
            if piece is HANG_UP:
                return False
            if piece is KEEP_WAITING:
                self.sent.set()
                return bool(await reader.read(1))
            writer.write(piece)
            await writer.drain()
        return True
