"""Very many researches, followed by four processes: each is fetched to its end once.

`GEMINI_TEST_RESEARCHES` says how many. The suite takes 200 (80 where some processes die), so
that two busy cores do it within a minute; for the full number:
`GEMINI_TEST_RESEARCHES=1000 pytest tests/resilience/replicas/test_many_researches.py`.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from datetime import timedelta

import anyio
import pytest

from tests.support.cluster_harness import Cluster, ClusterClient

WANTED = int(os.environ.get("GEMINI_TEST_RESEARCHES", "0"))


@pytest.mark.parametrize(
    ("number", "kills"), [(WANTED or 200, 0), (WANTED or 80, 2)], ids=["nobody dies", "two die"]
)
async def test_each_research_is_fetched_to_its_end_by_exactly_one_of_four_processes(
    cluster: Cluster, number: int, kills: int
) -> None:
    # Those who die do so while everything they began still runs.
    seconds = 5.0 + number / 10 if kills else 5.0
    cluster.control.research_seconds = seconds
    cluster.control.usage_later(0)
    replicas = await cluster.open(
        4,
        # Long enough that no process of a busy machine loses its leases while it lives.
        GEMINI_MCP_LEASE_SECONDS="10",
        GEMINI_MCP_RESEARCH_POLL_SECONDS="1",
    )
    clients = [await cluster.connect(each) for each in replicas]
    researches: list[str] = []

    async def start(first: int) -> None:
        for each in range(first, number, 8):
            researches.append(await clients[each % 4].research(f"Question {each}?"))

    async with anyio.create_task_group() as tasks:
        for first in range(8):
            tasks.start_soon(start, first)
    for replica in replicas[:kills]:
        replica.kill()
        await replica.ended()
    reader = clients[-1]
    with anyio.fail_after(120 + number):
        while await booked_outcomes(reader) < number:
            await anyio.sleep(0.5)

    assert len(set(researches)) == number
    # One create each, one look at what was over, and one report stored (which books it).
    begun = {post.interaction_id: post.at for post in cluster.control.posts}
    assert len(begun) == len(cluster.control.posts) == number
    looks = [each for each in cluster.control.log if each.kind == "get"]
    over = timedelta(seconds=seconds + 0.5)
    late = Counter(
        each.interaction_id for each in looks if each.at > begun[each.interaction_id] + over
    )
    assert {id: count for id, count in late.items() if count > 1} == {}
    assert {each.interaction_id for each in looks} == set(begun)
    assert await booked_outcomes(reader) == number
    one = await reader.call("check_research", research_id=researches[0])
    assert one.status == "completed", one.text


async def booked_outcomes(reader: ClusterClient) -> int:
    """How many outcomes were written down, each of which books its tokens once."""
    answer = await reader.request("resources/read", uri="gemini://usage")
    rows = re.findall(r"\| \S+ \| deep-research\S* \| ([\d,]+) \|", json.dumps(answer["result"]))
    return sum(int(each.replace(",", "")) for each in rows)
