"""Tool dispatcher: from a tools/call request to a tool function, and from its result back.

Importing what tools need takes longer than all the rest of a start, so the server imports
this only once somebody asks for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
from mcp.server.context import HandlerResult
from mcp.shared.exceptions import MCPError

from ..app import App
from ..bridge.requests import Caller
from ..domain.errors import Refused, UpstreamError
from ..tools.registry import tools
from ..tools.rendering import result
from ..tools.rendering.result import ClientLimits
from ..tools.tool_definition import Tool, ToolContext
from . import request_context
from .apps import extension
from .call_record import CallRecord
from .cancellation import InFlightCall, InFlightCalls, fingerprint
from .progress_notifications import ProgressReporter, reporting
from .request_context import Context
from .tasks import extension as tasks_extension
from .transports.http.rate_limit import RateLimiter, too_many

if TYPE_CHECKING:
    from .resource_handlers import ResourceHandlers
    from .tasks.methods import TaskMethods

log = logging.getLogger(__name__)


class ToolDispatcher:
    """Handlers of one server: its tools, and beside them its resources and prompts."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._tools: Mapping[str, Tool] = tools(app.config.toolsets)
        self._calls = InFlightCalls()
        self._pace = RateLimiter(app.config.calls_a_minute, app.now)

    @cached_property
    def catalogue(self) -> ResourceHandlers:
        from .resource_handlers import (
            ResourceHandlers,  # 10 ms, which the list of tools does not wait for
        )

        return ResourceHandlers(self._app, self._tools)

    @cached_property
    def tasks(self) -> TaskMethods:
        from .tasks.methods import TaskMethods  # nobody needs them before there is a task

        return TaskMethods(self._app)

    async def list_tools(
        self, context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        is_plain = not request_context.profile(context).mixed_lists
        tools = self._tools_for(context).values()
        listed = [tool.listed_plainly if is_plain else tool.listed for tool in tools]
        if self._app.config.structured:
            from ..tools.rendering.output_schema import schema  # only programs ask for it

            shape = {"output_schema": schema()}
            listed = [each.model_copy(update=shape) for each in listed]
        if extension.is_declared(context):
            listed = extension.with_views(listed)
        return types.ListToolsResult(tools=listed)

    def _tools_for(self, context: Context) -> Mapping[str, Tool]:
        """The tools this client may see and call; those for views only where it shows views."""
        if extension.is_declared(context):
            return self._tools
        return {name: tool for name, tool in self._tools.items() if not tool.is_for_views}

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> HandlerResult:
        tools = self._tools_for(context)
        tool = tools.get(params.name)
        if tool is None:
            known = ", ".join(tools)
            raise MCPError(
                types.INVALID_PARAMS, f"Unknown tool: {params.name}. There are: {known}."
            )
        limits = request_context.limits(context, self._app)
        sends_facts, limits = limits.facts, replace(limits, facts=True)  # the record reads them too
        record = CallRecord(self._app, request_context.owner(context), tool.name)
        answer = gone = result.refusal("The client went away.", limits)  # and does not read this
        key = request_context.key(context, context.request_id, self._app)
        try:
            async with (
                request_context.connected(context, self._app),
                reporting(context.session.report_progress) as progress,
            ):
                with self._calls.opened(key) as call:
                    answer = await self._tool_context(
                        tool, context, params.arguments or {}, call, progress, limits
                    )
        finally:
            with anyio.CancelScope(shield=True):
                await self._app.audit_call(record.close(None if answer is gone else answer))
        if self._may_be_task(tool, context):
            task = await self.tasks.created(context, answer, is_joined=call.is_joined)
            if task is not None:
                return task
        if not sends_facts:
            answer = answer.model_copy(update={"meta": None})
        return answer

    def _may_be_task(self, tool: Tool, context: Context) -> bool:
        if not tool.may_be_task or not tasks_extension.is_declared(context):
            return False
        return tool.toolset != "images" or request_context.profile(context).task_images

    async def _tool_context(
        self,
        tool: Tool,
        context: Context,
        given: Mapping[str, Any],
        call: InFlightCall,
        progress: ProgressReporter,
        limits: ClientLimits,
    ) -> types.CallToolResult:
        """One use of a tool; whatever goes wrong is told in words."""
        try:
            owner = request_context.owner(context)
            if context.request is not None:
                await self._admit(owner)
            arguments = tool.arguments.read(given, self._is_file)
            known = request_context.profile(context)
            sender = request_context.client_name(context) if known.resends else ""
            caller = Caller(
                owner=owner,
                session=request_context.session(context, self._app),
                fingerprint=fingerprint(tool.name, arguments, sender),
                progress=progress.tell,
                made=call.made,
                joins=call.joins,
                max_wait=request_context.time_budget(context, self._app),
                task_after=self._app.config.task_after_seconds
                if self._may_be_task(tool, context)
                else None,
                resends=known.resends,
            )
            bridge = await self._app.bridge()
            return await tool.run(ToolContext(caller, bridge, limits), **arguments)
        except Refused as refusal:
            return result.refusal(str(refusal), limits)
        except UpstreamError as problem:
            return result.refusal(problem.message, limits)
        except Exception:
            log.exception("%s failed", tool.name)
            return result.refusal(
                "This server failed in a way it should not; its log says how. "
                "Nothing that was handed out is lost: gemini_history lists it.",
                limits,
            )

    def _is_file(self, name: str) -> bool:
        """Whether a file in a folder that may be read really has that name."""
        folders = self._app.config.allowed_dirs
        places = ("",) if folders is None else folders
        try:
            return any(os.path.lexists(os.path.join(each, name)) for each in places)
        except ValueError:  # a NUL in it
            return False

    async def _admit(self, owner: str) -> None:
        """Count a call of an owner, or refuse it; workers count together, in the store."""
        config = self._app.config
        if config.workers == 1 or not config.calls_a_minute:
            self._pace.admit(owner)
            return
        wait = await self._app.count_call(owner, config.calls_a_minute)
        if wait:
            raise too_many(config.calls_a_minute, wait)

    def schema(self, tool: str) -> Mapping[str, Any] | None:
        """What a tool takes; without it the SDK lists all tools anew for every modern call."""
        known = self._tools.get(tool)
        return known.arguments.schema if known else None

    async def cancelled(self, context: Context) -> None:
        """Stop the work of a call whose cancel says that somebody aborted."""
        params = context.params or {}
        turn = self._calls.cancelled(
            request_context.key(context, params.get("requestId"), self._app), params.get("reason")
        )
        if turn is not None:
            await (await self._app.conversations()).stop(turn)
