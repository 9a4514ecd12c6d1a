"""Who gets tasks, and what is refused: by declaration, owner, header and era."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.support import protocol
from tests.support.app_harness import AppHarness, McpClient
from tests.support.gateway_harness import GatewayHarness
from tests.support.jsonrpc_client import InProcessClient
from tests.support.research_client import QUESTION
from tests.support.task_client import (
    DECLARED,
    TASKS,
    GetTask,
    SdkTasks,
    TaskClient,
    TaskError,
    TaskParams,
    TaskState,
    in_process,
    over_http,
    result_of,
)

METHODS: list[tuple[str, dict[str, Any]]] = [
    ("tasks/get", {}),
    ("tasks/update", {"inputResponses": {}}),
    ("tasks/cancel", {}),
]
UNKNOWN = -32602
NO_METHOD = -32601
NOT_DECLARED = -32021
WRONG_HEADER = -32020


async def test_the_extension_is_offered_to_whoever_declares_it_and_to_nobody_else(
    client: TaskClient,
) -> None:
    offered = await client.request("server/discover")
    plain = await TaskClient(client.ask, {}).request("server/discover")

    assert offered["capabilities"]["extensions"] == {TASKS: {}}
    assert "tasks" not in offered["capabilities"]
    assert "extensions" not in plain["capabilities"]


async def test_lists_of_tools_are_the_same_for_everybody(client: TaskClient) -> None:
    plain = TaskClient(client.ask, {})

    assert await client.request("tools/list") == await plain.request("tools/list")


async def test_without_a_declaration_on_the_request_there_is_no_task(
    client: TaskClient, harness: AppHarness
) -> None:
    plain = TaskClient(client.ask, {})
    id = await client.task("start_deep_research", question=QUESTION)

    answered = await plain.call("start_deep_research", question="Another.")

    assert answered["resultType"] == "complete"
    assert result_of(answered).status == "running"
    for method, more in METHODS:
        with pytest.raises(TaskError) as refused:
            await plain.request(method, taskId=id, **more)
        assert refused.value.code == NOT_DECLARED
        assert refused.value.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_a_task_that_was_never_given_reads_like_an_unknown_one(
    client: TaskClient, harness: AppHarness
) -> None:
    plain = TaskClient(client.ask, {})
    quick = await plain.use("gemini_ask", prompt="Hello.")
    research = (await plain.use("start_deep_research", question=QUESTION)).id
    given = await client.task("start_deep_research", question="Another.")
    turn = (await client.use("check_research", research_id=given)).facts
    wrong = [
        *(quick.id, quick.conversation, research, f"{research}/1", f"{research}/2"),
        *(given.partition("/")[0], f"{turn['conversation_id']}/{turn['turn']}", given.upper()),
        *(f" {given}", "c_0123456789/1", "r_0123456789/1", "i_0123456789", "v1_abc", "", "?"),
    ]

    for method, more in METHODS:
        messages = set()
        for id in wrong:
            with pytest.raises(TaskError) as refused:
                await client.request(method, taskId=id, **more)
            assert refused.value.code == UNKNOWN, id
            messages.add(str(refused.value))
        assert messages == {"There is no such task here."}


async def test_methods_of_earlier_drafts_are_not_there(client: TaskClient) -> None:
    assert await client.refusal("tasks/list") == NO_METHOD
    assert await client.refusal("tasks/result", taskId="x") == NO_METHOD


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"taskId": 7},
        {"taskId": None},
        {"taskId": ["x"]},
    ],
)
async def test_ids_of_other_types_are_refused(client: TaskClient, params: dict[str, Any]) -> None:
    for method, more in METHODS:
        assert await client.refusal(method, **params, **more) == UNKNOWN


async def test_responses_of_other_types_are_refused(client: TaskClient) -> None:
    id = await client.task("start_deep_research", question=QUESTION)

    responses: Any
    for responses in (None, [], "x", 3):
        code = await client.refusal("tasks/update", taskId=id, inputResponses=responses)
        assert code == UNKNOWN


async def test_a_legacy_client_gets_no_task_whatever_it_declares(harness: AppHarness) -> None:
    legacy = await InProcessClient.connect(harness, "legacy")
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": DECLARED,
        "clientInfo": {"name": "claude-code", "version": "1"},
    }
    fresh = await InProcessClient.connect(harness, "modern")  # says nothing before `initialize`
    greeted = await fresh.request("initialize", **hello)
    await fresh.notify("notifications/initialized")

    running = await legacy.call("start_deep_research", question=QUESTION)
    refused = await legacy.request("tasks/get", taskId=f"{running.id}/1")

    assert running.status == "running"
    assert refused["error"]["code"] == NO_METHOD
    assert TASKS not in str(greeted)


async def test_a_legacy_client_over_http_gets_no_task(gateways: GatewayHarness) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=True)

    running = await wire.call("start_deep_research", question=QUESTION)
    body = protocol.request("tasks/get", {"taskId": f"{running.id}/1"})
    answer = await wire.http.post("/mcp", json=body, headers=wire.headers)

    assert running.status == "running"
    assert f'"code":{NO_METHOD}' in answer.text.replace(" ", "")


async def test_over_http_the_name_of_a_request_is_its_task(gateways: GatewayHarness) -> None:
    await gateways.open()
    http = gateways.raw()
    gateways._raw.append(http)
    client = over_http(http)
    id = await client.task("start_deep_research", question=QUESTION)

    assert (await client.get(id))["status"] == "working"
    for name in ("r_0123456789/1", ""):
        other = over_http(http, mcp_name=name)
        for method, more in METHODS:
            assert await other.refusal(method, taskId=id, **more) == WRONG_HEADER
    assert (await client.get(id))["status"] == "working"


async def test_owners_see_no_tasks_of_each_other(gateways: GatewayHarness) -> None:
    await gateways.open(tokens={"anns-token": "ann", "bobs-token": "bob"})
    ann, bob = (gateways.raw(authorization=f"Bearer {name}-token") for name in ("anns", "bobs"))
    gateways._raw += [ann, bob]
    id = await over_http(ann).task("start_deep_research", question=QUESTION)

    for method, more in METHODS:
        with pytest.raises(TaskError) as foreign:
            await over_http(bob).request(method, taskId=id, **more)
        with pytest.raises(TaskError) as unknown:
            await over_http(bob).request(method, taskId="r_0123456789/1", **more)
        assert foreign.value.code == unknown.value.code == UNKNOWN
        assert str(foreign.value) == str(unknown.value)
    assert (await over_http(ann).get(id))["status"] == "working"


async def test_a_client_that_goes_away_leaves_its_task_to_be_found(
    harness: AppHarness, client: TaskClient
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Slowly.")
    other = await in_process(harness)

    gate.release()

    assert (await other.result(id)).status == "completed"


async def test_the_sdks_hooks_get_the_result_of_a_task(harness: AppHarness) -> None:
    extension = SdkTasks()
    client: McpClient = await harness.connect(extensions=[extension], task_after_seconds=0.05)
    harness.control.delay(0.3)

    said = await client.ask("Slowly, please.")

    assert extension.created == [said.id]
    assert said.status == "completed"


async def test_the_sdks_hooks_work_over_http_too(gateways: GatewayHarness) -> None:
    await gateways.open(task_after_seconds=0.05)
    extension = SdkTasks()
    gateways.harness.control.delay(0.3)
    client = await gateways.connect(extensions=[extension])

    said = await client.ask("Slowly, please.")

    assert extension.created == [said.id]
    assert said.status == "completed"


async def test_the_sdks_client_without_the_extension_is_told_in_words(harness: AppHarness) -> None:
    client = await harness.connect()

    said = await client.call("start_deep_research", question=QUESTION)

    assert said.status == "running"
    asked = GetTask(params=TaskParams(task_id=f"{said.id}/1"))
    with pytest.raises(MCPError) as refused:
        await client.sdk_client.session.send_request(asked, TaskState)
    assert refused.value.error.code == NOT_DECLARED
