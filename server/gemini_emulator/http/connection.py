"""HTTP/1.1 on a socket, with the endings no polite server offers: a reset, half an answer.

h11 parses and frames; the socket is ours, because a test needs it: to reset it, to leave a body
open, and to hear at once that the client left while a request waits at a gate.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import h11

MOST_HEAD = 64 * 1024
MOST_BODY = 128 * 1024 * 1024
MOST_WAITING = 1024 * 1024  # bytes of a streamed body that wait for their reader
_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Handler = Callable[["RequestResponse"], Awaitable[None]]


class RequestResponse:
    """One request and the response to it. Its handler is cancelled when the client leaves."""

    def __init__(self, connection: "Connection", request: h11.Request) -> None:
        self._connection = connection
        self.method = request.method.decode()
        path, _, query = request.target.decode("latin-1").partition("?")
        self.path = unquote(path)
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in request.headers}
        self.length = int(self.headers.get("content-length") or 0)
        self.body = b""
        self.is_over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives, for requests that are too large to be kept."""
        while piece := await self._connection.piece():
            yield piece

    async def read(self) -> None:
        """Take in the whole body, for requests that may be kept."""
        body = bytearray()
        async for piece in self.pieces():
            body += piece
            if len(body) > MOST_BODY:
                raise h11.RemoteProtocolError("body too long")
        self.body, self.length = bytes(body), len(body)

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
        self.is_over = only is None
        end = [h11.EndOfMessage()] if only is None else []
        head = _head(status, content_type, {"Content-Length": str(len(body)), **(headers or {})})
        await self._connection.send(head, h11.Data(body[:only]), *end)

    async def respond_json(
        self, status: int, body: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        await self.respond(status, data, headers=headers)

    async def begin(self, status: int = 200, content_type: str = "text/event-stream") -> None:
        """Start a response whose length nobody knows yet."""
        await self._connection.send(_head(status, content_type, {"Transfer-Encoding": "chunked"}))

    async def send(self, data: bytes) -> None:
        await self._connection.send(h11.Data(data))

    async def end(self) -> None:
        """The proper end of what `begin` started."""
        self.is_over = True
        await self._connection.send(h11.EndOfMessage())

    def reset(self) -> None:
        """RST: whatever was under way is over, at once."""
        self.is_over = True
        self._connection.reset()

    def close(self) -> None:
        """FIN, wherever the response is."""
        self.is_over = True
        self._connection.close()


def _head(status: int, content_type: str, headers: Mapping[str, str]) -> h11.Response:
    named = {"Content-Type": content_type, "Server": "gemini-emulator", **headers}
    pairs = [(k.encode(), v.encode("latin-1", "replace")) for k, v in named.items()]
    reason = _PHRASES.get(status, "Unknown").encode()
    return h11.Response(status_code=status, headers=pairs, reason=reason)


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
        self._connections = connections
        self._http = h11.Connection(h11.SERVER, MOST_HEAD)
        self._unparsed = 0  # bytes
        self._news = asyncio.Event()
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
        self._http.receive_data(data)
        self._unparsed += len(data)
        self._news.set()
        if self._task is None:
            self._next()
        elif self._unparsed > MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()

    async def piece(self) -> bytes:
        """The next piece of the request's body; empty at its end."""
        while self._http.their_state is h11.SEND_BODY:
            if self._http.they_are_waiting_for_100_continue:
                await self.send(
                    h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                )
            event = self._parse()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if event is h11.NEED_DATA:
                self._news.clear()
                await self._news.wait()
        return b""

    def _parse(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What the bytes amount to; of a body, all that is here."""
        self._unparsed = 0
        if self._transport is not None:
            self._transport.resume_reading()
        return self._http.next_event()

    async def send(self, *events: h11.Event) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._http.send(event) or b"" for event in events))
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
        """Start on the next request once its head is here."""
        try:
            event = self._parse()
        except h11.RemoteProtocolError:
            self._refuse()
            return
        if isinstance(event, h11.Request):
            exchange = RequestResponse(self, event)
            self._task = asyncio.get_running_loop().create_task(self._run(exchange))
            self._task.add_done_callback(self._done)

    def _refuse(self) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self.close()

    async def _run(self, exchange: RequestResponse) -> None:
        # A body without a length is taken in whole.
        if not (self._is_streamed(exchange.headers) and "content-length" in exchange.headers):
            try:
                if exchange.length > MOST_BODY:
                    raise h11.RemoteProtocolError("body too long")
                await exchange.read()
            except h11.RemoteProtocolError:
                self._refuse()
                return
        await self._handler(exchange)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            # A bug in the emulator: say so loudly, and let the client see a broken response.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the emulator failed to answer", "exception": task.exception()}
            )
            self.close()
        elif self._transport is not None:
            self._next()
