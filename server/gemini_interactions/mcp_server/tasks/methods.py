"""`tasks/get`, `tasks/update` and `tasks/cancel`, and how a call is answered as a task.

A task has nothing of its own: it is a turn, told in the words of the extension, and its result
is what gemini_result or check_research would say of that turn.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from mcp.server.context import HandlerResult
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ...app import App
from ...bridge.facade import Bridge
from ...bridge.mcp_tasks import Task
from ...bridge.requests import Caller
from ...domain.errors import Refused, UpstreamError
from ...tools import conversations, research
from ...tools.rendering import result
from ...tools.tool_definition import ToolContext
from .. import request_context
from ..call_record import CallRecord
from ..declared_extensions import Context
from . import plan_form
from .extension import EXTENSION, TaskParams, TaskUpdateParams, is_declared, takes_forms

log = logging.getLogger(__name__)

DONE = {"resultType": "complete"}
UNKNOWN = "There is no such task here."
MAY_CHANGE = ("interrupted", "stalled", "plan_ready")
"""Statuses of turns that may yet become another: a task that was told as ended stays so."""
CANCEL_SECONDS = 5.0
"""How long a cancel waits for Google before it is left to the process that does the work."""


class TaskMethods:
    """Handlers of one server."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def created(
        self, context: Context, answer: types.CallToolResult, *, is_joined: bool
    ) -> dict[str, Any] | None:
        """The answer of a call as a task where it says "running"; the task is written down before
        it is told. None where it is no task."""
        facts = (answer.meta or {}).get(result.META)
        if answer.is_error or not isinstance(facts, dict) or facts.get("status") != "running":
            return None
        place = str(facts["conversation_id"]), int(facts["turn"])
        try:
            tasks = (await self._app.bridge()).tasks
            owner = request_context.owner(context)
            task = await tasks.issue(owner, *place, is_joined=is_joined)
        except Exception:  # its turn is found by its id all the same
            log.exception("turn %s/%s could not be answered as a task", *place)
            return None
        return {"resultType": "task", **_fields(task, "working")}

    async def get(self, context: Context, params: TaskParams) -> HandlerResult:
        task = await self._found(context, params)
        return {**DONE, **await self._task_result(context, task)}

    async def update(self, context: Context, params: TaskUpdateParams) -> HandlerResult:
        task = await self._found(context, params)
        key = plan_form.key(task)
        # Answers to what is not asked, or not asked any more, mean nothing.
        if task.asks and key in params.input_responses:
            decision, changes = plan_form.read(params.input_responses[key])
            if decision == "decline":
                await (await self._app.bridge()).tasks.keep(task, {"status": "completed"})
            else:
                await self._go_on(context, task, changes)
        return dict(DONE)

    async def cancel(self, context: Context, params: TaskParams) -> HandlerResult:
        task = await self._found(context, params)
        caller = replace(_caller(context), max_wait=CANCEL_SECONDS)
        await (await self._app.bridge()).tasks.cancel(caller, task)
        return dict(DONE)

    # -- a task ---------------------------------------------------------------------

    async def _found(self, context: Context, params: TaskParams) -> Task:
        """The task that a request names; whatever is not this owner's reads like an unknown one."""
        check(context, params.task_id)
        bridge = await self._bridge()
        task = await bridge.tasks.find(request_context.owner(context), params.task_id)
        if task is None:
            raise MCPError(types.INVALID_PARAMS, UNKNOWN)
        return task

    async def _bridge(self) -> Bridge:
        try:
            return await self._app.bridge()
        except Refused as refusal:
            raise MCPError(types.INTERNAL_ERROR, str(refusal)) from None

    async def _task_result(self, context: Context, task: Task) -> dict[str, Any]:
        """A task as it stands, with what it asks or its result."""
        if task.answer is not None:
            return await self._kept(context, task)
        if not task.turn.is_final:
            return _fields(task, "working")
        if task.asks and self._asks_forms(context):
            budget = request_context.limits(context, self._app).budget
            asked = {plan_form.key(task): plan_form.request(task, budget)}
            return {**_fields(task, "input_required"), "inputRequests": asked}
        if task.turn.status == "cancelled":
            return _fields(task, "cancelled")
        tasks = (await self._app.bridge()).tasks
        said = await self._result(context, task)
        # Reading it may have asked Google once more.
        task = await tasks.find(task.turn.owner, task.id) or task
        if task.turn.status == "cancelled":
            return _fields(task, "cancelled")
        if task.turn.status in MAY_CHANGE:
            # A plan stays as it is, and is read from its turn again.
            words = {} if task.turn.status == "plan_ready" else {"result": said}
            await tasks.keep(task, {"status": "completed", **words})
        return {**_fields(task, "completed"), "result": said}

    def _asks_forms(self, context: Context) -> bool:
        return takes_forms(context) and request_context.profile(context).answers_elicitation

    async def _kept(self, context: Context, task: Task) -> dict[str, Any]:
        """A task as it was told before: what has ended stays so."""
        answer = task.answer or {}
        if answer.get("status") == "cancelled":
            return _fields(task, "cancelled")
        said = answer.get("result") or await self._result(context, task)
        return {**_fields(task, "completed"), "result": said}

    async def _result(self, context: Context, task: Task) -> dict[str, Any]:
        """What the tools that collect say of it; that counts as having collected it."""
        tool_context = await self._tool_context(context, _caller(context))
        try:
            if task.research is not None:
                said = await research.check_research(tool_context, task.turn_id)
            else:
                said = await conversations.gemini_result(tool_context, task.turn_id)
        except Refused as refusal:
            said = result.refusal(str(refusal), tool_context.limits)
        except UpstreamError as problem:
            said = result.refusal(problem.message, tool_context.limits)
        return _dumped(said)

    async def _go_on(self, context: Context, task: Task, changes: str) -> None:
        """Run the plan of a task, or have it revised: the task goes on with that."""
        tasks = (await self._app.bridge()).tasks
        tool_context = await self._tool_context(context, replace(_caller(context), task=task.id))
        record = CallRecord(self._app, tool_context.caller.owner, "approve_research_plan")
        said: types.CallToolResult | None = None
        try:
            said = await research.approve_research_plan(tool_context, task.research_id, changes)
        except (Refused, UpstreamError) as problem:
            words = str(problem) if isinstance(problem, Refused) else problem.message
            again = f'Its plan waits: call approve_research_plan with "{task.research_id}".'
            said = result.refusal(f"{words} {again}", tool_context.limits)
            now = await tasks.find(task.turn.owner, task.id)
            # Unless another answer came first.
            if now is not None and now.asks and now.turn.n == task.turn.n:
                await tasks.keep(now, {"status": "completed", "result": _dumped(said)})
        finally:
            await self._app.audit_call(record.close(said))

    async def _tool_context(self, context: Context, caller: Caller) -> ToolContext:
        limits = request_context.limits(context, self._app)
        return ToolContext(caller, await self._app.bridge(), limits)


def check(context: Context, task_id: str) -> None:
    """Refuse whoever does not declare tasks, and a request whose header names another one."""
    if not is_declared(context):
        if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found", data=context.method)
        required: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        message = f"This request needs a client that declares {EXTENSION}."
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, message, data=required)
    if context.request is None:
        return
    if decode_header_value(context.request.headers.get(MCP_NAME_HEADER)) != task_id:
        raise MCPError(
            types.HEADER_MISMATCH, "Mcp-Name header does not match the request body's 'taskId'"
        )


def _caller(context: Context) -> Caller:
    """Whoever looks at a task: a look changes no session's defaults."""
    return Caller(owner=request_context.owner(context))


def _fields(task: Task, status: str) -> dict[str, Any]:
    return {
        "taskId": task.id,
        "status": status,
        "statusMessage": task.message,
        "createdAt": _iso(task.first.created),
        "lastUpdatedAt": _iso(task.updated),
        "ttlMs": None,
        "pollIntervalMs": max(1, round(task.look_seconds * 1000)),
    }


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _dumped(said: types.CallToolResult) -> dict[str, Any]:
    return said.model_dump(by_alias=True, mode="json", exclude_none=True)
