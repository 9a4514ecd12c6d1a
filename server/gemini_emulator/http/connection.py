"""HTTP/1.1 on a socket, with the endings no polite server offers: a reset, half an answer.

Written by hand because a test needs the socket itself: to reset it, to leave a chunked body open,
and to hear at once that the client left while a request waits at a gate.
"""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

MOST_HEAD = 64 * 1024
MOST_BODY = 128 * 1024 * 1024
MOST_WAITING = 1024 * 1024  # bytes of a streamed body that wait for their reader
_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Handler = Callable[["RequestResponse"], Awaitable[None]]


class RequestResponse:
    """One request and the response to it. Its handler is cancelled when the client leaves."""

    def __init__(
        self,
        connection: "Connection",
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        incoming: "Incoming | None" = None,
    ) -> None:
        self._connection = connection
        self._incoming = incoming
        self.length = incoming.length if incoming else len(body)
        self.method = method
        path, _, query = target.partition("?")
        self.path = unquote(path)
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = headers
        self.body = body
        self.keep_alive = headers.get("connection", "").lower() != "close"
        self.is_begun = False
        self.is_over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives, for requests that are too large to be kept."""
        if self._incoming is None:
            yield self.body
            return
        while piece := await self._incoming.piece():
            yield piece

    async def respond(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json; charset=UTF-8",
        headers: Mapping[str, str] | None = None,
        *,
        only: int | None = None,
    ) -> None:
        """The whole response; with `only`, no more than so many bytes of its body."""
        async for _ in self.pieces():
            pass  # a client that is still sending would not hear us
        extra = {"Content-Length": str(len(body)), **(headers or {})}
        self.is_begun = True
        self.is_over = only is None
        await self._write(self._head(status, content_type, extra) + body[:only])

    async def respond_json(
        self, status: int, body: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        await self.respond(status, data, headers=headers)

    async def begin(self, status: int = 200, content_type: str = "text/event-stream") -> None:
        """Start a response whose length nobody knows yet."""
        self.is_begun = True
        await self._write(self._head(status, content_type, {"Transfer-Encoding": "chunked"}))

    async def send(self, data: bytes) -> None:
        await self._write(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """The proper end of what `begin` started."""
        self.is_over = True
        await self._write(b"0\r\n\r\n")

    def reset(self) -> None:
        """RST: whatever was under way is over, at once."""
        self.is_over = True
        self._connection.reset()

    def close(self) -> None:
        """FIN, wherever the response is."""
        self.is_over = True
        self._connection.close()

    def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> bytes:
        phrase = _PHRASES.get(status, "Unknown")
        connection = "keep-alive" if self.keep_alive else "close"
        lines = [
            f"HTTP/1.1 {status} {phrase}",
            f"Content-Type: {content_type}",
            "Server: gemini-emulator",
            f"Connection: {connection}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    async def _write(self, data: bytes) -> None:
        await self._connection.write(data)


class Incoming:
    """A body that is handed on piece by piece; the client waits while nobody takes them."""

    def __init__(self, length: int, transport: asyncio.Transport) -> None:
        self.length = length
        self._left = length  # to come
        self._pieces: deque[bytes] = deque()
        self._waiting = 0  # bytes
        self._transport = transport
        self._news = asyncio.Event()

    @property
    def is_complete(self) -> bool:
        return not self._left

    def feed(self, buffer: bytearray) -> None:
        """Take what belongs to this body."""
        with memoryview(buffer) as view:
            piece = bytes(view[: self._left])
        del buffer[: len(piece)]
        if not piece:
            return
        self._left -= len(piece)
        self._waiting += len(piece)
        self._pieces.append(piece)
        self._news.set()
        if self._waiting > MOST_WAITING:
            self._transport.pause_reading()

    async def piece(self) -> bytes:
        """The next piece; empty at the end."""
        while not self._pieces:
            if self.is_complete:
                return b""
            self._news.clear()
            await self._news.wait()
        piece = self._pieces.popleft()
        self._waiting -= len(piece)
        if self._waiting <= MOST_WAITING:
            self._transport.resume_reading()
        return piece


class Connection(asyncio.Protocol):
    """One client connection: its requests one after the other."""

    def __init__(
        self,
        handler: Handler,
        connections: "set[Connection]",
        is_streamed: Callable[[Mapping[str, str]], bool] = lambda headers: False,
    ) -> None:
        self._handler = handler
        self._is_streamed = is_streamed
        self._incoming: Incoming | None = None
        self._connections = connections
        self._buffer = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._incoming is not None:
            self._incoming.feed(self._buffer)
        self._next()

    async def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
            await self._writable.wait()

    def reset(self) -> None:
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> asyncio.Task[None] | None:
        """The emulator stops: end everything, and say what is still ending."""
        if self._transport is not None:
            self._transport.abort()
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _next(self) -> None:
        """Start on the next request once all of it is here."""
        if self._task is not None or self._transport is None:
            return
        try:
            exchange = self._parse()
        except ValueError:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self.close()
            return
        if exchange is not None:
            self._task = asyncio.get_running_loop().create_task(self._run(exchange))
            self._task.add_done_callback(self._done)

    def _parse(self) -> RequestResponse | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MOST_HEAD:
                    raise ValueError("head too long")
                return None
            request, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            method, target, _ = request.split(" ", 2)
            pairs = (line.partition(":") for line in lines)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            self._head = (method, target, headers)
            if headers.get("expect", "").lower() == "100-continue" and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers = self._head
        if self._is_streamed(headers) and "content-length" in headers and self._transport:
            self._head = None
            length = int(headers["content-length"])
            if length < 0:
                raise ValueError("negative length")
            self._incoming = Incoming(length, self._transport)
            self._incoming.feed(self._buffer)
            return RequestResponse(self, method, target, headers, b"", self._incoming)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked()
        else:
            body = self._sized(int(headers.get("content-length") or 0))
        if body is None:
            return None
        self._head = None
        return RequestResponse(self, method, target, headers, body)

    def _sized(self, length: int) -> bytes | None:
        if not 0 <= length <= MOST_BODY:
            raise ValueError("body too long")
        if len(self._buffer) < length:
            return None
        with memoryview(self._buffer) as buffer:
            body = bytes(buffer[:length])
        del self._buffer[:length]
        return body

    def _chunked(self) -> bytes | None:
        # Parsed anew with every packet; only small clients send chunked requests.
        parts: list[bytes] = []
        at = 0
        while True:
            line = self._buffer.find(b"\r\n", at)
            if line < 0:
                return None
            size = int(bytes(self._buffer[at:line]).split(b";")[0], 16)
            start, at = line + 2, line + 2 + size + 2
            if at > MOST_BODY:
                raise ValueError("body too long")
            if len(self._buffer) < at:
                return None
            if not size:
                del self._buffer[:at]
                return b"".join(parts)
            parts.append(bytes(self._buffer[start : start + size]))

    async def _run(self, exchange: RequestResponse) -> None:
        await self._handler(exchange)
        is_read = self._incoming is None or self._incoming.is_complete
        self._incoming = None
        if not exchange.keep_alive or not exchange.is_over or not is_read:
            self.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            # A bug in the emulator: say so loudly, and let the client see a broken response.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the emulator failed to answer", "exception": task.exception()}
            )
            self.close()
            return
        self._next()
