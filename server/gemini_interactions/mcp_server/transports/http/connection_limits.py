"""Connection limits: strangers cannot take the places of those who have shown a token.

A connection counts as a stranger's until a request on it was let in. Strangers are few, fewest
from one address, and the one that came first goes first: who has something to show does so at
once, so what waits in line is idle. Many may come together, such as an office after a restart, or
one client that makes many calls: for a moment there may be more of them. Requests of health checks
are never turned away.
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
BURST = 8
"""So many times as many may be there for `CHANCE_SECONDS`."""
CHANCE_SECONDS = 1.0
"""How long those that come together have to show who they are."""


class ConnectionLimits:
    """Knows the connections of one server that nobody has shown a token on, oldest first; where
    nobody has to (`has_strangers`), everybody is known."""

    def __init__(self, addresses: ClientAddresses, *, has_strangers: bool) -> None:
        self._addresses = addresses
        self._has_strangers = has_strangers
        self._strangers: dict[ClientConnection, str] = {}
        self._per_address: Counter[str] = Counter()
        self._chance: TimerHandle | None = None

    def opened(self, connection: ClientConnection) -> None:
        peer = (connection.client or ("",))[0]
        # Behind a proxy of ours there are many.
        if not self._has_strangers or self._addresses.is_trusted(peer):
            connection.admit()
            return
        address = counted(peer)
        self._strangers[connection] = address
        self._per_address[address] += 1
        theirs, everybody = self._per_address[address], len(self._strangers)
        if theirs > STRANGERS_PER_ADDRESS * BURST or everybody > STRANGERS * BURST:
            self._end_surplus(new=connection)
        elif self._chance is None and (theirs > STRANGERS_PER_ADDRESS or everybody > STRANGERS):
            self._chance = connection.loop.call_later(CHANCE_SECONDS, self._end_surplus)

    def known(self, connection: ClientConnection) -> None:
        """It is no stranger's (any more)."""
        if address := self._strangers.pop(connection, ""):
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]

    def _end_surplus(self, new: ClientConnection | None = None) -> None:
        """End the oldest of those that are too many, idle ones first; never a new one, which has
        had no time to show anything."""
        if self._chance is not None:
            self._chance.cancel()
            self._chance = None
        # Sorting keeps the order in which they came.
        judged = sorted(
            (each for each in self._strangers if each is not new), key=lambda each: not each.is_idle
        )
        for each in judged:
            of_address = self._per_address[self._strangers[each]]
            if of_address > STRANGERS_PER_ADDRESS or len(self._strangers) > STRANGERS:
                self.known(each)
                each.transport.abort()


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
