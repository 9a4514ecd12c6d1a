"""kill -9 at random moments of two replicas, whose database restarts now and then: nothing that
was handed out is lost, sent twice, or left running.

`GEMINI_TEST_REPLICA_KILLS` says how many; for the long form see `python -m tests.resilience`.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import httpx2

from tests.support import kill_counts
from tests.support.app_harness import ToolResult
from tests.support.cluster_harness import PATIENCE, Cluster, ClusterClient, Replica
from tests.support.postgres import Postgres

KILLS = int(os.environ.get("GEMINI_TEST_REPLICA_KILLS", "8"))
KILLS_PER_RESTART = 6
SEED = 20261201
FINAL = ("completed", "interrupted", "failed")


@dataclass
class KillRecord:
    """What was asked, and every id that was told before somebody was killed."""

    asked: int = 0
    told: dict[str, ToolResult] = field(default_factory=dict)
    restarts: int = 0

    def take(self, said: ToolResult) -> None:
        if said.status is not None:
            self.told[said.id] = said

    def conversations(self) -> list[str]:
        return [said.conversation for said in self.told.values()]


class Traffic:
    """Clients that ask and continue on both replicas until they are told to stop."""

    def __init__(self, cluster: Cluster, rng: random.Random, record: KillRecord) -> None:
        self._cluster = cluster
        self._rng = rng
        self._record = record
        self.alive: list[Replica] = []
        self._clients: dict[int, ClusterClient] = {}

    async def run(self) -> None:
        while True:
            replica = self._rng.choice(self.alive)
            with suppress(httpx2.HTTPError, IndexError):
                if replica.pid not in self._clients:
                    self._clients[replica.pid] = await self._cluster.connect(replica)
                await self._call(self._clients[replica.pid])
            await anyio.sleep(self._rng.uniform(0, 0.05))

    async def _call(self, client: ClusterClient) -> None:
        self._record.asked += 1
        prompt = f"Prompt {self._record.asked}."
        known = self._record.conversations()
        match self._rng.choice(("ask", "ask", "follow", "follow", "image", "research")):
            case "follow" if known:
                said = await client.follow(prompt, conversation_id=self._rng.choice(known))
            case "image":
                said = await client.call("gemini_generate_image", prompt=prompt)
            case "research":
                said = await client.call("start_deep_research", question=prompt)
            case _:
                said = await client.ask(prompt)
        self._record.take(said)


async def test_nothing_is_lost_by_kills_of_replicas_and_restarts_of_their_database(
    cluster: Cluster, postgres: Postgres
) -> None:
    rng, record = random.Random(SEED), KillRecord()
    cluster.control.delay(0.03)
    cluster.control.research_seconds = 0.5
    traffic = Traffic(cluster, rng, record)
    traffic.alive = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="1")

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(traffic.run)
        for number in range(KILLS):
            told = len(record.told)
            with anyio.fail_after(PATIENCE):
                while len(record.told) < told + 2:
                    await anyio.sleep(0.02)
            await anyio.sleep(rng.uniform(0, 0.3))
            victim = rng.choice(traffic.alive)
            traffic.alive = [each for each in traffic.alive if each is not victim]
            if rng.random() < 0.25:
                # Longer than its lease: what it was about to send is another's to judge.
                victim.signal(signal.SIGSTOP)
                await anyio.sleep(rng.uniform(2.0, 3.5))
                victim.signal(signal.SIGCONT)
                await anyio.sleep(rng.uniform(0, 0.2))
            victim.kill()
            assert await victim.ended() == -signal.SIGKILL
            if number % KILLS_PER_RESTART == KILLS_PER_RESTART // 2:
                await anyio.to_thread.run_sync(postgres.stop)
                await anyio.to_thread.run_sync(postgres.start)
                record.restarts += 1
            traffic.alive += await cluster.open(1, GEMINI_MCP_MAX_WAIT_SECONDS="1")
        tasks.cancel_scope.cancel()

    cluster.control.delay(0)
    reader = await cluster.connect(traffic.alive[0])
    ended = {id: await reader.finished(id=id) for id in record.told}
    for id, said in ended.items():
        assert said.status in FINAL, said.text
        before = record.told[id]
        if before.status == "completed":
            assert said.piece == before.piece
    posted = Counter(
        post.body["input"] for post in cluster.control.posts if isinstance(post.body["input"], str)
    )
    assert {prompt: count for prompt, count in posted.items() if count > 1} == {}
    running = await _still_running(reader)
    kill_counts.add(
        "two replicas over PostgreSQL: texts, pictures, researches; kill -9, and stops before",
        kills=KILLS,
        restarts=record.restarts,
        turns=record.asked,
        told=len(record.told),
        lost=sum(said.status not in FINAL for said in ended.values()),
        doubled=sum(count > 1 for count in posted.values()),
        stuck=running,
    )
    assert running == 0


async def _still_running(reader: ClusterClient) -> int:
    """How many conversations still have a running turn once everybody had the time to look."""
    count = 0
    with anyio.move_on_after(PATIENCE):
        while True:
            count, offset = 0, 0
            while True:
                listed = await reader.call("gemini_history", limit=50, offset=offset)
                lines = [line for line in listed.piece.splitlines() if line.startswith("c_")]
                count += sum("running" in line for line in lines)
                offset += len(lines)
                if len(lines) < 50:
                    break
            if not count:
                break
            await anyio.sleep(0.5)
    return count
