"""kill -9 at any moment of twenty researches: each ends once, as one report, and none is paid for
twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field

import anyio
import pytest

from tests.support.app_harness import AppHarness, ToolResult
from tests.support.server_process import SHORT_LEASE, ServerProcess, Start, finished_research

pytestmark = [pytest.mark.processes]


@pytest.fixture
def harness(real_time: AppHarness) -> AppHarness:
    return real_time


RESEARCHES = 20
SEED = 20261122


@dataclass
class KillRecord:
    """What was asked, and what was told before the teller was killed."""

    asked: list[str] = field(default_factory=list)
    told: dict[str, ToolResult] = field(default_factory=dict)
    kills: int = 0

    def heard(self, question: str, said: ToolResult) -> None:
        assert said.status in ("running", "completed"), said.text  # if the machine is slow
        self.told[question] = said


async def run_until_killed(
    server: ServerProcess, record: KillRecord, rng: random.Random, most: int, longest: float = 0.8
) -> None:
    """At most so many researches are started, and others looked at, until the process is killed,
    within `longest` seconds."""

    async def live() -> None:
        with suppress(ConnectionError, BrokenPipeError):
            for _ in range(most):
                question = f"Question {len(record.asked) + 1}?"
                record.asked.append(question)
                record.heard(question, await server.call("start_deep_research", question=question))
            while record.told:
                said = rng.choice(list(record.told.values()))
                await server.call("check_research", research_id=said.id, wait_seconds=1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        await asyncio.sleep(rng.uniform(0.05, longest))
        server.kill()
        record.kills += 1
        tasks.cancel_scope.cancel()
    await server.ended()


async def test_every_research_ends_once_as_one_report_whenever_its_server_is_killed(
    harness: AppHarness, start: Start
) -> None:
    rng, record = random.Random(SEED), KillRecord()
    harness.control.research_seconds = 0.5
    longest = 0.8
    while len(record.told) < RESEARCHES:
        before = len(record.told)
        server = await start(rng.choice(["legacy", "modern"]), **SHORT_LEASE)
        await run_until_killed(server, record, rng, most=4, longest=longest)
        # On a machine where nothing happens within a life, lives grow until something does.
        longest = longest * 2 if len(record.told) == before else max(longest / 2, 0.8)
    for _ in range(3):  # lives in which others' reports are made, and perhaps not finished
        await run_until_killed(await start(**SHORT_LEASE), record, rng, most=0)

    one, two = await start(**SHORT_LEASE), await start("modern", **SHORT_LEASE)
    reports = {
        question: await finished_research(server, said.id)
        for server, (question, said) in zip([one, two] * 99, record.told.items(), strict=False)
    }
    listed = await two.call("gemini_history", kind="research", limit=100)

    assert record.kills >= 3 + RESEARCHES // 4
    for question, said in reports.items():
        assert said.status == "completed", said.text
        assert said.piece.startswith(f"# {question}")
    asked = Counter(post.body["input"] for post in harness.control.posts)
    assert set(asked) <= set(record.asked)
    assert max(asked.values()) == 1
    ids = [line.split(" · ")[0] for line in listed.piece.splitlines()]
    everything = {id: await finished_research(one, id) for id in ids}
    assert {said.id for said in record.told.values()} <= set(everything)
    assert {said.status for said in everything.values()} <= {"completed", "interrupted"}
    # One report and one chart each, and nothing else.
    completed = [said for said in everything.values() if said.status == "completed"]
    files = sorted(each.suffix for each in (harness.folder / "research").glob("[!.]*"))
    assert files == [".md"] * len(completed) + [".png"] * len(completed)
    assert all(len(said.facts["path"]) and said.piece.count("![Chart") == 1 for said in completed)
    # What Google made and nobody got an id of is told as interrupted, never as more.
    lost = len(harness.control.posts) - len(completed)
    interrupted = len(everything) - len(completed)
    assert 0 <= lost <= interrupted
    with closing(sqlite3.connect(harness.folder / "gemini.db")) as database:
        assert database.execute("SELECT * FROM turns WHERE status = 'running'").fetchall() == []
        assert database.execute("SELECT * FROM turns WHERE lease_holder <> ''").fetchall() == []
