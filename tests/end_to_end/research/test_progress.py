"""Progress: what a run lets know of itself, from looks, from its stream, from another process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from gemini_interactions.domain.types import Interaction
from tests.support.app_harness import McpClient, ToolResult
from tests.support.research_client import QUESTION, RUN, ResearchClient, until

NEVER = 3600


def progress_lines(said: ToolResult) -> str:
    """What is said of how a run goes."""
    return said.text.splitlines()[0]


async def check_and_listen(client: McpClient, id: str, wait: float, words: list[str]) -> ToolResult:
    """A check that waits; `words` fills with what is told meanwhile."""

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        words.append(str(message))

    arguments = {"research_id": id, "wait_seconds": wait}
    return ToolResult.of(
        await client.sdk_client.call_tool("check_research", arguments, progress_callback=hear)
    )


# -- from looks -------------------------------------------------------------------------

SHOWN = {
    0.05: "1 min 0 s so far): Waiting for Gemini.",
    0.12: "2 min 24 s so far): Generating research plan.",
    0.20: f"4 min 0 s so far): About “{QUESTION}”.",
    0.27: f"5 min 24 s so far): Searching: {QUESTION} (1 search).",
    0.55: "11 min 0 s so far): Reading sources (2 searches).",
    0.65: "13 min 0 s so far): Reading pages (2 searches, 3 pages).",
    0.90: "18 min 0 s so far): Writing the report (2 searches, 3 pages).",
}


@pytest.mark.parametrize(("share", "text"), SHOWN.items())
async def test_a_check_says_what_the_run_does_and_has_done(
    researcher: ResearchClient, share: float, text: str
) -> None:
    started = await researcher.start()
    researcher.harness.clock.advance(RUN * share)
    await look_once(researcher)

    said = await researcher.check(started.id)

    assert progress_lines(said) == f"The research is running ({text}"


async def look_once(researcher: ResearchClient) -> None:
    """Google is looked at, and what it said is taken in."""
    looks = len(researcher.looks)
    await until(lambda: len(researcher.looks) >= looks + 2)


async def test_a_run_in_googles_queue_says_so(researcher: ResearchClient) -> None:
    researcher.harness.control.research_next("queued", seconds=600)
    started = await researcher.start()
    researcher.harness.clock.advance(300)
    await look_once(researcher)

    said = await researcher.check(started.id)

    assert (
        progress_lines(said)
        == "The research is running (5 min 0 s so far): Waiting in Google's queue."
    )


async def test_another_process_knows_what_the_run_does(researcher: ResearchClient) -> None:
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(lease_seconds=3600)
    )
    other = await researcher.harness.connect(lease_seconds=3600)
    started = await researcher.start()
    researcher.harness.clock.advance(RUN * 0.55)
    await look_once(researcher)

    words: list[str] = []
    there = await check_and_listen(other, started.id, 1, words)

    assert "Reading sources (2 searches)" in progress_lines(there)
    assert set(words) == {"Reading sources (2 searches)"}


async def test_whoever_takes_a_run_over_knows_what_it_did(researcher: ResearchClient) -> None:
    started = await researcher.start()
    researcher.harness.clock.advance(RUN * 0.55)
    await look_once(researcher)
    await researcher.client.disconnect()
    other = await researcher.harness.connect(research_poll_seconds=3600)

    said = await ResearchClient(researcher.harness, other).check(started.id)

    assert "Reading sources (2 searches)" in progress_lines(said)


async def test_words_of_a_run_are_not_kept_where_transcripts_are_off(
    researcher: ResearchClient,
) -> None:
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(transcripts=False)
    )
    started = await researcher.start("Is this a secret?", report_format="A secret table.")
    researcher.harness.clock.advance(RUN * 0.55)
    await look_once(researcher)

    here = await researcher.check(started.id)

    assert "Reading sources" in progress_lines(here)
    for file in researcher.harness.folder.rglob("*.db*"):
        assert b"secret" not in file.read_bytes()
        assert b"Reading sources" not in file.read_bytes()


# -- from the stream, while somebody waits ------------------------------------------------


async def test_while_somebody_waits_the_stream_tells_what_the_run_does(
    researcher: ResearchClient,
) -> None:
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(research_poll_seconds=NEVER)
    )
    researcher.harness.control.hold_background()
    started = await researcher.start()
    words: list[str] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check_and_listen, researcher.client, started.id, 20, words)
        for thought in ("**Counting storks**", "**Asking in Basel**"):
            researcher.harness.control.think(started.interaction, thought)
            await until(lambda: thought.strip("*") in words)  # noqa: B023  awaited at once
        researcher.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    said = await researcher.check(started.id)
    assert words[0] == "Waiting for Gemini"
    assert (said.status, said.piece) == ("completed", "# Storks\n\nMany.")


async def test_a_look_that_shows_no_steps_unsays_nothing_the_stream_told(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini = researcher.client.app.gemini
    look = gemini.get

    async def bare(id: str, **more: Any) -> Interaction:
        return replace(await look(id, **more), steps=())

    monkeypatch.setattr(gemini, "get", bare)
    researcher.harness.control.hold_background()
    started = await researcher.start()
    words: list[str] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check_and_listen, researcher.client, started.id, 20, words)
        researcher.harness.control.think(started.interaction, "**Counting storks**")
        await until(lambda: "Counting storks" in words)
        tasks.cancel_scope.cancel()
    await look_once(researcher)

    assert "Counting storks" in progress_lines(await researcher.check(started.id))


async def test_the_end_of_the_stream_brings_the_report_at_once(researcher: ResearchClient) -> None:
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(research_poll_seconds=1.5)
    )
    researcher.harness.control.hold_background()
    researcher.harness.control.usage_later(looks=0)
    started = await researcher.start()
    said: list[ToolResult] = []

    async def check() -> None:
        said.append(await researcher.check(started.id, wait_seconds=20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check)
        await until(lambda: any(each.stream for each in researcher.harness.control.log))
        researcher.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    assert said[0].status == "completed"


async def test_nobody_hears_again_what_was_told_before(researcher: ResearchClient) -> None:
    started = await researcher.start()
    researcher.harness.clock.advance(RUN * 0.9)
    await look_once(researcher)
    words: list[str] = []

    await check_and_listen(researcher.client, started.id, 1, words)

    assert any(each.stream for each in researcher.harness.control.log)
    assert set(words) == {"Writing the report (2 searches, 3 pages)"}


async def test_no_stream_is_opened_where_nobody_waits(researcher: ResearchClient) -> None:
    started = await researcher.start()

    await researcher.check(started.id)
    await look_once(researcher)

    assert not any(each.stream for each in researcher.harness.control.log)


FAULTS = {
    "cut after ten minutes": ("cut_600", None),
    "a replay that hangs": ("hang_after_replay", None),
    "ended too early": ("clean_eof", 2),
    "an error event": ("error_event", None),
    "no stream at all": ("unary_instead_of_stream", None),
    "no last word": ("no_completed", None),
    "bytes in pieces": ("dribble", None),
    "comments and line ends": ("crlf", None),
}


@pytest.mark.parametrize(("fault", "after_events"), FAULTS.values(), ids=FAULTS.keys())
async def test_whatever_becomes_of_the_stream_the_report_comes(
    researcher: ResearchClient, fault: str, after_events: int | None
) -> None:
    researcher.harness.control.hold_background()
    started = await researcher.start()
    await look_once(researcher)
    researcher.harness.control.think(started.interaction, "**Counting storks**")
    researcher.harness.control.fault_next(fault, on="get", after_events=after_events)
    said: list[ToolResult] = []

    async def check() -> None:
        said.append(await researcher.check(started.id, wait_seconds=20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check)
        await until(lambda: any(each.stream for each in researcher.harness.control.log))
        await look_once(researcher)
        researcher.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    assert (said[0].status, said[0].piece) == ("completed", "# Storks\n\nMany.")
    assert len(researcher.harness.bodies) == 1


async def test_a_start_that_waits_for_google_says_so_meanwhile(researcher: ResearchClient) -> None:
    gate = researcher.harness.control.hold_next("create", "before_response")
    words: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        words.append(str(message))
        gate.release()

    await researcher.client.sdk_client.call_tool(
        "start_deep_research", {"question": QUESTION}, progress_callback=hear
    )

    assert words[0] == "Waiting for Gemini"
