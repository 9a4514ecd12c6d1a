"""The door: what clients list and call, in both protocol eras."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import Any

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from .. import __version__
from ..app import App
from ..bridge.requests import Caller
from ..errors import Refused, UpstreamError
from ..tools import result
from ..tools.calls import Call, Calls, fingerprint
from ..tools.registry import Tool, Use, tools
from . import callers
from .callers import Context
from .catalogue import CACHE_HINTS, Catalogue
from .limits import Pace

log = logging.getLogger(__name__)

_LISTS = frozenset({"tools/list", "resources/list", "resources/templates/list", "prompts/list"})


def build(app: App) -> Server[App]:
    """The server for one app; entering its lifespan runs the app."""
    offered = tools(app.config.toolsets)
    door = _Door(app, offered)
    catalogue = Catalogue(app, offered)

    @asynccontextmanager
    async def lifespan(_server: Server[App]) -> AsyncIterator[App]:
        async with app.running():
            yield app

    server: Server[App] = Server(
        "gemini",
        version=__version__,
        title="Gemini",
        instructions=files("gemini_interactions")
        .joinpath("instructions.md")
        .read_text("utf-8")
        .strip(),
        lifespan=lifespan,
        on_list_tools=door.list_tools,
        on_call_tool=door.call_tool,
        on_list_resources=catalogue.list_resources,
        on_list_resource_templates=catalogue.list_templates,
        on_read_resource=catalogue.read_resource,
        on_list_prompts=catalogue.list_prompts,
        on_get_prompt=catalogue.get_prompt,
        on_completion=catalogue.complete,
        cache_hints=CACHE_HINTS,
        get_tool_input_schema=door.schema,
    )
    server.middleware.append(door.watch)
    return server


class _Door:
    """Handlers of one server: from the protocol's words to a tool and back."""

    def __init__(self, app: App, offered: Mapping[str, Tool]) -> None:
        self._app = app
        self._tools = offered
        self._calls = Calls()
        self._pace = Pace(app.config.calls_a_minute, app.now)

    async def list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        listed = [tool.listed for tool in self._tools.values()]
        if self._app.config.structured:
            from ..tools.shape import schema  # only programs ask for it

            shape = {"output_schema": schema()}
            listed = [each.model_copy(update=shape) for each in listed]
        return types.ListToolsResult(tools=listed)

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            known = ", ".join(self._tools)
            raise MCPError(
                types.INVALID_PARAMS, f"Unknown tool: {params.name}. There are: {known}."
            )
        answer = result.refusal("The client went away.")  # and does not read this
        key = callers.key(context, context.request_id, self._app)
        async with callers.connected(context, self._app):
            with self._calls.opened(key) as call:
                answer = await self._use(tool, context, params.arguments or {}, call)
        return answer

    async def _use(
        self, tool: Tool, context: Context, given: Mapping[str, Any], call: Call
    ) -> types.CallToolResult:
        """One use of a tool; whatever goes wrong is told in words."""
        try:
            owner = callers.owner(context)
            if context.request is not None:
                self._pace.admit(owner)
            arguments = tool.arguments.read(given)
            caller = Caller(
                owner=owner,
                session=callers.session(context, self._app),
                fingerprint=fingerprint(tool.name, arguments),
                progress=partial(_progress, context),
                made=call.made,
            )
            bridge = await self._app.bridge()
            room = callers.room(context, self._app)
            use = Use(
                caller,
                bridge.conversations,
                bridge.researches,
                bridge.images,
                bridge.gallery,
                room,
            )
            return await tool.run(use, **arguments)
        except Refused as refusal:
            return self._refusal(str(refusal))
        except UpstreamError as problem:
            return self._refusal(problem.message)
        except Exception:
            log.exception("%s failed", tool.name)
            return self._refusal(
                "This server failed in a way it should not; its log says how. "
                "Nothing that was handed out is lost: gemini_history lists it."
            )

    def _refusal(self, message: str) -> types.CallToolResult:
        return result.refusal(message, structured=self._app.config.structured)

    def schema(self, tool: str) -> Mapping[str, Any] | None:
        """What a tool takes; without it the SDK lists all tools anew for every modern call."""
        known = self._tools.get(tool)
        return known.arguments.schema if known else None

    async def watch(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Sees every message: refuses cursors, applies aborts, wakes the app once it is known."""
        if ctx.method in _LISTS and (ctx.params or {}).get("cursor") is not None:
            raise MCPError(types.INVALID_PARAMS, "Invalid cursor: lists here are one page.")
        if ctx.method == "notifications/cancelled":
            await self._cancelled(ctx)
        answered = await call_next(ctx)
        if ctx.method == "tools/list":
            self._app.wake()
        return answered

    async def _cancelled(self, context: Context) -> None:
        params = context.params or {}
        turn = self._calls.cancelled(
            callers.key(context, params.get("requestId"), self._app), params.get("reason")
        )
        if turn is not None:
            await (await self._app.conversations()).stop(turn)


async def _progress(context: Context, seconds: float, doing: str) -> None:
    """Hosts show the message; the number only has to grow."""
    await context.session.report_progress(round(seconds, 3), None, doing)
