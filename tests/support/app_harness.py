"""The whole product in one process: a real MCP client, our server, google-genai, the emulator."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup, TaskStatus
from mcp.client import Client
from mcp.client.extension import ClientExtension
from mcp_types import CallToolResult, Implementation

from gemini_emulator import EmulatorControl, Request
from gemini_interactions.app import App
from gemini_interactions.bridge.runtime import Resolve
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.server import build

META = "gemini-interactions-mcp/result"


class Clock:
    """A wall clock that moves when told to; it starts at a fixed day."""

    def __init__(self) -> None:
        self.time = 1_795_348_800.0  # 2026-11-22 12:00 UTC

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@dataclass(frozen=True)
class ToolResult:
    """A tool result as tests read it."""

    text: str
    facts: Mapping[str, Any]
    is_error: bool
    raw: CallToolResult

    @classmethod
    def of(cls, raw: CallToolResult) -> ToolResult:
        text = "\n".join(block.text for block in raw.content if block.type == "text")
        return cls(text, (raw.meta or {}).get(META, {}), bool(raw.is_error), raw)

    @property
    def status(self) -> str | None:
        return self.facts.get("status")

    @property
    def id(self) -> str:
        return str(self.facts["id"])

    @property
    def conversation(self) -> str:
        return str(self.facts["conversation_id"])

    @property
    def turn(self) -> int:
        return int(self.facts["turn"])

    @property
    def interaction(self) -> str:
        return str(self.facts["interaction_id"])

    @property
    def piece(self) -> str:
        """The text before the last line `---`."""
        piece, line, _ = self.text.rpartition("\n---\n")
        return piece if line else ""

    @property
    def tail(self) -> str:
        """Notes, next step and footer: what follows the line `---`."""
        return self.text.rpartition("\n---\n")[2]

    @property
    def footer(self) -> str:
        return self.text.splitlines()[-1]


class McpClient:
    """One connected client, with a server of its own unless it shares somebody's."""

    def __init__(self, sdk_client: Client, app: App) -> None:
        self.sdk_client = sdk_client
        self.app = app
        self._disconnecting = anyio.Event()
        self._closed = anyio.Event()
        self._calls: set[anyio.CancelScope] = set()

    async def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        return await self._call(tool, arguments, None)

    async def call_in(self, thread: object, tool: str, /, **arguments: Any) -> ToolResult:
        """A call whose host names the thread it belongs to, as Codex does."""
        return await self._call(tool, arguments, {"threadId": thread})

    async def _call(self, tool: str, arguments: dict[str, Any], meta: Any) -> ToolResult:
        with anyio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                return ToolResult.of(await self.sdk_client.call_tool(tool, arguments, meta=meta))
            finally:
                self._calls.discard(scope)
        raise ConnectionError("The server ended during this call.")

    async def ask(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_ask", prompt=prompt, **more)

    async def follow(self, prompt: str, **more: Any) -> ToolResult:
        return await self.call("gemini_continue", prompt=prompt, **more)

    async def result(self, id: str, **more: Any) -> ToolResult:
        return await self.call("gemini_result", id=id, **more)

    async def history(self, **more: Any) -> ToolResult:
        return await self.call("gemini_history", **more)

    async def disconnect(self) -> None:
        """The client disconnects and its server ends, well-mannered."""
        self._disconnecting.set()
        await self._closed.wait()

    async def until_disconnected(self) -> None:
        await self._disconnecting.wait()

    def mark_closed(self) -> None:
        self._closed.set()
        for scope in self._calls:
            scope.cancel()


@dataclass
class AppHarness:
    """One store, one emulator and one clock; `connect` starts a server and a client of it."""

    control: EmulatorControl
    folder: Path
    clock: Clock
    tasks: TaskGroup
    environ: pytest.MonkeyPatch
    resolve: Resolve | None = None
    """What looks up Google's redirects; nobody does unless a test says so."""
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    """How servers wait before they try or look again."""
    crashes: list[Exception] = field(default_factory=list)
    """How servers ended that did not end well; the fixture raises them."""

    def set(self, **variables: str | None) -> None:
        """Environment variables, for servers started from now on; None unsets one."""
        for name, value in variables.items():
            if value is None:
                self.environ.delenv(name, raising=False)
            else:
                self.environ.setenv(name, value)

    async def connect(
        self,
        *,
        name: str = "claude-code",
        legacy: bool = False,
        extensions: Sequence[ClientExtension] = (),
        **changes: Any,
    ) -> McpClient:
        """A client with a server process of its own, on the data folder all of them share.

        `changes` are fields of `Config`.
        """
        app = App(
            replace(Config.read(os.environ), **changes),
            now=self.clock,
            sleep=self.sleep,
            resolve=self.resolve,
        )
        sdk_client = Client(
            build(app),
            mode="legacy" if legacy else "auto",
            client_info=Implementation(name=name, version="1"),
            extensions=extensions,
        )
        client: McpClient = await self.tasks.start(self._host, sdk_client, app)
        return client

    async def _host(
        self, sdk_client: Client, app: App, *, task_status: TaskStatus[McpClient]
    ) -> None:
        # A task of its own for each, so that they can leave in any order.
        client = None
        try:
            async with sdk_client:
                client = McpClient(sdk_client, app)
                task_status.started(client)
                await client.until_disconnected()
        except Exception as error:
            if client is None:
                raise
            self.crashes.append(error)
        finally:
            if client is not None:
                client.mark_closed()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was POSTed to create interactions, in order of arrival."""
        return [post.body for post in self.control.posts]

    @property
    def last(self) -> dict[str, Any]:
        return self.bodies[-1]

    def post_with(self, prompt: str) -> Request:
        """The only POST with this prompt."""
        (post,) = (post for post in self.control.posts if post.body["input"] == prompt)
        return post


def mask_ids(text: str) -> str:
    """Ids replaced by their kind, so that texts can be compared."""
    text = re.sub(r"\b([criav])_[0-9a-z]{10}\b", r"\1_…", text)
    return re.sub(r"\bv1_[\w-]+", "v1_…", text)


def settings(body: dict[str, Any]) -> dict[str, Any]:
    """The settings in a POST, without what every POST has."""
    generation = body.get("generation_config", {})
    told = {
        "model": body["model"],
        "thinking": generation.get("thinking_level"),
        "tools": [tool["type"] for tool in body.get("tools", [])],
        "system_instruction": body.get("system_instruction"),
    }
    return {name: value for name, value in told.items() if value}
