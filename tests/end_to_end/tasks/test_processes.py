"""Tasks of processes that die, and of several that share a folder."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.app_harness import AppHarness
from tests.support.research_client import QUESTION
from tests.support.server_process import Start
from tests.support.task_client import WITH_FORMS, TaskClient, result_of

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="servers are forked"),
]

SOON = {"GEMINI_MCP_LEASE_SECONDS": "0.5", "GEMINI_MCP_TASK_AFTER_SECONDS": "0.05"}
"""Leases end soon after a kill, and little waiting makes a task."""
APPROVE = {"action": "accept", "content": {"decision": "approve"}}


@pytest.fixture
def harness(real_time: AppHarness) -> AppHarness:
    """Servers are processes, whose clock is the real one."""
    return real_time


async def test_another_process_answers_for_a_research_whose_process_was_killed(
    harness: AppHarness, start: Start
) -> None:
    harness.control.research_seconds = 2.0
    first = await start("modern", **SOON)
    id = await TaskClient.over(first).task("start_deep_research", question=QUESTION)
    first.kill()
    assert await first.ended() == -signal.SIGKILL

    second = TaskClient.over(await start("modern", **SOON))
    meanwhile = await second.get(id)
    said = await second.result(id)

    assert meanwhile["status"] == "working"
    assert said.status == "completed"
    assert len(harness.bodies) == 1


async def test_another_process_answers_for_a_question_whose_process_was_killed(
    harness: AppHarness, start: Start
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    first = await start("modern", **SOON)
    id = await TaskClient.over(first).task("gemini_ask", prompt="Slowly, please.")
    assert await gate.reached(30)
    first.kill()
    await first.ended()
    gate.release()

    second = TaskClient.over(await start("modern", **SOON))
    said = await second.result(id)

    assert said.id == id
    assert said.status in ("completed", "interrupted")
    assert len(harness.bodies) == 1
    assert result_of((await second.get(id))["result"]).raw == said.raw


async def test_a_plan_is_approved_by_way_of_another_process(
    harness: AppHarness, start: Start
) -> None:
    first = TaskClient.over(await start("modern", **SOON), WITH_FORMS)
    second = TaskClient.over(await start("modern", **SOON), WITH_FORMS)
    id = await first.task("start_deep_research", question=QUESTION, plan_first=True)
    await second.until(id, "input_required")

    await second.update(id, plan_1=APPROVE)
    said = await first.result(id)

    assert said.status == "completed"
    assert said.turn == 2
    assert len(harness.bodies) == 2


async def test_a_cancel_by_way_of_another_process_ends_the_work(
    harness: AppHarness, start: Start
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    first = TaskClient.over(await start("modern", **SOON))
    second = TaskClient.over(await start("modern", **SOON))
    id = await first.task("gemini_ask", prompt="Never mind.")
    assert await gate.reached(30)

    await second.cancel(id)
    task = await second.until(id)

    assert task["status"] == "cancelled"
    assert (await first.get(id))["status"] == "cancelled"
    assert (await first.use("gemini_result", id=id)).status == "cancelled"


async def test_a_server_that_ends_leaves_its_task_to_the_next(
    harness: AppHarness, start: Start
) -> None:
    harness.control.research_seconds = 2.0
    first = await start("modern", **SOON)
    id = await TaskClient.over(first).task("start_deep_research", question=QUESTION)
    first.hang_up()
    assert await first.ended() == 0

    second = TaskClient.over(await start("modern", **SOON))

    assert (await second.result(id)).status == "completed"
    assert len(harness.bodies) == 1
