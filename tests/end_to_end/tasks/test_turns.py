"""Questions and pictures: answered at once where they can be, as a task where they take long."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from gemini_emulator import Answer
from tests.support.app_harness import META, AppHarness, ToolResult
from tests.support.task_client import DECLARED, TaskClient, in_process, result_of

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
ASKS = {
    "steps": [
        {"type": "function_call", "id": "a", "name": "weather", "arguments": {"city": "Ulm"}}
    ],
    "status": "requires_action",
}


async def test_a_quick_answer_is_a_plain_result(client: TaskClient, harness: AppHarness) -> None:
    client = await in_process(harness)

    answered = await client.call("gemini_ask", prompt="Hello.")

    assert answered["resultType"] == "complete"
    assert "taskId" not in answered
    assert result_of(answered).status == "completed"


async def test_a_slow_answer_is_a_task_under_the_turns_id(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")

    created = await client.call("gemini_ask", prompt="Slowly, please.")
    meanwhile = await client.get(created["taskId"])
    gate.release()
    task = await client.until(created["taskId"])

    assert set(created) == {
        *("resultType", "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt"),
        *("ttlMs", "pollIntervalMs", "_meta"),
    }
    assert created["resultType"] == "task"
    assert created["status"] == "working"
    assert created["ttlMs"] is None
    assert created["pollIntervalMs"] == 2000
    assert created["createdAt"] == "2026-11-22T12:00:00.000Z"
    assert meanwhile["resultType"] == "complete"
    assert meanwhile["status"] == "working"
    assert meanwhile["statusMessage"]
    assert "result" not in meanwhile
    said = result_of(task["result"])
    assert said.id == created["taskId"]
    assert said.status == "completed"
    again = await client.use("gemini_result", id=said.id)
    assert (said.raw.content, said.facts) == (again.raw.content, again.facts)
    assert len(harness.bodies) == 1


async def test_a_task_that_was_read_is_collected(client: TaskClient, harness: AppHarness) -> None:
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Once.")
    gate.release()
    await client.result(id)

    again = await client.use("gemini_ask", prompt="Once.")

    assert again.id != id
    assert len(harness.bodies) == 2


async def test_a_task_that_nobody_reads_is_joined_by_the_same_call_and_is_in_the_history(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Once.")

    plain = TaskClient(client.ask, {})
    again = await client.call("gemini_ask", prompt="Once.")
    gate.release()
    await client.until(id)

    assert again["taskId"] == id
    assert "An identical earlier call had started this" in again["statusMessage"]
    assert len(harness.bodies) == 1
    assert id.partition("/")[0] in (await plain.use("gemini_history")).text


async def test_cancelling_a_task_ends_the_work_and_keeps_what_had_come(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Never mind.")
    assert await gate.reached(30)

    acknowledged = await client.cancel(id)
    task = await client.until(id)
    again = await client.cancel(id)

    assert acknowledged.keys() - {"_meta"} == {"resultType"} == again.keys() - {"_meta"}
    assert acknowledged["resultType"] == "complete"
    assert task["status"] == "cancelled"
    assert task["statusMessage"] == "Cancelled."
    assert "result" not in task
    kept = await client.use("gemini_result", id=id)
    assert kept.status == "cancelled"
    assert await client.get(id) == task


async def test_cancelling_a_joined_call_says_whose_work_it_ends(
    client: TaskClient, harness: AppHarness
) -> None:
    harness.control.hold_next(point="before_completed")
    first = await client.task("gemini_ask", prompt="Twice.")
    joined = await client.task("gemini_ask", prompt="Twice.")

    await client.cancel(joined)
    task = await client.until(first)

    assert joined == first
    assert task["status"] == "cancelled"
    assert task["statusMessage"] == (
        "Cancelled. This also ended the work of an identical earlier call."
    )


async def test_a_failed_answer_is_a_completed_task_whose_result_is_an_error(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next({"steps": [], "status": "failed"})
    id = await client.task("gemini_ask", prompt="Fail.")
    gate.release()

    task = await client.until(id)

    assert task["status"] == "completed"
    assert "error" not in task
    assert task["result"]["isError"] is True
    assert result_of(task["result"]).status == "failed"


async def test_what_is_refused_is_no_task(client: TaskClient) -> None:
    answered = await client.call("gemini_ask", prompt="")

    assert answered["resultType"] == "complete"
    assert answered["isError"] is True


async def test_a_function_round_goes_on_with_what_a_task_has_asked_for(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next(ASKS)
    id = await client.task("gemini_ask", prompt="How is it in Ulm?", tools=[WEATHER])
    gate.release()
    waits = await client.result(id)
    (asked,) = waits.facts["function_calls"]
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next("Sunny, then.")

    results = [{"call_id": asked["call_id"], "result": "sun"}]
    next_id = await client.task(
        "gemini_continue", conversation_id=waits.conversation, function_results=results
    )
    gate.release()
    said = await client.result(next_id)

    assert waits.status == "requires_action"
    assert not waits.is_error
    assert "gemini_continue" in waits.text
    assert next_id == f"{waits.conversation}/2"
    assert said.piece == "Sunny, then."


async def test_a_picture_comes_with_its_preview(client: TaskClient, harness: AppHarness) -> None:
    gate = harness.control.hold_next()
    id = await client.task("gemini_generate_image", prompt="A stork.")
    gate.release()

    said = await client.result(id)

    pictures = [block for block in said.raw.content if block.type == "image"]
    assert said.facts["image_id"].startswith("i_")
    assert len(pictures) == 1
    small = Image.open(io.BytesIO(base64.b64decode(pictures[0].data)))
    assert small.format == "JPEG"
    assert max(small.size) <= 512


@pytest.mark.parametrize(
    ("name", "budget"), [("codex-mcp-client", 11_000), ("claude-code", 40_000)]
)
async def test_a_result_fits_the_client_that_reads_it(
    client: TaskClient, harness: AppHarness, name: str, budget: int
) -> None:
    client.name = name
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next(Answer.of("A word. " * 20_000))
    id = await client.task("gemini_ask", prompt="Long.")
    gate.release()

    said: ToolResult = await client.result(id)

    assert budget * 0.8 < len(said.text) <= budget
    assert said.facts["next_offset"] == len(said.piece)


async def test_a_picture_is_no_task_for_a_client_that_shows_none_in_its_result(
    client: TaskClient, harness: AppHarness
) -> None:
    client.name = "claude-code"
    harness.control.delay(0.3)

    answered = await client.call("gemini_generate_image", prompt="A stork.")

    assert answered["resultType"] == "complete"
    assert [block["type"] for block in answered["content"]] == ["text", "image"]


async def test_facts_stay_away_from_a_model_that_would_see_them(
    client: TaskClient, harness: AppHarness
) -> None:
    client.name = "kimi-code"
    quick = await client.call("gemini_ask", prompt="")
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Slowly, please.")
    gate.release()

    task = await client.until(id)

    assert META not in quick.get("_meta", {})
    assert META not in task["result"].get("_meta", {})


async def test_waiting_listing_and_cancelling_are_never_tasks(
    client: TaskClient, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    id = await client.task("gemini_ask", prompt="Slowly.")

    for tool, arguments in (
        ("gemini_result", {"id": id}),
        ("gemini_history", {}),
        ("check_research", {"research_id": "r_0123456789"}),
        ("cancel_research", {"research_id": "r_0123456789"}),
    ):
        assert (await client.call(tool, **arguments))["resultType"] == "complete", tool
    gate.release()


async def test_tasks_wait_no_longer_than_the_time_budget(harness: AppHarness) -> None:
    client = await in_process(harness, max_wait_seconds=0.05)
    harness.control.hold_next(point="before_completed")

    assert await client.task("gemini_ask", prompt="Slowly.")


async def test_who_takes_no_tasks_waits_as_long_as_ever(harness: AppHarness) -> None:
    client = await in_process(harness, DECLARED, task_after_seconds=0.05)
    plain = TaskClient(client.ask, {})
    harness.control.delay(0.3)

    answered = await plain.call("gemini_ask", prompt="Slowly.")

    assert result_of(answered).status == "completed"
