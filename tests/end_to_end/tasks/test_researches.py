"""Researches and their plans as tasks."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_interactions.domain import client_profiles
from tests.support.app_harness import AppHarness, mask_ids
from tests.support.research_client import QUESTION, RUN
from tests.support.task_client import (
    DECLARED,
    WITH_FORMS,
    Json,
    TaskClient,
    in_process,
    result_of,
)

APPROVE: Json = {"action": "accept", "content": {"decision": "approve"}}


def change(words: str) -> Json:
    return {"action": "accept", "content": {"decision": "change", "changes": words}}


@pytest.fixture
async def asker(harness: AppHarness) -> TaskClient:
    """Declares tasks and forms."""
    return await in_process(harness, WITH_FORMS)


async def until_confirmed(client: TaskClient, id: str) -> None:
    """Until Google's id of it is written down: time that passes before that is its end."""
    plain = TaskClient(client.ask, {})
    while not (await plain.use("check_research", research_id=id)).facts.get("interaction_id"):
        pass


async def ended(client: TaskClient, harness: AppHarness, id: str, *statuses: str) -> Json:
    """The task once its run, or plan, has had the time it takes."""
    await until_confirmed(client, id)
    harness.clock.advance(RUN + 100)
    return await client.until(id, *statuses or ("completed", "input_required", "cancelled"))


async def start_plan(client: TaskClient, harness: AppHarness, **more: Any) -> tuple[str, Json]:
    """A research that asks about its plan."""
    id = await client.task("start_deep_research", question=QUESTION, plan_first=True, **more)
    return id, await ended(client, harness, id)


async def test_a_research_is_a_task_at_once(client: TaskClient, harness: AppHarness) -> None:
    created = await client.call("start_deep_research", question=QUESTION)
    task = await ended(client, harness, created["taskId"])

    assert created["resultType"] == "task"
    assert mask_ids(created["taskId"]) == "r_…/1"
    assert created["pollIntervalMs"] == 50  # as often as the test has us look
    said = result_of(task["result"])
    assert said.status == "completed"
    research = created["taskId"].partition("/")[0]
    for name in (research, created["taskId"]):
        again = await client.use("check_research", research_id=name)
        assert (again.raw.content, again.facts) == (said.raw.content, said.facts)
    by_result = await client.use("gemini_result", id=created["taskId"])
    assert by_result.piece == said.piece
    assert len(harness.bodies) == 1


async def test_a_poll_costs_google_nothing(client: TaskClient, harness: AppHarness) -> None:
    slow = await in_process(harness, research_poll_seconds=600)
    id = await slow.task("start_deep_research", question=QUESTION)
    looks = [each for each in harness.control.log if each.kind == "get"]

    for _ in range(30):
        task = await slow.get(id)

    assert task["status"] == "working"
    assert task["pollIntervalMs"] == 600_000
    assert [each for each in harness.control.log if each.kind == "get"] == looks


async def test_cancelling_reaches_google(client: TaskClient, harness: AppHarness) -> None:
    id = await client.task("start_deep_research", question=QUESTION)

    await client.cancel(id)
    task = await client.until(id)

    assert task["status"] == "cancelled"
    assert [each for each in harness.control.log if each.kind == "cancel"]
    assert (await client.use("check_research", research_id=id)).status == "cancelled"


async def test_without_forms_a_plan_is_the_result(client: TaskClient, harness: AppHarness) -> None:
    id, task = await start_plan(client, harness)

    said = result_of(task["result"])
    assert task["status"] == "completed"
    assert said.status == "plan_ready"
    assert "approve_research_plan" in said.tail
    run = await client.task("approve_research_plan", research_id=id.partition("/")[0])
    assert run == id.replace("/1", "/2")
    assert result_of((await ended(client, harness, run))["result"]).status == "completed"
    # What was told as ended stays so, whoever asks.
    assert result_of((await client.get(id))["result"]).raw == said.raw
    assert (await TaskClient(client.ask, WITH_FORMS).get(id))["status"] == "completed"


async def test_a_client_that_leaves_forms_unanswered_is_not_asked(
    asker: TaskClient, harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        client_profiles.CLIENTS, "silent", client_profiles.ClientProfile(answers_elicitation=False)
    )
    asker.name = "silent"

    _, task = await start_plan(asker, harness)

    assert task["status"] == "completed"
    assert result_of(task["result"]).status == "plan_ready"
    assert "approve_research_plan" in result_of(task["result"]).tail


async def test_a_plan_asks_and_goes_on_as_the_same_task(
    asker: TaskClient, harness: AppHarness
) -> None:
    id, asks = await start_plan(asker, harness)

    assert asks["status"] == "input_required"
    assert "result" not in asks
    assert list(asks["inputRequests"]) == ["plan-1"]
    asked = asks["inputRequests"]["plan-1"]
    assert asked["method"] == "elicitation/create"
    assert asked["params"]["mode"] == "form"
    assert f"Research plan: {QUESTION} · 1. " in asked["params"]["message"]
    assert "\n" not in asked["params"]["message"]  # a host shows a few lines only
    schema = asked["params"]["requestedSchema"]
    assert schema["properties"]["decision"]["enum"] == ["approve", "change"]
    assert schema["required"] == ["decision"]

    changed = await asker.update(id, plan_1=change("Only Zürich."))
    working = await asker.get(id)
    asks_again = await ended(asker, harness, id)
    assert changed.keys() - {"_meta"} == {"resultType"}
    assert working["status"] == "working"
    assert list(asks_again["inputRequests"]) == ["plan-2"]
    assert "Only Zürich." in asks_again["inputRequests"]["plan-2"]["params"]["message"]

    await asker.update(id, plan_1=APPROVE)  # answered already
    assert (await asker.get(id))["status"] == "input_required"
    await asker.update(id, plan_2=APPROVE)
    assert (await asker.get(id))["status"] == "working"
    await asker.update(id, plan_2=APPROVE)  # once is enough
    task = await ended(asker, harness, id)
    assert task["status"] == "completed"
    assert task["taskId"] == id
    said = result_of(task["result"])
    assert said.status == "completed"
    assert said.turn == 3
    assert len(harness.bodies) == 3


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept", "content": {"decision": "change", "changes": "  "}},
        {"action": "accept", "content": {"decision": ["approve"]}},
        {"action": "accept"},
        {"action": ["accept"], "content": None},
        "approve",
        None,
    ],
)
async def test_whatever_is_no_clear_decision_runs_nothing_and_names_the_tool(
    asker: TaskClient, harness: AppHarness, answer: Any
) -> None:
    id, _ = await start_plan(asker, harness)

    await asker.update(id, plan_1=answer)
    task = await asker.get(id)

    assert task["status"] == "completed"
    assert result_of(task["result"]).status == "plan_ready"
    assert "approve_research_plan" in result_of(task["result"]).tail
    await asker.update(id, plan_1=APPROVE)
    assert await asker.get(id) == task
    assert len(harness.bodies) == 1
    assert await asker.task("approve_research_plan", research_id=id.partition("/")[0])


async def test_answers_to_what_is_not_asked_mean_nothing(
    asker: TaskClient, harness: AppHarness
) -> None:
    id, asks = await start_plan(asker, harness)

    acknowledged = await asker.update(id, plan_7=APPROVE, other={"x": 1})

    assert acknowledged["resultType"] == "complete"
    assert await asker.get(id) == asks


async def test_a_plan_that_a_tool_approves_ends_its_task_with_the_plan(
    asker: TaskClient, harness: AppHarness
) -> None:
    id, _ = await start_plan(asker, harness)
    run = await asker.task("approve_research_plan", research_id=id.partition("/")[0])

    task = await asker.get(id)

    assert run == id.replace("/1", "/2")
    assert task["status"] == "completed"
    assert result_of(task["result"]).status == "plan_ready"
    assert result_of((await ended(asker, harness, run))["result"]).status == "completed"


async def test_revisions_by_tool_are_a_task_each(asker: TaskClient, harness: AppHarness) -> None:
    id, _ = await start_plan(asker, harness)
    research = id.partition("/")[0]

    revision = await asker.task("approve_research_plan", research_id=research, changes="Shorter.")
    asks = await ended(asker, harness, revision)
    await asker.update(revision, plan_2=APPROVE)
    task = await ended(asker, harness, revision)

    assert revision == f"{research}/2"
    assert list(asks["inputRequests"]) == ["plan-2"]
    assert result_of(task["result"]).turn == 3
    assert await asker.refusal("tasks/get", taskId=f"{research}/3") == -32602


async def test_a_plan_that_cannot_be_run_ends_its_task_with_the_reason(
    asker: TaskClient, harness: AppHarness
) -> None:
    id, _ = await start_plan(asker, harness)
    harness.control.fail_next(400, message="No such agent.", on="create")

    await asker.update(id, plan_1=APPROVE)
    task = await asker.until(id)

    assert task["status"] == "completed"
    assert task["result"]["isError"] is True
    assert "approve_research_plan" in result_of(task["result"]).text


async def test_a_limit_that_is_reached_ends_the_task_in_words(harness: AppHarness) -> None:
    asker = await in_process(harness, WITH_FORMS)
    id, _ = await start_plan(asker, harness)
    poor = await in_process(harness, WITH_FORMS, daily_usd_limit=0.01)

    await poor.update(id, plan_1=APPROVE)
    task = await poor.get(id)

    assert task["status"] == "completed"
    assert task["result"]["isError"] is True
    assert "GEMINI_MCP_DAILY_USD_LIMIT" in result_of(task["result"]).text
    assert "approve_research_plan" in result_of(task["result"]).text
    assert len(harness.bodies) == 1


async def test_a_waiting_plan_can_be_cancelled(asker: TaskClient, harness: AppHarness) -> None:
    id, _ = await start_plan(asker, harness)

    await asker.cancel(id)
    await asker.update(id, plan_1=APPROVE)

    assert (await asker.get(id))["status"] == "cancelled"
    assert len(harness.bodies) == 1
    assert (await asker.use("check_research", research_id=id)).status == "plan_ready"


async def test_an_identical_research_joins_and_its_cancel_says_whose_work_it_ends(
    harness: AppHarness,
) -> None:
    client = await in_process(harness, DECLARED)
    plain = TaskClient(client.ask, {})
    first = await plain.use("start_deep_research", question=QUESTION)

    created = await client.call("start_deep_research", question=QUESTION)
    await client.cancel(created["taskId"])
    task = await client.until(created["taskId"])

    assert created["taskId"] == f"{first.id}/1"
    assert "cancelling it ends that call's work too" in created["statusMessage"]
    assert task["statusMessage"] == (
        "Cancelled. This also ended the work of an identical earlier call."
    )
    assert len(harness.bodies) == 1


async def test_a_research_that_stalled_stays_told_as_that(harness: AppHarness) -> None:
    client = await in_process(harness, research_deadline_seconds=60)
    harness.control.hold_background()
    id = await client.task("start_deep_research", question=QUESTION)
    task = await ended(client, harness, id)
    harness.control.finish(result_of(task["result"]).interaction, "At last.")

    later = await client.use("check_research", research_id=id)

    assert result_of(task["result"]).status == "stalled"
    assert later.status == "completed"
    assert await client.get(id) == {
        **task,
        "lastUpdatedAt": (await client.get(id))["lastUpdatedAt"],
    }
    assert result_of((await client.get(id))["result"]).status == "stalled"
