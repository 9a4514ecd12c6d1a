"""One connection, two protocol eras: a host may probe in one and then start in the other.

The SDK fixes the era with a connection's first request. Hosts send `server/discover` first, give
up on it after a second or some (Copilot, Claude Code, the AI SDK), and send `initialize` on the
same pipe; refused, they go away without our tools. So an `initialize` is accepted as long as
nothing but the probe was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp_types import PROTOCOL_VERSION_META_KEY, JSONRPCMessage, JSONRPCRequest

from ...app import App

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]


class EraSwitch:
    """Hands a client's messages to the SDK, which serves each era over streams of its own."""

    def __init__(
        self, server: Server[App], state: App, outgoing: Outgoing, tasks: TaskGroup
    ) -> None:
        self._server = server
        self._state = state
        self._outgoing = outgoing
        self._tasks = tasks
        self._incoming: Incoming | None = None
        self._probed: Incoming | None = None
        """Where the probe went that `initialize` followed: it may still be being answered."""
        self._only_probed = False

    async def receive(self, message: JSONRPCMessage) -> None:
        """Hand on one message, in the era it belongs to."""
        if isinstance(message, JSONRPCRequest):
            is_probe = message.method == "server/discover" and _is_modern(message.params)
            if message.method == "initialize" and self._only_probed:
                self._probed, self._incoming = self._incoming, None
            self._only_probed = is_probe and (self._incoming is None or self._only_probed)
        if self._incoming is None:
            self._incoming = self._open()
        await self._incoming.send(SessionMessage(message))

    def close(self) -> None:
        """No more messages: what serves them ends."""
        for stream in (self._probed, self._incoming):
            if stream is not None:
                stream.close()
        self._probed = self._incoming = None

    def _open(self) -> Incoming:
        send: Incoming
        receive: MemoryObjectReceiveStream[SessionMessage | Exception]
        send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self._tasks.start_soon(self._serve, receive, self._outgoing.clone())
        return send

    async def _serve(
        self, incoming: MemoryObjectReceiveStream[SessionMessage | Exception], outgoing: Outgoing
    ) -> None:
        await serve_dual_era_loop(
            self._server,
            incoming,
            outgoing,
            lifespan_state=self._state,
            init_options=self._server.create_initialization_options(),
        )


def _is_modern(params: Mapping[str, Any] | None) -> bool:
    meta = (params or {}).get("_meta")
    return isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta
