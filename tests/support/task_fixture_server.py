"""A server with the tools that the conformance suite names, over our own part of the protocol.

What the product never does (a task that fails as a protocol error, two questions at once, a
question before a task, a tool that needs tasks) is done here, with tasks kept in memory; who
declares tasks and which header names one is checked by the product's code.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from anyio.abc import TaskGroup
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from gemini_interactions.mcp_server.declared_extensions import Context, with_extensions
from gemini_interactions.mcp_server.tasks.extension import (
    EXTENSION,
    TaskParams,
    TaskUpdateParams,
    is_declared,
)
from gemini_interactions.mcp_server.tasks.methods import check

Json = dict[str, Any]
NOW = "2026-11-22T12:00:00Z"
ASK: Json = {
    "method": "elicitation/create",
    "params": {
        "mode": "form",
        "message": "Well?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}
NAMES = ("greet", "slow_compute", "failing_job", "protocol_error_job", "confirm_delete")
TOOLS = (*NAMES, "multi_input", "test_tool_with_task")


def text(words: str, **more: Any) -> Json:
    return {"resultType": "complete", "content": [{"type": "text", "text": words}], **more}


class MemoryTask:
    """One task: what it asks, and how it ended."""

    def __init__(self, number: int, *asks: str) -> None:
        self.id = f"task-{number}"
        self.asks = dict.fromkeys(asks, ASK)
        self.answered = anyio.Event()
        self.end: Json = {}
        self.scope = anyio.CancelScope()

    @property
    def told(self) -> Json:
        status = "input_required" if self.asks else "working"
        asked = {"inputRequests": self.asks} if self.asks and not self.end else {}
        return {
            "taskId": self.id,
            "status": status,
            "createdAt": NOW,
            "lastUpdatedAt": NOW,
            "ttlMs": None,
            "pollIntervalMs": 100,
            **asked,
            **self.end,
        }

    async def run(self, work: Callable[[MemoryTask], Awaitable[Json]]) -> None:
        self.end = {"status": "cancelled"}
        with self.scope:
            self.end = {}
            try:
                self.end = {"status": "completed", "result": await work(self)}
            except MCPError as error:
                failed = {"code": error.error.code, "message": error.error.message}
                self.end = {"status": "failed", "error": failed}
        if self.scope.cancelled_caught:
            self.end = {"status": "cancelled"}


class Fixture:
    def __init__(self, tasks: TaskGroup) -> None:
        self._group = tasks
        self._tasks: dict[str, MemoryTask] = {}
        self.server: Server[Any] = Server("fixture", on_list_tools=self.list_tools)
        self.server.add_request_handler("tools/call", types.CallToolRequestParams, self.call)
        self.server.add_request_handler("tasks/get", TaskParams, self.get)
        self.server.add_request_handler("tasks/update", TaskUpdateParams, self.update)
        self.server.add_request_handler("tasks/cancel", TaskParams, self.cancel)
        self.server.middleware.append(self.offer)

    async def offer(self, ctx: Any, call_next: Any) -> Any:
        answered = await call_next(ctx)
        if ctx.method == "server/discover" and is_declared(ctx):
            return with_extensions(answered, [EXTENSION])
        return answered

    async def list_tools(self, ctx: Any, params: Any) -> types.ListToolsResult:
        schema = {"type": "object"}
        return types.ListToolsResult(
            tools=[types.Tool(name=name, input_schema=schema) for name in TOOLS]
        )

    async def call(self, ctx: Context, params: types.CallToolRequestParams) -> Json:
        given = params.arguments or {}
        match params.name:
            case "greet":
                return text(f"Hello, {given['name']}!")
            case "slow_compute":
                return await self._begin(ctx, lambda _: _slept(float(given.get("seconds", 0))))
            case "failing_job":
                if not is_declared(ctx):
                    check(ctx, "")  # which says what is missing
                return await self._begin(ctx, lambda _: _failed())
            case "protocol_error_job":
                return await self._begin(ctx, lambda _: _broken())
            case "confirm_delete":
                return await self._begin(ctx, _answered, "confirm")
            case "multi_input":
                return await self._begin(ctx, _answered, "first", "second")
            case "test_tool_with_task":
                given_answers: Json = getattr(params, "input_responses", None) or {}
                if "user_name" not in given_answers:
                    asked = {"user_name": ASK}
                    return {"resultType": "input_required", "inputRequests": asked}
                words = str(given_answers["user_name"])
                return await self._begin(ctx, lambda _: _said(words))
        raise MCPError(types.INVALID_PARAMS, "Unknown tool")

    async def _begin(
        self, ctx: Context, work: Callable[[MemoryTask], Awaitable[Json]], *asks: str
    ) -> Json:
        task = MemoryTask(len(self._tasks) + 1, *asks)
        if not is_declared(ctx):
            return await work(task)
        self._tasks[task.id] = task
        self._group.start_soon(task.run, work)
        told = {key: value for key, value in task.told.items() if key != "inputRequests"}
        return {"resultType": "task", **told}

    def _found(self, ctx: Context, params: TaskParams) -> MemoryTask:
        check(ctx, params.task_id)
        if params.task_id not in self._tasks:
            raise MCPError(types.INVALID_PARAMS, "There is no such task here.")
        return self._tasks[params.task_id]

    async def get(self, ctx: Context, params: TaskParams) -> Json:
        return {"resultType": "complete", **self._found(ctx, params).told}

    async def update(self, ctx: Context, params: TaskUpdateParams) -> Json:
        task = self._found(ctx, params)
        for key in params.input_responses:
            task.asks.pop(key, None)
        if not task.asks:
            task.answered.set()
        return {"resultType": "complete"}

    async def cancel(self, ctx: Context, params: TaskParams) -> Json:
        self._found(ctx, params).scope.cancel()
        return {"resultType": "complete"}


async def _slept(seconds: float) -> Json:
    await anyio.sleep(seconds)
    return text("Computed.")


async def _failed() -> Json:
    return text("It did not work.", isError=True)


async def _broken() -> Json:
    raise MCPError(types.INTERNAL_ERROR, "It broke.")


async def _answered(task: MemoryTask) -> Json:
    await task.answered.wait()
    return text("Done.")


async def _said(words: str) -> Json:
    return text(words)


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The fixture on a port of its own; its address."""
    async with anyio.create_task_group() as tasks:
        app = Fixture(tasks).server.streamable_http_app()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        tasks.start_soon(server.serve, [listener])
        while not server.started:
            await anyio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        server.should_exit = True
        tasks.cancel_scope.cancel()
    listener.close()
