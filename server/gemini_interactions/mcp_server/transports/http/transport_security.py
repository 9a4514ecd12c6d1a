"""Transport security: host, origin, token and size checks of every HTTP request.

A wrong host, a wrong origin, a missing token or too large a body is refused before it is read.
What comes in carries its owner as `request.user`.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....config.settings import Config
from ...request_context import LOCAL
from .. import jsonrpc_messages
from ..jsonrpc_messages import InvalidMessage
from ..line_reader import sound
from .auth.authenticator import Authenticator, rights_of, user
from .client_address import ClientAddresses
from .connection_limits import let_in
from .in_flight_requests import InFlightRequests

BODY_SECONDS = 60.0
"""How long a request's body may take to arrive."""
STRANGER_SECONDS = 10.0
"""The same without a token."""
STRANGER_BYTES = 64 * 1024
"""Largest body taken without a token."""

LINGER_SECONDS = 30.0
"""How long we read on from a client that was refused and still sends: 100 MB take a while."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class TransportSecurity:
    """Stands before `app`. `health` routes always answer, under any name; `open` ones need no
    token, but are few at a time from one address."""

    def __init__(
        self,
        app: ASGIApp,
        config: Config,
        hosts: AllowedHosts,
        authenticator: Authenticator | None,
        addresses: ClientAddresses,
        *,
        health: Sequence[BaseRoute],
        open: Sequence[BaseRoute],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = config.allowed_origins
        self._authenticator = authenticator
        self._addresses = addresses
        self._health = health
        self._open = open
        self._requests = InFlightRequests()
        self._largest = config.max_body_bytes
        self._has_sessions = config.has_sessions
        self._waits: set[anyio.CancelScope] = set()
        self._is_closed = False

    def close(self) -> None:
        """Wait no longer for what has not arrived yet."""
        self._is_closed = True
        for wait in list(self._waits):
            wait.cancel()

    async def end_removed(self) -> None:
        """End the requests whose token was removed, or access revoked, since they came in."""
        if self._authenticator is not None and (rights := self._requests.rights):
            self._requests.end(await self._authenticator.gone(rights))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _matches(self._health, scope):
            await self._app(scope, receive, send)
        elif _matches(self._open, scope):
            await self._stranger(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _stranger(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that needs no token: its body is small, and there soon."""
        with self._requests.stranger(self._addresses.of(scope)) as may_go_on:
            body: bytes | Response = _refusal(
                HTTPStatus.TOO_MANY_REQUESTS, "Too many requests from your address at once."
            )
            if may_go_on:
                largest = min(self._largest, STRANGER_BYTES)
                body = await self._body(scope, receive, largest, STRANGER_SECONDS)
            if isinstance(body, bytes):
                await self._app(scope, _again(body, receive), send)
            else:
                await self._turn_away(body, receive, send, STRANGER_SECONDS)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._user(scope)
        if isinstance(found, Response):
            await self._turn_away(found, receive, send, STRANGER_SECONDS)
            return
        let_in(scope)
        # The SDK binds a legacy session to this user.
        scope["user"] = found
        body = self._refusal(scope) or await self._body(scope, receive, self._largest, BODY_SECONDS)
        if isinstance(body, bytes):
            body = _readable(_sound(body))
        if isinstance(body, bytes):
            again = _again(body, receive)
            await self._requests.run(rights_of(found), self._app, scope, again, send)
        else:
            await self._turn_away(body, receive, send, LINGER_SECONDS)

    async def _user(self, scope: Scope) -> AuthenticatedUser | Response:
        """Whose request it is, or why it does not come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._hosts.include(host):
            return _refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This server does not go by that host name; "
                "its operator can add it to GEMINI_MCP_ALLOWED_HOSTS.",
            )
        if not all(self._accepts(origin, host) for origin in headers.getlist("origin")):
            return _refusal(
                HTTPStatus.FORBIDDEN,
                "Pages of that origin may not call this server; "
                "its operator can add it to GEMINI_MCP_ALLOWED_ORIGINS.",
            )
        if self._authenticator is None:
            return user(LOCAL)
        return await self._authenticator.user(headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request of somebody known is not taken."""
        if not self._has_sessions and scope["method"] in ("GET", "DELETE"):
            # The SDK would hold open a stream on which nothing can ever come.
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "There are no sessions here.", "POST")
        if self._requests.is_full:
            busy = "Too many requests at once; try again in a moment."
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, busy)
        return None

    def _accepts(self, origin: str, host: str) -> bool:
        """Programs send no origin; pages do, and only they need to be kept out."""
        if not origin or origin.lower() in self._origins or "*" in self._origins:
            return True
        scheme, _, name = origin.partition("://")
        if self._origins or scheme not in ("http", "https"):
            return False
        return name == host or self._hosts.name(name)

    async def _body(
        self, scope: Scope, receive: Receive, largest: int, seconds: float
    ) -> bytes | Response:
        """The whole body, or why it is not taken."""
        too_large = _refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is larger than {largest:,} bytes (GEMINI_MCP_MAX_BODY_BYTES).",
        )
        if int(Headers(scope=scope).get("content-length", 0)) > largest:
            return too_large
        body = bytearray()
        with self._waiting(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                body += message.get("body", b"")
                if len(body) > largest:
                    return too_large
                if not message.get("more_body", False):
                    return bytes(body)
        if self._is_closed:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "This server is ending; try again.")
        return _refusal(
            HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {seconds:.0f} s."
        )

    async def _turn_away(
        self, answer: Response, receive: Receive, send: Send, seconds: float
    ) -> None:
        """Says no at once, then reads on for a moment without keeping anything.

        A connection closed with words unread is reset, and many clients then lose our answer.
        """
        start = {"type": "http.response.start", "status": answer.status_code}
        await send({**start, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        with self._waiting(seconds):
            while (await receive()).get("more_body", False):
                pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @contextmanager
    def _waiting(self, seconds: float) -> Iterator[None]:
        """Ends its body after so long, or once the gate is closed."""
        with anyio.move_on_after(0 if self._is_closed else seconds) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)


class AllowedHosts:
    """The names a server goes by, so that no page can reach it under a name of its own.

    A server on every address of its machine may also be called by any of them as a number:
    those cannot be made to point here.
    """

    def __init__(self, config: Config, host: str, address: str) -> None:
        bound = ipaddress.ip_address(address)
        self._any_number = bound.is_unspecified and not config.allowed_hosts
        names = config.allowed_hosts
        if not names:
            names = LOOPBACK if bound.is_loopback else (_bare(host),)
            if bound.is_unspecified:
                names = ("localhost", socket.gethostname().lower())
        self._names = frozenset({*names, urlsplit(config.public_url).netloc.lower()} - {""})

    def include(self, host: str) -> bool:
        """Whether a Host header is for this server."""
        return self.name(host) or (self._any_number and _is_number(_split(host)[0]))

    def name(self, host: str) -> bool:
        """Whether this is one of the names that were given or follow from the address."""
        name, port = _split(host)
        return bool(name) and not self._names.isdisjoint({"*", name, f"{name}:*", f"{name}:{port}"})


def _split(host: str) -> tuple[str, str]:
    """Name and port of `name`, `name:port` or `[number]:port`."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, port = host.partition("]")
        return f"{name}]", port.removeprefix(":")
    name, _, port = host.partition(":")
    return name.removesuffix("."), port


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _bare(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _matches(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def _refusal(status: HTTPStatus, why: str, allow: str = "") -> Response:
    # Closed, since otherwise uvicorn would take in and drop the body to its end.
    headers = {"connection": "close", **({"allow": allow} if allow else {})}
    return PlainTextResponse(f"{why}\n", status, headers)


def _sound(body: bytes) -> bytes:
    """Half an emoji is replaced, as on stdio: one of the two eras would refuse the whole call."""
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    try:
        return sound(body.decode()).encode()
    except UnicodeDecodeError:
        return body


_ODD = re.compile(
    rb'"(?:id|progressToken)"\s*:\s*(?:-?\d+(?:\.|[eE])|true|false|null|[\[{])'
    rb'|"params"\s*:\s*[^{\s]|\A\s*[^{\s]'
)
"""What the SDK may read as something that needs no answer, or answer without a reason."""


def _readable(body: bytes) -> bytes | Response:
    """The body as the SDK reads it, or the error that its message is answered with."""
    if not body.strip() or not _ODD.search(body):
        return body
    text = body.decode("utf-8", "replace")
    messages = jsonrpc_messages.read(text)
    if text.lstrip("\ufeff \t\r\n").startswith("["):
        problem = "Batches are not served over HTTP: send one message a request."
        messages = [InvalidMessage(INVALID_REQUEST, problem)]
    for message in messages:
        if isinstance(message, InvalidMessage):
            return Response(message.as_json(), 400, media_type="application/json")
        return json.dumps(message).encode()
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` for an app, from the body that has been read on."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again
