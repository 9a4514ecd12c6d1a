"""A wire: plain JSON-RPC frames to a server, for what no client library sends.

The server is in this process (`Wire.to`), or in one of its own, which can be killed (`Line`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskStatus
from mcp.shared.message import SessionMessage

from gemini_interactions.app import App
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.server import build
from tests.support.app_harness import META, AppHarness

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
CLIENT = {"name": "wire", "version": "1"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ERAS = ("legacy", "modern")
PATIENCE = 60.0
"""Seconds after which a frame that never came is missed."""

Frame = dict[str, Any]


Send = Callable[[Frame], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class JsonRpcClient:
    """One connection: what was sent gets an id, what comes back is kept."""

    def __init__(self, era: str, send: Send) -> None:
        self.frames: list[Frame] = []
        self.is_over = False
        """Whether the server has closed its end."""
        self._era = era
        self._put = send
        self._ids = itertools.count(1)
        self._news = anyio.Event()

    @classmethod
    async def to(
        cls, harness: AppHarness, era: str, sleep: Sleep = anyio.sleep, **changes: Any
    ) -> InProcessClient:
        """To a server of this process; `changes` are fields of `Config`."""
        config = replace(Config.read(os.environ), **changes)
        app = App(config, now=harness.clock, sleep=sleep, resolve=harness.resolve)
        wire: InProcessClient = await harness.tasks.start(_serve, era, app)
        await wire.greet()
        return wire

    async def greet(self) -> None:
        """The handshake, where the era has one."""
        if self._era == "legacy":
            params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
            await self.answer(await self.ask("initialize", params))
            await self.tell("notifications/initialized")

    async def call(self, tool: str, /, **arguments: Any) -> str | int:
        """Calls a tool without waiting; the request's id."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments})

    async def use(self, tool: str, /, **arguments: Any) -> Frame:
        """Calls a tool; its result's `_meta` facts with its text."""
        return facts(await self.answer(await self.call(tool, **arguments)))

    async def cancel(self, id: str | int | None, *reason: Any, **more: Any) -> None:
        """A cancel, with a reason or without any."""
        said = {"reason": reason[0]} if reason else {}
        await self.tell("notifications/cancelled", {"requestId": id, **said, **more})

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        id: str | int | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> str | int:
        id = next(self._ids) if id is None else id
        told: Frame = {"progressToken": id}
        if self._era == "modern":
            told |= ENVELOPE
        told |= meta or {}
        await self._send({"id": id, "method": method, "params": {**(params or {}), "_meta": told}})
        return id

    async def tell(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        await self._send({"method": method, "params": dict(params or {})})

    async def answer(self, id: str | int) -> Frame:
        """The answer to that request, once it is here."""
        await self.until(lambda: self.answered(id))
        return next(frame for frame in self.frames if frame.get("id") == id)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until the frames that came back make this true."""
        with anyio.fail_after(PATIENCE):
            while not true():
                if self.is_over:
                    raise HungUp
                await self._news.wait()

    def answered(self, id: str | int) -> bool:
        return any(frame.get("id") == id for frame in self.frames)

    def progress(self, id: str | int) -> list[tuple[float, str]]:
        """What was told while that request waited."""
        told = [f["params"] for f in self.frames if f.get("method") == "notifications/progress"]
        return [(each["progress"], each["message"]) for each in told if each["progressToken"] == id]

    async def until_over(self) -> None:
        """Waits until no turn runs any more, and collects nothing."""
        with anyio.fail_after(PATIENCE):
            while "last turn running" in (await self.use("gemini_history"))["text"]:
                await anyio.sleep(0.01)

    async def until_state(self, id: str, status: str) -> None:
        with anyio.fail_after(PATIENCE):
            while (await self.use("gemini_result", id=id))["status"] != status:
                await anyio.sleep(0.01)

    async def settled(self) -> None:
        """Everything sent so far has been taken in: a later request was answered."""
        await self.answer(await self.ask("tools/list"))

    def hear(self, frame: Frame | None) -> None:
        """A frame came back; None is the end."""
        if frame is None:
            self.is_over = True
        else:
            self.frames.append(frame)
        self._news.set()
        self._news = anyio.Event()

    async def _send(self, frame: Frame) -> None:
        await self._put({"jsonrpc": "2.0", **frame})


class HungUp(Exception):
    """The server has closed its end, so nothing more will come."""


def facts(frame: Frame) -> Frame:
    """What programs read of a result, with its text and whether it is an error."""
    result = frame["result"]
    text = "\n".join(block["text"] for block in result["content"] if block["type"] == "text")
    return {
        **result.get("_meta", {}).get(META, {}),
        "text": text,
        "is_error": bool(result.get("isError")),
    }


class InProcessClient(JsonRpcClient):
    """To a server of this process."""

    def __init__(self, era: str, app: App, sender: Any) -> None:
        super().__init__(era, self._write)
        self.app = app
        self._sender = sender

    async def _write(self, frame: Frame) -> None:
        message = types.jsonrpc_message_adapter.validate_python(frame)
        await self._sender.send(SessionMessage(message))

    def hang_up(self) -> None:
        """The client's end closes, as at the end of stdin."""
        self._sender.close()


async def _serve(era: str, app: App, *, task_status: TaskStatus[InProcessClient]) -> None:
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](100)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](100)
    server = build(app)
    wire = InProcessClient(era, app, to_server)

    async def listen() -> None:
        async for message in from_server:
            wire.hear(message.message.model_dump(mode="json", by_alias=True, exclude_unset=True))

    async with anyio.create_task_group() as tasks, to_server, from_server:
        tasks.start_soon(listen)
        task_status.started(wire)
        await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()
