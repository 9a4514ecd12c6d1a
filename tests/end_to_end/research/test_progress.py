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


def doing(said: ToolResult) -> str:
    """What is said of how a run goes."""
    return said.text.splitlines()[0]


async def heard(client: McpClient, id: str, wait: float, words: list[str]) -> ToolResult:
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
    lab: ResearchClient, share: float, text: str
) -> None:
    started = await lab.start()
    lab.harness.clock.advance(RUN * share)
    await looked(lab)

    said = await lab.check(started.id)

    assert doing(said) == f"The research is running ({text}"


async def looked(lab: ResearchClient) -> None:
    """Google is looked at, and what it said is taken in."""
    looks = len(lab.looks)
    await until(lambda: len(lab.looks) >= looks + 2)


async def test_a_run_in_googles_queue_says_so(lab: ResearchClient) -> None:
    lab.harness.control.research_next("queued", seconds=600)
    started = await lab.start()
    lab.harness.clock.advance(300)
    await looked(lab)

    said = await lab.check(started.id)

    assert doing(said) == "The research is running (5 min 0 s so far): Waiting in Google's queue."


async def test_another_process_knows_what_the_run_does(lab: ResearchClient) -> None:
    lab = ResearchClient(lab.harness, await lab.harness.connect(lease_seconds=3600))
    other = await lab.harness.connect(lease_seconds=3600)
    started = await lab.start()
    lab.harness.clock.advance(RUN * 0.55)
    await looked(lab)

    words: list[str] = []
    there = await heard(other, started.id, 1, words)

    assert "Reading sources (2 searches)" in doing(there)
    assert set(words) == {"Reading sources (2 searches)"}


async def test_whoever_takes_a_run_over_knows_what_it_did(lab: ResearchClient) -> None:
    started = await lab.start()
    lab.harness.clock.advance(RUN * 0.55)
    await looked(lab)
    await lab.client.leave()
    other = await lab.harness.connect(research_poll_seconds=3600)

    said = await ResearchClient(lab.harness, other).check(started.id)

    assert "Reading sources (2 searches)" in doing(said)


async def test_words_of_a_run_are_not_kept_where_transcripts_are_off(lab: ResearchClient) -> None:
    lab = ResearchClient(lab.harness, await lab.harness.connect(transcripts=False))
    started = await lab.start("Is this a secret?", report_format="A secret table.")
    lab.harness.clock.advance(RUN * 0.55)
    await looked(lab)

    here = await lab.check(started.id)

    assert "Reading sources" in doing(here)
    for file in lab.harness.folder.rglob("*.db*"):
        assert b"secret" not in file.read_bytes()
        assert b"Reading sources" not in file.read_bytes()


# -- from the stream, while somebody waits ------------------------------------------------


async def test_while_somebody_waits_the_stream_tells_what_the_run_does(lab: ResearchClient) -> None:
    lab = ResearchClient(lab.harness, await lab.harness.connect(research_poll_seconds=NEVER))
    lab.harness.control.hold_background()
    started = await lab.start()
    words: list[str] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heard, lab.client, started.id, 20, words)
        for thought in ("**Counting storks**", "**Asking in Basel**"):
            lab.harness.control.think(started.interaction, thought)
            await until(lambda: thought.strip("*") in words)  # noqa: B023  awaited at once
        lab.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    said = await lab.check(started.id)
    assert words[0] == "Waiting for Gemini"
    assert (said.status, said.piece) == ("completed", "# Storks\n\nMany.")


async def test_a_look_that_shows_no_steps_unsays_nothing_the_stream_told(
    lab: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemini = lab.client.app.gemini
    look = gemini.get

    async def bare(id: str, **more: Any) -> Interaction:
        return replace(await look(id, **more), steps=())

    monkeypatch.setattr(gemini, "get", bare)
    lab.harness.control.hold_background()
    started = await lab.start()
    words: list[str] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heard, lab.client, started.id, 20, words)
        lab.harness.control.think(started.interaction, "**Counting storks**")
        await until(lambda: "Counting storks" in words)
        tasks.cancel_scope.cancel()
    await looked(lab)

    assert "Counting storks" in doing(await lab.check(started.id))


async def test_the_end_of_the_stream_brings_the_report_at_once(lab: ResearchClient) -> None:
    lab = ResearchClient(lab.harness, await lab.harness.connect(research_poll_seconds=1.5))
    lab.harness.control.hold_background()
    lab.harness.control.usage_later(looks=0)
    started = await lab.start()
    said: list[ToolResult] = []

    async def check() -> None:
        said.append(await lab.check(started.id, wait_seconds=20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check)
        await until(lambda: any(each.stream for each in lab.harness.control.log))
        lab.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    assert said[0].status == "completed"


async def test_nobody_hears_again_what_was_told_before(lab: ResearchClient) -> None:
    started = await lab.start()
    lab.harness.clock.advance(RUN * 0.9)
    await looked(lab)
    words: list[str] = []

    await heard(lab.client, started.id, 1, words)

    assert any(each.stream for each in lab.harness.control.log)
    assert set(words) == {"Writing the report (2 searches, 3 pages)"}


async def test_no_stream_is_opened_where_nobody_waits(lab: ResearchClient) -> None:
    started = await lab.start()

    await lab.check(started.id)
    await looked(lab)

    assert not any(each.stream for each in lab.harness.control.log)


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
    lab: ResearchClient, fault: str, after_events: int | None
) -> None:
    lab.harness.control.hold_background()
    started = await lab.start()
    await looked(lab)
    lab.harness.control.think(started.interaction, "**Counting storks**")
    lab.harness.control.fault_next(fault, on="get", after_events=after_events)
    said: list[ToolResult] = []

    async def check() -> None:
        said.append(await lab.check(started.id, wait_seconds=20))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(check)
        await until(lambda: any(each.stream for each in lab.harness.control.log))
        await looked(lab)
        lab.harness.control.finish(started.interaction, "# Storks\n\nMany.")

    assert (said[0].status, said[0].piece) == ("completed", "# Storks\n\nMany.")
    assert len(lab.harness.bodies) == 1


async def test_a_start_that_waits_for_google_says_so_meanwhile(lab: ResearchClient) -> None:
    gate = lab.harness.control.hold_next("create", "before_response")
    words: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        words.append(str(message))
        gate.release()

    await lab.client.sdk_client.call_tool(
        "start_deep_research", {"question": QUESTION}, progress_callback=hear
    )

    assert words[0] == "Waiting for Gemini"
