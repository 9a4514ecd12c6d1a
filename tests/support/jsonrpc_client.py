"""A client in raw JSON-RPC, for what no client library sends: any id, any line, in any order.

`InProcessClient` speaks to a server of this process, `ServerProcess` (server_process.py) to one
that can be killed. Over HTTP every message is a request of its own: http_client.py.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskStatus
from mcp.shared.message import SessionMessage

from gemini_interactions.app import App
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.server import build
from tests.support import protocol
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.protocol import LEGACY, Era, Message

PATIENCE = 60.0
"""Seconds after which a message that never came is missed."""

Id = str | int
Sleep = Callable[[float], Awaitable[None]]


class ConnectionClosed(ConnectionError):
    """The server has closed its end, so nothing more will come."""


class JsonRpcClient:
    """One connection: requests get ids, and every message that came is kept in order."""

    def __init__(self, era: Era, name: str = "raw", *, wants_progress: bool = True) -> None:
        self.era = era
        self.messages: list[Message] = []
        self.is_over = False
        """Whether the server has closed its end."""
        self._name = name
        self._wants_progress = wants_progress
        self._taken: set[int] = set()
        self._ids = itertools.count(1)
        self._received = anyio.Event()

    # What it sends

    async def send(self, message: Message) -> None:
        raise NotImplementedError

    def frame(self, method: str, *, id: Id | None = None, **params: Any) -> Message:
        """A request as its era writes it, not sent yet; `_meta` adds to what the era has there."""
        id = next(self._ids) if id is None else id
        meta = {"progressToken": id} if self._wants_progress else {}
        if self.era == "modern":
            meta |= protocol.envelope(self._name)
        meta |= params.get("_meta", {})
        return protocol.request(method, {**params, "_meta": meta} if meta else params, id)

    async def begin(self, method: str, *, id: Id | None = None, **params: Any) -> Any:
        """Sends a request and waits for nothing; its id."""
        frame = self.frame(method, id=id, **params)
        await self.send(frame)
        return frame["id"]

    async def begin_call(self, tool: str, /, **arguments: Any) -> Any:
        """Calls a tool without waiting; the request's id."""
        return await self.begin("tools/call", name=tool, arguments=arguments)

    async def request(self, method: str, **params: Any) -> Message:
        """Sends a request; the whole message that answers it."""
        return await self.answer(await self.begin(method, **params))

    async def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        return await self.result(await self.begin_call(tool, **arguments))

    async def notify(self, method: str, **params: Any) -> None:
        await self.send(protocol.notification(method, params))

    async def cancel(self, id: Id | None, *reason: Any, **more: Any) -> None:
        """A cancel, with a reason or without any."""
        given = {"reason": reason[0]} if reason else {}
        await self.notify("notifications/cancelled", requestId=id, **given, **more)

    async def hello(self, version: str = LEGACY) -> Message:
        """The handshake of its era; what the server says of itself."""
        if self.era == "modern":
            return await self.request("server/discover")
        answer = await self.request("initialize", **protocol.initialize(self._name, version))
        await self.notify("notifications/initialized")
        return answer

    # What comes back

    def receive(self, message: Message | None) -> None:
        """A message came back; None is the end."""
        if message is None:
            self.is_over = True
        else:
            self.messages.append(message)
        self._received.set()
        self._received = anyio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the messages that came back make this true."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                if self.is_over:
                    raise ConnectionClosed
                await self._received.wait()

    async def answer(self, id: Any) -> Message:
        """The answer to that request, once it is here; each is handed out once."""
        await self.until(lambda: self._place(id) is not None)
        place = self._place(id)
        assert place is not None
        self._taken.add(place)
        return self.messages[place]

    async def result(self, id: Id) -> ToolResult:
        """The answer to a call."""
        return tool_result(await self.answer(id))

    async def next(self) -> Message:
        """The next message that was not handed out, whatever it is."""
        await self.until(lambda: len(self._taken) < len(self.messages))
        place = next(n for n in range(len(self.messages)) if n not in self._taken)
        self._taken.add(place)
        return self.messages[place]

    @property
    def unread(self) -> list[Message]:
        """Answers that nobody has waited for."""
        found = [each for n, each in enumerate(self.messages) if n not in self._taken]
        return [each for each in found if "method" not in each]

    def is_answered(self, id: Id) -> bool:
        return any(each.get("id") == id and "method" not in each for each in self.messages)

    def progress(self, id: Id) -> list[tuple[float, str]]:
        """What was told while that request waited."""
        told = [m["params"] for m in self.messages if m.get("method") == "notifications/progress"]
        return [(each["progress"], each["message"]) for each in told if each["progressToken"] == id]

    async def until_idle(self) -> None:
        """Waits until no turn runs any more, and collects nothing."""
        with anyio.fail_after(PATIENCE):
            while "last turn running" in (await self.call("gemini_history")).text:
                await anyio.sleep(0.01)

    async def until_status(self, id: str, status: str) -> None:
        with anyio.fail_after(PATIENCE):
            while (await self.call("gemini_result", id=id)).status != status:
                await anyio.sleep(0.01)

    async def settled(self) -> None:
        """Everything sent so far has been taken in: a later request was answered."""
        await self.request("tools/list")

    def _place(self, id: Any) -> int | None:
        for place, message in enumerate(self.messages):
            if place not in self._taken and "method" not in message and message.get("id") == id:
                return place
        return None


def tool_result(message: Message) -> ToolResult:
    """The result of a call in the message that answers it."""
    assert "result" in message, message
    return ToolResult.of(types.CallToolResult.model_validate(message["result"]))


class InProcessClient(JsonRpcClient):
    """To a server of this process."""

    def __init__(self, era: Era, app: App, sender: Any) -> None:
        super().__init__(era)
        self.app = app
        self._sender = sender

    @classmethod
    async def connect(
        cls, harness: AppHarness, era: Era = "modern", sleep: Sleep = anyio.sleep, **changes: Any
    ) -> InProcessClient:
        """`changes` are fields of `Config`; a modern client says nothing before its first call."""
        config = replace(Config.read(os.environ), **changes)
        app = App(config, now=harness.clock, sleep=sleep, resolve=harness.resolve)
        client: InProcessClient = await harness.tasks.start(cls._serve, era, app)
        if era == "legacy":
            await client.hello()
        return client

    async def send(self, message: Message) -> None:
        parsed = types.jsonrpc_message_adapter.validate_python(message)
        await self._sender.send(SessionMessage(parsed))

    def hang_up(self) -> None:
        """The client's end closes, as at the end of stdin."""
        self._sender.close()

    @classmethod
    async def _serve(cls, era: Era, app: App, *, task_status: TaskStatus[InProcessClient]) -> None:
        to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](100)
        outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](100)
        server = build(app)
        client = cls(era, app, to_server)

        async def listen() -> None:
            async for each in from_server:
                client.receive(
                    each.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
                )

        async with anyio.create_task_group() as tasks, to_server, from_server:
            tasks.start_soon(listen)
            task_status.started(client)
            await server.run(incoming, outgoing, server.create_initialization_options())
            tasks.cancel_scope.cancel()
