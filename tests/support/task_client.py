"""Clients of the Tasks extension: one by hand, over any transport, and one on the SDK's hooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import anyio
import httpx2
import mcp_types as types
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim

from tests.support.app_harness import AppHarness, ToolResult
from tests.support.http_client import HttpClient
from tests.support.jsonrpc_client import InProcessClient, JsonRpcClient
from tests.support.protocol import envelope

TASKS = "io.modelcontextprotocol/tasks"
DECLARED: dict[str, Any] = {"extensions": {TASKS: {}}}
WITH_FORMS: dict[str, Any] = {**DECLARED, "elicitation": {}}
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ENDED = ("completed", "failed", "cancelled")
PATIENCE = 60.0

Json = dict[str, Any]
Ask = Callable[[str, Json], Awaitable[Json]]
"""Sends a request with its params; the whole message that answers it."""


class TaskError(Exception):
    """An error answer."""

    def __init__(self, error: Json) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.data = error.get("data")


@dataclass
class TaskClient:
    """What a client does with tasks; `capabilities` are declared on every request."""

    ask: Ask
    capabilities: Json = field(default_factory=lambda: DECLARED)
    name: str = "inspector"

    @classmethod
    def over(cls, client: JsonRpcClient, capabilities: Json = DECLARED) -> TaskClient:
        """On a connection that there is."""

        async def ask(method: str, params: Json) -> Json:
            return await client.request(method, **params)

        return cls(ask, capabilities)

    async def request(self, method: str, **params: Any) -> Json:
        meta = envelope(self.name, self.capabilities)
        message = await self.ask(method, {**params, "_meta": meta})
        if "error" in message:
            raise TaskError(message["error"])
        result: Json = message["result"]
        return result

    async def call(self, tool: str, /, **arguments: Any) -> Json:
        """A call's result, which may be a task."""
        return await self.request("tools/call", name=tool, arguments=arguments)

    async def task(self, tool: str, /, **arguments: Any) -> str:
        """The id of the task that a call is answered with."""
        created = await self.call(tool, **arguments)
        assert created["resultType"] == "task", created
        return str(created["taskId"])

    async def use(self, tool: str, /, **arguments: Any) -> ToolResult:
        return result_of(await self.call(tool, **arguments))

    async def get(self, id: str) -> Json:
        return await self.request("tasks/get", taskId=id)

    async def update(self, id: str, **responses: Any) -> Json:
        answers = {key.replace("_", "-"): answer for key, answer in responses.items()}
        return await self.request("tasks/update", taskId=id, inputResponses=answers)

    async def cancel(self, id: str) -> Json:
        return await self.request("tasks/cancel", taskId=id)

    async def until(self, id: str, *statuses: str) -> Json:
        """The task once it has one of these statuses, or has ended."""
        with anyio.fail_after(PATIENCE):
            while (task := await self.get(id))["status"] not in (statuses or ENDED):
                assert task["status"] not in ENDED, task
                await anyio.sleep(0.01)
        return task

    async def result(self, id: str) -> ToolResult:
        """What a task has become, once it is completed."""
        task = await self.until(id)
        assert task["status"] == "completed", task
        return result_of(task["result"])

    async def refusal(self, method: str, **params: Any) -> int:
        """The code of the error that this is answered with."""
        try:
            answered = await self.request(method, **params)
        except TaskError as error:
            return error.code
        raise AssertionError(answered)


def result_of(result: Json) -> ToolResult:
    return ToolResult.of(types.CallToolResult.model_validate(result))


async def in_process(
    harness: AppHarness, capabilities: Json = DECLARED, **changes: Any
) -> TaskClient:
    """With a server of this process on the data folder; `changes` are fields of `Config`."""
    client = await InProcessClient.connect(harness, "modern", harness.sleep, **changes)
    return TaskClient.over(client, capabilities)


def over_http(
    http: httpx2.AsyncClient, capabilities: Json = DECLARED, **headers: str
) -> TaskClient:
    """Over Streamable HTTP; `headers` replace those that the request should have (`mcp_name`)."""
    client = HttpClient(http)
    changed = {name.replace("_", "-"): value for name, value in headers.items()}

    async def ask(method: str, params: Json) -> Json:
        return await client.request(method, headers=changed, **params)

    return TaskClient(ask, capabilities)


# -- on the SDK's hooks ----------------------------------------------------------------


class CreatedTask(types.Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int | None = None


class TaskState(types.Result):
    task_id: str
    status: str
    poll_interval_ms: int | None = None
    result: dict[str, Any] | None = None


class TaskParams(types.RequestParams):
    task_id: str


class GetTask(types.Request[TaskParams, Literal["tasks/get"]]):
    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class SdkTasks(ClientExtension):
    """Calls that are answered as tasks, polled until their result is there."""

    identifier = TASKS

    def __init__(self) -> None:
        self.created: list[str] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=self._resolve)]

    async def _resolve(self, task: CreatedTask, context: ClaimContext) -> types.CallToolResult:
        self.created.append(task.task_id)
        with anyio.fail_after(PATIENCE):
            while True:
                ask = GetTask(params=TaskParams(task_id=task.task_id))
                state = await context.session.send_request(ask, TaskState)
                if state.status == "completed":
                    return types.CallToolResult.model_validate(state.result)
                assert state.status == "working", state
                await anyio.sleep(0.01)
