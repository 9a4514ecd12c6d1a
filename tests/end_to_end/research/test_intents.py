"""Intents: what is left of a research whose process was killed, and what can be done about it."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from gemini_interactions.bridge.turns.execution import executor
from tests.support.app_harness import AppHarness, mask_ids
from tests.support.research_client import QUESTION, ResearchClient, until
from tests.support.server_process import SHORT_LEASE, ServerProcess, Start, finished_research

pytestmark = [pytest.mark.processes]


@pytest.fixture
def harness(real_time: AppHarness) -> AppHarness:
    return real_time


async def only_id(server: ServerProcess) -> str:
    """The id of the only research there is."""
    (line,) = (await server.call("gemini_history", kind="research")).piece.splitlines()
    return line.split(" · ")[0]


async def test_a_kill_between_the_request_and_its_answer_leaves_one_intent_and_no_second_request(
    harness: AppHarness, start: Start
) -> None:
    server = await start(**SHORT_LEASE)
    gate = harness.control.hold_next("create", "before_response")
    await server.begin("tools/call", name="start_deep_research", arguments={"question": QUESTION})
    assert await gate.reached()
    await server.killed()
    gate.release()
    later = await start(**SHORT_LEASE)

    said = await finished_research(later, await only_id(later))

    assert said.status == "interrupted"
    assert not said.is_error
    assert mask_ids(said.text) == (
        "This research was interrupted before Google confirmed it. It may have been sent and be "
        "running there, and was not sent again by itself. This server's process had ended.\n"
        f'What was asked is kept: "{QUESTION}"\n'
        "Start it again with start_deep_research if it is still wanted.\n"
        "research r_… · conversation c_… · turn 1 · deep-research-preview-04-2026"
    )
    assert len(harness.control.posts) == 1
    assert (await later.call("gemini_result", id=said.id)).text == said.text


async def test_a_kill_before_the_request_says_that_nothing_runs(
    harness: AppHarness, start: Start
) -> None:
    server = await start(**SHORT_LEASE, GEMINI_MCP_MAX_WAIT_SECONDS="0.05")
    harness.control.hold_next("create", "before_completed")
    asked = await server.call("gemini_ask", prompt="Hello.")
    await server.call("start_deep_research", question=QUESTION, conversation_id=asked.conversation)
    await server.killed()
    harness.control.release()
    later = await start(**SHORT_LEASE)

    said = await finished_research(later, await only_id(later))

    assert mask_ids(said.text).startswith(
        "This research was interrupted before it was sent to Google: nothing runs there. This "
        "server's process had ended.\n"
    )
    assert len(harness.control.posts) == 1


async def test_a_kill_while_a_plan_is_approved_leaves_the_plan_to_be_approved_again(
    harness: AppHarness, start: Start
) -> None:
    server = await start(**SHORT_LEASE)
    begun = await server.call("start_deep_research", question=QUESTION, plan_first=True)
    plan = await finished_research(server, begun.id)
    gate = harness.control.hold_next("create", "before_response")
    await server.begin(
        "tools/call", name="approve_research_plan", arguments={"research_id": plan.id}
    )
    assert await gate.reached()
    await server.killed()
    gate.release()
    later = await start(**SHORT_LEASE)

    interrupted = await finished_research(later, plan.id)
    await later.call("approve_research_plan", research_id=plan.id)
    report = await finished_research(later, plan.id)

    assert interrupted.status == "interrupted"
    assert (
        f'Call approve_research_plan with research_id "{plan.id}" again if its plan is still '
        "wanted."
    ) in interrupted.text
    assert f'What was asked is kept: "{QUESTION}"' in interrupted.text
    assert report.status == "completed"
    assert len(harness.control.posts) == 3


async def test_where_no_words_are_kept_none_are_promised(harness: AppHarness, start: Start) -> None:
    off = {**SHORT_LEASE, "GEMINI_MCP_TRANSCRIPTS": "off"}
    server = await start(**off)
    gate = harness.control.hold_next("create", "before_response")
    await server.begin("tools/call", name="start_deep_research", arguments={"question": QUESTION})
    assert await gate.reached()
    await server.killed()
    gate.release()
    later = await start(**off)

    said = await finished_research(later, await only_id(later))

    assert said.status == "interrupted"
    assert "kept" not in said.text


async def test_a_run_whose_id_was_committed_is_finished_by_whoever_comes_next(
    harness: AppHarness, start: Start
) -> None:
    server = await start(**SHORT_LEASE)
    begun = await server.call("start_deep_research", question=QUESTION)
    await server.killed()
    later = await start(**SHORT_LEASE)

    said = await finished_research(later, begun.id)

    assert said.status == "completed"
    assert len(harness.control.posts) == 1


async def test_a_process_that_is_told_to_end_waits_a_moment_for_the_id_of_its_run(
    harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "LAST_NAMES", 60)  # a moment, on a machine of any speed
    researcher = ResearchClient(harness, await harness.connect())
    gate = harness.control.hold_next("create", "before_response")

    async def start() -> None:
        with suppress(ConnectionError, MCPError):
            await researcher.start()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start)
        assert await gate.reached()
        tasks.start_soon(researcher.client.disconnect)
        await until(lambda: is_closing(researcher))
        gate.release()

    later = ResearchClient(harness, await harness.connect())
    said = await later.check(await later.newest(), wait_seconds=40)
    assert said.status == "completed"
    assert len(harness.control.posts) == 1


def is_closing(researcher: ResearchClient) -> bool:
    maintenance = researcher.client.app.maintenance
    return maintenance is not None and maintenance._executor._closing
