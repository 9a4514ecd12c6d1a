"""Requests in progress: how many there may be, and which end because their token was removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 1000
"""Requests at once, of everybody."""
MOST_OF_STRANGERS = 64
"""Requests at once without a token, from one address."""


class InFlightRequests:
    """Runs requests in a scope each, under what they came in with."""

    def __init__(self) -> None:
        self._scopes: dict[anyio.CancelScope, tuple[str, ...]] = {}
        self._strangers: Counter[str] = Counter()

    @property
    def rights(self) -> frozenset[str]:
        """What the requests in progress came in with: credentials and grants."""
        return frozenset(each for rights in self._scopes.values() for each in rights)

    @property
    def is_full(self) -> bool:
        return len(self._scopes) >= MOST

    async def run(
        self,
        rights: tuple[str, ...],
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        with anyio.CancelScope() as request:
            self._scopes[request] = rights
            try:
                await app(scope, receive, sending)
            finally:
                del self._scopes[request]
        if request.cancelled_caught:
            if has_begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                gone = PlainTextResponse("That token was removed.\n", 401)
                gone.headers["www-authenticate"] = 'Bearer realm="gemini", error="invalid_token"'
                await gone(scope, receive, send)

    def end(self, gone: frozenset[str]) -> None:
        """End every request that came in with something that holds no longer."""
        for request, rights in list(self._scopes.items()):
            if not gone.isdisjoint(rights):
                request.cancel()

    @contextmanager
    def stranger(self, address: str) -> Iterator[bool]:
        """Counts a request without a token; whether it may go on."""
        self._strangers[address] += 1
        try:
            yield self._strangers[address] <= MOST_OF_STRANGERS
        finally:
            self._strangers[address] -= 1
            if not self._strangers[address]:
                del self._strangers[address]
