"""Connection limits: strangers cannot take the places of those who have shown a token.

A connection counts as a stranger's until a request on it was let in. Strangers are few, fewest
from one address, and the one that came first goes first: who has something to show does so at
once, so what waits in line is idle. Requests of health checks are never turned away.
"""

from __future__ import annotations

import sys
from asyncio import TimerHandle, Transport
from collections import Counter
from contextlib import suppress
from typing import Any, Literal

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from .client_address import ClientAddresses, counted

HEAD_SECONDS = 10.0
"""How long the head of a request may take to arrive."""
READ_SECONDS = 60.0
"""How long a client may leave unread what was sent to it."""
IDLE_SECONDS = 65
"""How long a connection is kept for a next request: longer than proxies usually keep theirs."""
STRANGER_IDLE_SECONDS = 5
STRANGERS = 256
STRANGERS_PER_ADDRESS = 32


class ConnectionLimits:
    """Knows the connections of one server that nobody has shown a token on, oldest first; where
    nobody has to (`has_strangers`), everybody is known."""

    def __init__(self, addresses: ClientAddresses, *, has_strangers: bool) -> None:
        self._addresses = addresses
        self._has_strangers = has_strangers
        self._strangers: dict[ClientConnection, str] = {}
        self._per_address: Counter[str] = Counter()

    def opened(self, connection: ClientConnection) -> None:
        peer = (connection.client or ("",))[0]
        # Behind a proxy of ours there are many.
        if not self._has_strangers or self._addresses.is_trusted(peer):
            connection.admit()
            return
        address = counted(peer)
        self._strangers[connection] = address
        self._per_address[address] += 1
        if self._per_address[address] > STRANGERS_PER_ADDRESS:
            self._end_oldest(address, connection)
        elif len(self._strangers) > STRANGERS:
            self._end_oldest(next(iter(self._strangers.values())), connection)

    def known(self, connection: ClientConnection) -> None:
        """It is no stranger's (any more)."""
        if address := self._strangers.pop(connection, ""):
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]

    def _end_oldest(self, address: str, new: ClientConnection) -> None:
        """Make room for a new one, which has had no time to show anything."""
        theirs = [
            each for each, whose in self._strangers.items() if whose == address and each is not new
        ]
        oldest = next((each for each in theirs if each.is_idle), theirs[0])
        self.known(oldest)
        oldest.transport.abort()


def let_in(scope: Scope) -> None:
    """A request was let in: its connection is no stranger's from now on."""
    connection = scope.get("state", {}).get("connection")
    if connection is not None:
        connection.admit()


class ClientConnection(H11Protocol):
    """uvicorn's protocol, with an end to its patience for clients that do not speak or read.

    A subclass with its own `limits` is made for each server.
    """

    limits: ConnectionLimits
    _for_head: TimerHandle | None = None
    _for_reader: TimerHandle | None = None

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.app_state = {**self.app_state, "connection": self}
        self.timeout_keep_alive = STRANGER_IDLE_SECONDS

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered on it."""
        return self.cycle is None or self.cycle.response_complete

    def admit(self) -> None:
        self.limits.known(self)
        self.timeout_keep_alive = IDLE_SECONDS

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # uvicorn's
        super().connection_made(transport)
        self._for_head = self.loop.call_later(HEAD_SECONDS, transport.abort)
        self.limits.opened(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._call_off("_for_head")
        elif self._for_head is None:
            self._for_head = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._for_reader = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._call_off("_for_reader")

    def connection_lost(self, trouble: Exception | None) -> None:
        super().connection_lost(trouble)
        self.limits.known(self)
        self._call_off("_for_head")
        self._call_off("_for_reader")

    def _call_off(self, name: Literal["_for_head", "_for_reader"]) -> None:
        timer: TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


def protocol(limits: ConnectionLimits) -> type[ClientConnection]:
    """What uvicorn makes for each connection of a server."""
    return type("LimitedConnection", (ClientConnection,), {"limits": limits})


def raise_file_limit(wanted: int = 65_536) -> None:
    """Let this process have as many connections as its system allows; often only 1,024 at first."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
