"""The MCP server: its handlers in both protocol eras; what carries calls out is imported late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from .. import __version__
from ..app import App
from ..domain.errors import Refused
from .apps import extension as apps
from .declared_extensions import with_extensions
from .tasks import extension as tasks

if TYPE_CHECKING:
    from .tool_dispatcher import ToolDispatcher
    from .transports.http.rate_limit import RateLimiter

Context = ServerRequestContext[App, Any]

_FRESH = CacheHint(ttl_ms=300_000, scope="public")
"""Lists are the same for everybody and for as long as a server runs; one that is restarted with
other settings is believed this much later."""

WEBSITE = "https://github.com/gemini-interactions/gemini-interactions-mcp"
# Inline and small: every result of 2026-07-28 carries it, and a host may fetch nothing.
ICON = (
    "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0,0,2,2'%3E"
    "%3Cpath%20fill='%2348f'%20d='M1,0Q1,1,2,1,1,1,1,2,1,1,0,1,1,1,1,0'/%3E%3C/svg%3E"
)

_LISTS: tuple[CacheableMethod, ...] = (
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)


def build(app: App) -> Server[App]:
    """The server for one app; entering its lifespan runs the app."""
    handlers = _Handlers(app)

    @asynccontextmanager
    async def lifespan(_server: Server[App]) -> AsyncIterator[App]:
        async with app.running():
            yield app

    server: Server[App] = Server(
        "gemini",
        version=__version__,
        title="Gemini",
        website_url=WEBSITE,
        icons=[types.Icon(src=ICON)],
        instructions=files("gemini_interactions")
        .joinpath("instructions.md")
        .read_text("utf-8")
        .strip(),
        lifespan=lifespan,
        on_list_tools=handlers.list_tools,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
        on_completion=handlers.complete,
        cache_hints=dict.fromkeys(("server/discover", *_LISTS), _FRESH),
        get_tool_input_schema=lambda tool: handlers.dispatcher.schema(tool),
    )
    # Not `on_call_tool`, whose type knows no answer of an extension.
    server.add_request_handler("tools/call", types.CallToolRequestParams, handlers.call_tool)
    server.add_request_handler("tasks/get", tasks.TaskParams, handlers.get_task)
    server.add_request_handler("tasks/update", tasks.TaskUpdateParams, handlers.update_task)
    server.add_request_handler("tasks/cancel", tasks.TaskParams, handlers.cancel_task)
    server.middleware.append(handlers.watch)
    return server


class _Handlers:
    """Handlers of one server, each handed on to what is inside."""

    def __init__(self, app: App) -> None:
        self._app = app

    @cached_property
    def dispatcher(self) -> ToolDispatcher:
        from .tool_dispatcher import ToolDispatcher  # more than all the rest of a start costs

        return ToolDispatcher(self._app)

    async def list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return await self.dispatcher.list_tools(context, params)

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> HandlerResult:
        return await self.dispatcher.call_tool(context, params)

    async def get_task(self, context: Context, params: tasks.TaskParams) -> HandlerResult:
        return await self.dispatcher.tasks.get(context, params)

    async def update_task(self, context: Context, params: tasks.TaskUpdateParams) -> HandlerResult:
        return await self.dispatcher.tasks.update(context, params)

    async def cancel_task(self, context: Context, params: tasks.TaskParams) -> HandlerResult:
        return await self.dispatcher.tasks.cancel(context, params)

    async def list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return await self.dispatcher.catalogue.list_resources(context, params)

    async def list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return await self.dispatcher.catalogue.list_templates(context, params)

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        return await self.dispatcher.catalogue.read_resource(context, params)

    async def list_prompts(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return await self.dispatcher.catalogue.list_prompts(context, params)

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        return await self.dispatcher.catalogue.get_prompt(context, params)

    async def complete(
        self, context: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        return await self.dispatcher.catalogue.complete(context, params)

    @cached_property
    def _sessions(self) -> RateLimiter:
        from .transports.http.rate_limit import RateLimiter  # only HTTP has a rate

        return RateLimiter(self._app.config.calls_a_minute, self._app.now)

    def _admit_session(self, owner: str) -> None:
        """Sessions are as many a minute and owner as calls are: each is kept for half an hour."""
        try:
            self._sessions.admit(owner)
        except Refused as refused:
            raise MCPError(types.INVALID_REQUEST, str(refused)) from None

    async def watch(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Sees every message: refuses cursors, applies aborts, wakes the app once it is known."""
        if ctx.method in _LISTS and (ctx.params or {}).get("cursor") is not None:
            raise MCPError(types.INVALID_PARAMS, "Invalid cursor: lists here are one page.")
        if ctx.method == "initialize" and ctx.request is not None:
            self._admit_session(str(ctx.request.user.username))
        if ctx.method == "notifications/cancelled":
            await self.dispatcher.cancelled(ctx)
        if ctx.method == "tools/call":
            _check_arguments((ctx.params or {}).get("arguments"))
        answered = await call_next(ctx)
        if ctx.method in ("initialize", "server/discover"):
            offered = [each.EXTENSION for each in (apps, tasks) if each.is_declared(ctx)]
            answered = with_extensions(answered, offered)
        if ctx.method == "tools/list":
            self._app.wake()
        return answered


def _check_arguments(arguments: Any) -> None:
    """The SDK would only say that something is invalid."""
    if arguments is not None and not isinstance(arguments, Mapping):
        raise MCPError(
            types.INVALID_PARAMS,
            '`arguments` must be an object, such as {"prompt": "Hello."}, one key a parameter.',
        )
