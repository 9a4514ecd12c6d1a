"""Tasks behind a balancer: every replica answers for every task, to its owner alone."""

from __future__ import annotations

import pytest

from tests.support.cluster_harness import Cluster
from tests.support.task_client import WITH_FORMS, TaskClient, TaskError, over_http, result_of

APPROVE = {"action": "accept", "content": {"decision": "approve"}}
SOON = {"GEMINI_MCP_TASK_AFTER_SECONDS": "0.05"}


async def client_of(cluster: Cluster, *names: int, token: str = "anns-token") -> TaskClient:
    """Somebody whose requests go to these replicas in turn."""
    client = await cluster.connect(*(cluster.replicas[each] for each in names), token=token)
    return over_http(client.http, WITH_FORMS)


async def test_a_task_is_made_here_and_read_there(cluster: Cluster) -> None:
    cluster.control.research_seconds = 1.0
    await cluster.open(2, **SOON)
    here, there = await client_of(cluster, 0), await client_of(cluster, 1)
    bob = await client_of(cluster, 1, token="bobs-token")

    id = await here.task("start_deep_research", question="What is known of storks?")
    meanwhile = await there.get(id)
    with pytest.raises(TaskError) as refused:
        await bob.get(id)
    said = await there.result(id)

    assert meanwhile["status"] == "working"
    assert refused.value.code == -32602
    assert said.status == "completed"
    assert result_of((await here.get(id))["result"]).piece == said.piece
    assert len(cluster.control.posts) == 1


async def test_a_plan_is_approved_there_once_and_its_report_read_here(cluster: Cluster) -> None:
    cluster.control.research_seconds = 1.0
    await cluster.open(2, **SOON)
    here, there = await client_of(cluster, 0), await client_of(cluster, 1)
    id = await here.task("start_deep_research", question="Storks?", plan_first=True)
    await there.until(id, "input_required")

    await there.update(id, plan_1=APPROVE)
    await here.update(id, plan_1=APPROVE)
    said = await here.result(id)

    assert said.status == "completed"
    assert said.turn == 2
    assert len(cluster.control.posts) == 2


async def test_a_cancel_that_comes_to_another_replica_reaches_the_work(cluster: Cluster) -> None:
    gate = cluster.control.hold_next(point="before_completed")
    await cluster.open(2, **SOON)
    here, there = await client_of(cluster, 0), await client_of(cluster, 1)
    id = await here.task("gemini_ask", prompt="Never mind.")
    assert await gate.reached(30)

    await there.cancel(id)
    task = await there.until(id)

    assert task["status"] == "cancelled"
    assert (await here.get(id))["status"] == "cancelled"


async def test_another_replica_goes_on_with_the_task_of_one_that_was_killed(
    cluster: Cluster,
) -> None:
    cluster.control.research_seconds = 1.0
    first, _ = await cluster.open(2, **SOON)
    here, there = await client_of(cluster, 0), await client_of(cluster, 1)
    id = await here.task("start_deep_research", question="Storks?")
    first.kill()

    said = await there.result(id)

    assert said.status == "completed"
    assert len(cluster.control.posts) == 1
