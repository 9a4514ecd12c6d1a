"""Progress: what a run lets know of itself, from looks, from its stream, from another process."""

from __future__ import annotations

import re
from functools import partial

import anyio
import pytest

from tests.product.house import Guest, Said
from tests.research.lab import QUESTION, RUN, Lab, SlowLab

NEVER = {"research_poll_seconds": 3600}


def doing(said: Said) -> str:
    """What is said of how a run goes."""
    return said.text.splitlines()[0]


async def heard(guest: Guest, id: str, wait: float, words: list[str]) -> Said:
    """A check that waits; `words` fills with what is told meanwhile."""

    async def hear(_progress: float, _total: float | None, message: str | None) -> None:
        words.append(str(message))

    arguments = {"research_id": id, "wait_seconds": wait}
    return Said.of(
        await guest.client.call_tool("check_research", arguments, progress_callback=hear)
    )


# -- from looks -------------------------------------------------------------------------

LOOKS = {
    0.05: "The research is running (1 min 0 s so far): Waiting for Gemini.",
    0.12: "The research is running (2 min 24 s so far): Generating research plan.",
    0.20: f"The research is running (4 min 0 s so far): About “{QUESTION}”.",
    0.27: f"The research is running (5 min 24 s so far): Searching: {QUESTION} (1 search).",
    0.55: "The research is running (11 min 0 s so far): Reading sources (2 searches).",
    0.65: "The research is running (13 min 0 s so far): Reading example.com, example.org, "
    "stats.example.net (2 searches, 3 pages).",
    0.90: "The research is running (18 min 0 s so far): Writing the report (2 searches, 3 pages).",
}


@pytest.mark.parametrize(("share", "text"), LOOKS.items())
async def test_a_check_says_what_the_run_does_and_has_done(
    slow: SlowLab, share: float, text: str
) -> None:
    started = await slow.start()
    await slow.glass.run(RUN * share - 1)
    slow.house.clock.advance(1)
    slow.house.brain.progress(started.interaction, share)
    await look(slow, started)

    said = await slow.check(started.id)

    assert re.sub(r"Reading [\w., ]+ \(", READING, doing(said)) == re.sub(
        r"Reading [\w., ]+ \(", READING, text
    )


READING = "Reading pages ("


async def look(slow: SlowLab, started: Said) -> None:
    """Somebody asks, and Google is looked at."""
    looks = len(slow.looks)
    await slow.check(started.id)
    await slow.glass.run(3)
    assert len(slow.looks) > looks


async def test_a_run_in_googles_queue_says_so(slow: SlowLab) -> None:
    slow.house.brain.research_next("queued", seconds=600)
    started = await slow.start()

    said = await slow.after(started.id, 300)

    assert doing(said) == (
        "The research is running (5 min 0 s so far): Waiting in Google's queue."
    )


async def test_another_process_knows_what_the_run_does(slow: SlowLab) -> None:
    started = await slow.start()
    await slow.glass.run(RUN * 0.55)
    slow.house.clock.time -= 0  # the lease is kept by the real clock only
    here = await slow.check(started.id)
    other = await slow.house.connect(lease_seconds=3600)

    there = await Lab(slow.house, other).check(started.id)

    assert "Reading sources (2 searches)" in doing(here)
    assert doing(there) == doing(here)
