"""The table: cancels, unknown ids and plans, each with the status and the words that answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import pytest

from tests.support.app_harness import ToolResult, mask_ids
from tests.support.research_client import ResearchClient

Play = Callable[[ResearchClient], Awaitable[ToolResult]]


@dataclass
class Row:
    """What somebody does, and how it is answered; a refusal has no status."""

    play: Play
    status: str | None
    text: str
    creates: int = 1
    cancels: int = 0


ROWS: dict[str, Row] = {}


def row(
    name: str, status: str | None, text: str, creates: int = 1, cancels: int = 0
) -> Callable[[Play], Play]:
    def add(play: Play) -> Play:
        ROWS[name] = Row(play, status, text, creates, cancels)
        return play

    return add


# -- cancel -----------------------------------------------------------------------------


@row(
    "cancel while Google is still taking it",
    "cancelled",
    "This research was cancelled after 0 s; it had written nothing yet.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    gate = researcher.harness.control.hold_next("create", "before_response")
    said: list[ToolResult] = []

    async def cancel() -> None:
        said.append(await researcher.cancel(await researcher.newest()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(researcher.start)
        assert await gate.reached()
        tasks.start_soon(cancel)
        await anyio.sleep(0.05)
        gate.release()
    return said[0]


@row(
    "cancel while Google does not say whether it has taken it",
    "running",
    "Google has not confirmed this research yet, so there is nothing to cancel there so far. "
    "Call cancel_research again in a moment.\n"
    'Do other work, then call check_research with research_id "r_…" in a minute or more.',
)
async def _(researcher: ResearchClient) -> ToolResult:
    researcher.client = await researcher.harness.connect(max_wait_seconds=0.05)
    gate = researcher.harness.control.hold_next("create", "before_response")
    await researcher.start()
    assert await gate.reached()
    return await researcher.cancel(await researcher.newest())


@row(
    "cancel while it waits for the turn before it",
    "cancelled",
    "This research was cancelled after 0 s; it had written nothing yet.",
)
async def _(researcher: ResearchClient) -> ToolResult:
    researcher.client = await researcher.harness.connect(max_wait_seconds=0.05)
    gate = researcher.harness.control.hold_next("create", "before_completed")
    asked = await researcher.client.ask("One.")
    started = await researcher.start(conversation_id=asked.conversation)
    said = await researcher.cancel(started.id)
    gate.release()
    return said


@row(
    "cancel during the run",
    "cancelled",
    "This research was cancelled after 10 min 0 s; what it had is above.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    researcher.harness.clock.advance(600)
    return await researcher.cancel(started.id)


@row(
    "cancel during the run from another process",
    "cancelled",
    "This research was cancelled after 20 s; it had written nothing yet.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    researcher.harness.clock.advance(20)
    other = ResearchClient(researcher.harness, await researcher.harness.connect())
    return await other.cancel(started.id)


@row(
    "cancel a run of which Google shows the end only later",
    "cancelled",
    "This research was cancelled after 0 s; it had written nothing yet.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    researcher.harness.control.cancel_slowly(5)
    return await researcher.cancel((await researcher.start()).id)


@row(
    "cancel just after Google has finished",
    "completed",
    "It was over before it could be cancelled: it is completed.\n"
    "Charts, beside the report: i_….\n"
    "The report as a file: …\n"
    'Read it with check_research with research_id "r_…".',
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    researcher.client = await researcher.harness.connect(research_poll_seconds=3600)
    started = await researcher.start()
    researcher.harness.control.finish(started.interaction)
    return await researcher.cancel(started.id)


@row(
    "cancel after the end",
    "completed",
    "There was nothing to cancel: the research is completed.\n"
    "Charts, beside the report: i_….\n"
    "The report as a file: …\n"
    'Read it with check_research with research_id "r_…".',
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.cancel((await researcher.report()).id)


@row(
    "cancel twice",
    "cancelled",
    "There was nothing to cancel: the research was cancelled.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    await researcher.cancel(started.id)
    return await researcher.cancel(started.id)


@row(
    "cancel twice at once",
    "cancelled",
    "There was nothing to cancel: the research was cancelled.",
    cancels=2,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(researcher.cancel, started.id)
        tasks.start_soon(researcher.cancel, started.id)
    return await researcher.cancel(started.id)


@row(
    "cancel a plan that waits",
    "plan_ready",
    "There was nothing to cancel: the research has a plan that waits for approval.\n"
    'Read it with check_research with research_id "r_…".',
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.cancel((await researcher.plan()).id)


@row(
    "cancel while Google cannot be reached",
    None,
    "r_… could not be cancelled just now and goes on at Google. Call cancel_research again in a "
    "moment.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    researcher.harness.control.fail_next(503, on="cancel")
    return await researcher.cancel(started.id)


@row(
    "cancel while Google does not answer in time",
    None,
    "Google did not confirm in time that r_… is cancelled: it may go on there. Call "
    "cancel_research again in a moment.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    started = await researcher.start()
    researcher.harness.control.fail_next(504, on="cancel")
    return await researcher.cancel(started.id)


@row(
    "cancel what Google has deleted",
    "cancelled",
    "This research was cancelled after 5 min 0 s; it had written nothing yet.",
    cancels=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    researcher.client = await researcher.harness.connect(research_poll_seconds=3600)
    started = await researcher.start()
    researcher.harness.clock.advance(300)
    researcher.harness.control.expire(started.interaction)
    return await researcher.cancel(started.id)


# -- ids ----------------------------------------------------------------------------------


@row(
    "check an unknown id",
    None,
    "There is no research 'r_…' here. Call gemini_history with kind \"research\" to see those "
    "there are.",
    creates=0,
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.check("r_0000000000")


@row(
    "check a conversation",
    None,
    'c_… is not a research. Research ids look like r_…; gemini_history with kind "research" '
    "lists them.",
    creates=1,
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.check((await researcher.client.ask("Hello.")).conversation)


@row(
    "check what is no id",
    None,
    "'my research' is not an id of this server. Ids look like c_… (a conversation) or c_…/3 (its "
    "third turn). Call gemini_history to see the ones there are.",
    creates=0,
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.check("my research")


# -- plans --------------------------------------------------------------------------------


@row(
    "approve what has no plan",
    None,
    'r_… has no plan to approve: it is still running. Call check_research with research_id "r_…".',
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.approve((await researcher.start()).id)


@row(
    "approve a plan that is still being made",
    None,
    "The plan of r_… is not ready: it is still running. Call check_research with research_id "
    '"r_…".',
)
async def _(researcher: ResearchClient) -> ToolResult:
    return await researcher.approve((await researcher.start(plan_first=True)).id)


@row(
    "approve a plan twice in a row",
    "running",
    "The research is running (0 s so far): Waiting for Gemini.\n"
    "An identical earlier call had started this; nothing was sent twice.\n"
    'Do other work, then call check_research with research_id "r_…" in a minute or more.',
    creates=2,
)
async def _(researcher: ResearchClient) -> ToolResult:
    plan = await researcher.plan()
    await researcher.approve(plan.id)
    return await researcher.approve(plan.id)


@row(
    "approve a plan twice at once",
    None,
    'r_… has no plan to approve: it is completed. Call check_research with research_id "r_…".',
    creates=2,
)
async def _(researcher: ResearchClient) -> ToolResult:
    plan = await researcher.plan()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(researcher.approve, plan.id)
        tasks.start_soon(researcher.approve, plan.id)
    await researcher.ended(plan.id)
    return await researcher.approve(plan.id)


@row(
    "change a plan after it was approved",
    None,
    'r_… has no plan to approve: it is still running. Call check_research with research_id "r_…".',
    creates=2,
)
async def _(researcher: ResearchClient) -> ToolResult:
    plan = await researcher.plan()
    await researcher.approve(plan.id)
    return await researcher.approve(plan.id, "Only Zürich.")


@row(
    "change a plan after the report",
    None,
    'r_… has no plan to approve: it is completed. Call check_research with research_id "r_…".',
    creates=2,
)
async def _(researcher: ResearchClient) -> ToolResult:
    plan = await researcher.plan()
    await researcher.ended((await researcher.approve(plan.id)).id)
    return await researcher.approve(plan.id, "Only Zürich.")


@pytest.mark.parametrize("name", ROWS)
async def test_each_row_is_answered_like_this(researcher: ResearchClient, name: str) -> None:
    row = ROWS[name]

    said = await row.play(researcher)

    tail = said.tail if "---" in said.text else said.text
    told = mask_ids(tail).replace(str(researcher.harness.folder), "…")
    told = "\n".join(
        "The report as a file: …" if line.startswith("The report as a file") else line
        for line in told.splitlines()
        if not line.startswith("research r_…")  # the footer
    )
    assert (told, said.status) == (row.text, row.status)
    assert said.is_error == (row.status is None)
    assert len(researcher.harness.bodies) == row.creates
    assert sum(each.kind == "cancel" for each in researcher.harness.control.log) == row.cancels
