"""Trouble: everything Google is known to do to a run, and what becomes of it here.

Nobody asks until the time given is over; then somebody checks once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gemini_interactions.emulator import Brain
from tests.product.house import Said, masked
from tests.research.lab import RUN, SlowLab

DEADLINE = 4200.0
DONE = "The research took 20 min 0 s."
AGAIN = "Start it again with start_deep_research if it is still wanted."
STALLED = (
    "Google has not finished this research in 1 h 10 min: it counts as stalled, and is looked at "
    "only when you ask.\n"
    'Call check_research with research_id "r_…" to look once more, or cancel_research to give '
    "it up."
)
FORGOTTEN = (
    "Google no longer has this research: it was deleted there, or has expired. Start it again "
    "with start_deep_research if it is still wanted."
)
RESULTLESS = "Gemini ended this research without a result and gave no reason."
FAILED = "Gemini could not finish this (internal)"

Before = Callable[[Brain], object]
During = Callable[[Brain, str], object]


@dataclass
class Row:
    """What Google does before the run is made, or in the middle of it, and how it ends here."""

    status: str
    text: str
    before: Before = lambda brain: None
    during: During = lambda brain, id: None
    seconds: float = RUN + 200


ROWS: dict[str, Row] = {
    "nothing": Row("completed", DONE),
    # What goes by.
    "it waits in a queue": Row(
        "completed", DONE, lambda brain: brain.research_next("queued", looks=4)
    ),
    "its id is 404 for a minute": Row("completed", DONE, lambda brain: brain.lag(seconds=60)),
    "its id is 403 for a minute": Row(
        "completed", DONE, lambda brain: brain.lag(seconds=60, status=403)
    ),
    "it is 404 for a minute, later": Row(
        "completed", DONE, during=lambda brain, id: brain.lag(id, seconds=60)
    ),
    "it is 403 for half an hour": Row(
        "completed",
        DONE,
        during=lambda brain, id: brain.lag(id, seconds=1800, status=403),
        seconds=3000,
    ),
    "the network is away for a while": Row(
        "completed", DONE, during=lambda brain, id: brain.fault_next("reset", on="get", times=8)
    ),
    "Google is in trouble for a while": Row(
        "completed", DONE, during=lambda brain, id: brain.fail_next(503, on="get", times=8)
    ),
    "Google wants fewer looks": Row(
        "completed",
        DONE,
        during=lambda brain, id: brain.fail_next(429, on="get", retry_after=30, times=5),
    ),
    "answers cannot be read": Row(
        "completed",
        DONE,
        during=lambda brain, id: [
            brain.fault_next(fault, on="get")
            for fault in ("invalid_json", "empty_body", "json_array", "text_plain", "no_status")
        ],
    ),
    "Google says things nobody knows": Row(
        "completed", DONE, during=lambda brain, id: brain.fault_next("unknowns", on="get")
    ),
    "the tokens come late": Row(
        "completed", DONE, lambda brain: brain.usage_later(looks=2)
    ),
    "the tokens never come": Row(
        "completed", DONE, lambda brain: brain.research_next("no_usage")
    ),
    # What ends it early.
    "it stops at its limit": Row(
        "incomplete",
        f"{DONE}\nThe answer stops early: Gemini reached its output limit.",
        lambda brain: brain.research_next("incomplete"),
    ),
    "it stops at its budget": Row(
        "incomplete",
        f"{DONE}\nThe answer stops early: Gemini reached its token budget.",
        lambda brain: brain.research_next("budget_exceeded"),
    ),
    "it fails with a reason": Row(
        "failed",
        f'{FAILED}: "The agent failed". Try again, or ask differently.\n{AGAIN}',
        lambda brain: brain.research_next("failed"),
    ),
    "it fails with an empty list of reasons": Row(
        "failed", f"{RESULTLESS}\n{AGAIN}", lambda brain: brain.research_next("failed", errors=[])
    ),
    "it fails without any reason": Row(
        "failed", f"{RESULTLESS}\n{AGAIN}", lambda brain: brain.research_next("failed", errors=None)
    ),
    "it is completed without a word": Row(
        "failed", f"{RESULTLESS}\n{AGAIN}", lambda brain: brain.research_next("empty")
    ),
    "it is cancelled by somebody else": Row(
        "cancelled",
        "This research was cancelled after 10 min 58 s; what it had is above.",
        during=lambda brain, id: brain.set_status(id, "cancelled"),
    ),
    "it is deleted": Row("failed", FORGOTTEN, during=lambda brain, id: brain.expire(id)),
    "it was never there": Row("failed", FORGOTTEN, lambda brain: brain.lag(seconds=10_000)),
    # What never ends.
    "it stays in progress for ever": Row(
        "stalled", STALLED, lambda brain: brain.research_next("zombie"), seconds=DEADLINE + 200
    ),
    "its status is one nobody knows": Row(
        "stalled",
        STALLED,
        during=lambda brain, id: brain.set_status(id, "dreaming"),
        seconds=DEADLINE + 200,
    ),
    "the key is not accepted any more": Row(
        "stalled",
        STALLED,
        during=lambda brain, id: brain.fail_next(401, on="get", times=1000),
        seconds=DEADLINE + 200,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
async def test_whatever_google_does_a_run_ends_like_this(slow: SlowLab, name: str) -> None:
    row = ROWS[name]
    row.before(slow.house.brain)
    started = await slow.start()
    await slow.glass.run(600)
    row.during(slow.house.brain, started.interaction)

    said = await slow.after(started.id, row.seconds - 600)

    assert (state(said), said.status) == (row.text, row.status)
    assert said.is_error == (row.status == "failed")
    assert len(slow.house.bodies) == 1


def state(said: Said) -> str:
    """What is said of how it stands: no report, no files, no footer."""
    tail = said.tail if said.piece else said.text
    lines = masked(tail).splitlines()[:-1]
    skipped = ("Charts", "The report as a file", "Ask about it")
    return "\n".join(line for line in lines if not line.startswith(skipped))
