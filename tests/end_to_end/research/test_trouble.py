"""Trouble: everything Google is known to do to a run, and what becomes of it here.

Nobody asks until the time given is over; then somebody checks once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gemini_emulator import EmulatorControl
from gemini_interactions.bridge.research import report
from gemini_interactions.bridge.turns.handlers import research
from tests.support.app_harness import ToolResult, mask_ids
from tests.support.research_client import RUN, ResearchClient, SlowResearchClient, running_count

DEADLINE = 4200.0
DONE = "The research took 20 min 0 s."
AGAIN = "Start it again with start_deep_research if it is still wanted."
STALLED = (
    "Google has not finished this research in 1 h 10 min: it counts as stalled, and is looked at "
    "only when you ask.\n"
    'Call check_research with research_id "r_…" to look once more, or cancel_research to give '
    "it up."
)
FORGOTTEN = f"Google no longer has this research: it was deleted there, or has expired.\n{AGAIN}"
RESULTLESS = "Gemini ended this research without a result and gave no reason."
FAILED = "Gemini could not finish this (internal)"

Before = Callable[[EmulatorControl], object]
During = Callable[[EmulatorControl, str], object]


@dataclass
class Row:
    """What Google does before the run is made, or in the middle of it, and how it ends here."""

    status: str
    text: str
    before: Before = lambda control: None
    during: During = lambda control, id: None
    seconds: float = RUN + 200


def unreadable(control: EmulatorControl) -> None:
    """The next looks get answers that cannot be read."""
    for fault in ("invalid_json", "empty_body", "json_array", "text_plain", "no_status"):
        control.fault_next(fault, on="get")


ROWS: dict[str, Row] = {
    "nothing": Row("completed", DONE),
    # What goes by.
    "it waits in a queue": Row(
        "completed", DONE, lambda control: control.research_next("queued", looks=4)
    ),
    "its id is 404 for a minute": Row("completed", DONE, lambda control: control.lag(seconds=60)),
    "its id is 403 for a minute": Row(
        "completed", DONE, lambda control: control.lag(seconds=60, status=403)
    ),
    "it is 404 for a minute, later": Row(
        "completed", DONE, during=lambda control, id: control.lag(id, seconds=60)
    ),
    "it is 403 for half an hour": Row(
        "completed",
        DONE,
        during=lambda control, id: control.lag(id, seconds=1800, status=403),
        seconds=3000,
    ),
    "the network is away for a while": Row(
        "completed", DONE, during=lambda control, id: control.fault_next("reset", on="get", times=8)
    ),
    "Google is in trouble for a while": Row(
        "completed", DONE, during=lambda control, id: control.fail_next(503, on="get", times=8)
    ),
    "Google wants fewer looks": Row(
        "completed",
        DONE,
        during=lambda control, id: control.fail_next(429, on="get", retry_after=30, times=5),
    ),
    "answers cannot be read": Row(
        "completed",
        DONE,
        during=lambda control, id: unreadable(control),
    ),
    "Google says things nobody knows": Row(
        "completed", DONE, during=lambda control, id: control.fault_next("unknowns", on="get")
    ),
    "the tokens come late": Row(
        "completed", DONE, lambda control: control.usage_later(looks=2)
    ),
    "the tokens never come": Row(
        "completed", DONE, lambda control: control.research_next("no_usage")
    ),
    # What ends it early.
    "it stops at its limit": Row(
        "incomplete",
        f"{DONE}\nThe answer stops early: Gemini reached its output limit.",
        lambda control: control.research_next("incomplete"),
    ),
    "it stops at its budget": Row(
        "incomplete",
        f"{DONE}\nThe answer stops early: Gemini reached its token budget.",
        lambda control: control.research_next("budget_exceeded"),
    ),
    "it fails with a reason": Row(
        "failed",
        f'{FAILED}: "The agent failed". Try again, or ask differently.\n{AGAIN}',
        lambda control: control.research_next("failed"),
    ),
    "it fails with an empty list of reasons": Row(
        "failed",
        f"{RESULTLESS}\n{AGAIN}",
        lambda control: control.research_next("failed", errors=[]),
    ),
    "it fails without any reason": Row(
        "failed",
        f"{RESULTLESS}\n{AGAIN}",
        lambda control: control.research_next("failed", errors=None),
    ),
    "it is completed without a word": Row(
        "failed", f"{RESULTLESS}\n{AGAIN}", lambda control: control.research_next("empty")
    ),
    "it is cancelled by somebody else": Row(
        "cancelled",
        "This research was cancelled after 10 min 0 s; what it had is above.",
        during=lambda control, id: control.set_status(id, "cancelled"),
    ),
    "it is deleted": Row("failed", FORGOTTEN, during=lambda control, id: control.expire(id)),
    "it was never there": Row("failed", FORGOTTEN, lambda control: control.lag(seconds=10_000)),
    # What never ends.
    "it stays in progress for ever": Row(
        "stalled", STALLED, lambda control: control.research_next("zombie"), seconds=DEADLINE + 200
    ),
    "its status is one nobody knows": Row(
        "stalled",
        STALLED,
        during=lambda control, id: control.set_status(id, "dreaming"),
        seconds=DEADLINE + 200,
    ),
    "the key is not accepted any more": Row(
        "stalled",
        STALLED,
        during=lambda control, id: control.fail_next(401, on="get", times=1000),
        seconds=DEADLINE + 200,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
async def test_whatever_google_does_a_run_ends_like_this(
    slow: SlowResearchClient, name: str
) -> None:
    row = ROWS[name]
    row.before(slow.harness.control)
    started = await slow.start()
    await slow.fake_sleep.run(600)
    row.during(slow.harness.control, started.interaction)

    said = await slow.after(started.id, row.seconds - 600)

    assert (state_text(said), said.status) == (row.text, row.status)
    assert said.is_error == (row.status == "failed")
    assert len(slow.harness.bodies) == 1


# -- the end of patience --------------------------------------------------------------------


async def test_a_run_is_not_given_up_before_a_look_that_google_answers(
    slow: SlowResearchClient,
) -> None:
    started = await slow.start()
    await slow.fake_sleep.run(600)
    slow.harness.control.fail_next(503, on="get", times=10_000)

    offline = await slow.after(started.id, 5 * DEADLINE)
    slow.harness.control.steering.troubles.clear()
    said = await slow.after(started.id, 100)

    assert offline.status == "running"
    assert "Google does not say how it stands just now; it is asked again" in offline.text
    assert (said.status, state_text(said)) == ("completed", DONE)


async def test_a_stalled_run_is_not_looked_at_any_more_by_itself(slow: SlowResearchClient) -> None:
    slow.harness.control.research_next("zombie")
    await slow.start()
    await slow.fake_sleep.run(DEADLINE + 200)
    looks = len(slow.looks)

    await slow.fake_sleep.run(10 * DEADLINE)

    assert len(slow.looks) == looks
    assert running_count(slow.client) == 0


async def test_a_stalled_run_that_google_finishes_after_all_still_brings_its_report(
    slow: SlowResearchClient,
) -> None:
    slow.harness.control.research_next("zombie")
    started = await slow.start()
    stalled = await slow.after(started.id, DEADLINE + 200)
    again = await slow.check(started.id)
    slow.harness.control.finish(started.interaction)

    said = await slow.check(started.id)
    result = await slow.client.result(started.id)

    assert (stalled.status, again.status) == ("stalled", "stalled")
    assert said.status == "completed"
    assert said.piece.startswith("# How many storks")
    assert result.piece == said.piece
    assert [file.suffix for file in slow.files] == [".png", ".md"]


async def test_a_stalled_run_can_be_cancelled(slow: SlowResearchClient) -> None:
    slow.harness.control.research_next("zombie")
    started = await slow.start()
    await slow.fake_sleep.run(DEADLINE + 200)

    said = await slow.cancel(started.id)

    assert said.status == "cancelled"
    assert slow.harness.control.interaction(started.interaction)["status"] == "cancelled"


async def test_patience_begins_when_a_run_is_sent_not_when_it_is_asked_for(
    slow: SlowResearchClient,
) -> None:
    client = await slow.harness.connect(max_wait_seconds=0.05)
    researcher = ResearchClient(slow.harness, client)
    gate = slow.harness.control.hold_next("create", "before_completed")
    asked = await client.ask("One.")
    started = await researcher.start(conversation_id=asked.conversation)
    slow.harness.clock.advance(DEADLINE)
    slow.harness.control.research_next("zombie")
    gate.release()
    await slow.harness.control.until(lambda: len(slow.harness.bodies) == 2)
    slow.fake_sleep.awake = lambda: 1

    await slow.fake_sleep.run(DEADLINE - 300)

    assert (await researcher.check(started.id)).status == "running"


async def test_without_a_key_a_run_waits_for_whoever_has_one(slow: SlowResearchClient) -> None:
    started = await slow.start()
    slow.harness.set(GEMINI_API_KEY=None)
    await slow.fake_sleep.run(100)
    waiting = await slow.check(started.id)
    slow.harness.set(GEMINI_API_KEY="another-key")

    slow.harness.clock.advance(RUN)
    assert slow.client.app.maintenance is not None
    await slow.client.app.maintenance.catch_up()
    slow.harness.clock.advance(16)  # after such a gap the leases of others get one more interval
    await slow.client.app.maintenance.catch_up()
    said = await slow.after(started.id, 100)

    assert waiting.status == "running"
    assert said.status == "completed"


async def test_a_fault_of_our_own_does_not_cost_the_report(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> str:
        raise RuntimeError("a fault of our own")

    with monkeypatch.context() as faulty:
        faulty.setattr(report, "report", stumble)
        fault = await researcher.report()

    said = await researcher.check(fault.id)

    assert (state_text(fault), fault.status) == (
        "This server failed while it followed this research, which Google still has.\n"
        'Call check_research with research_id "r_…" to look again, or cancel_research to give it '
        "up.",
        "interrupted",
    )
    assert said.status == "completed"
    assert said.piece.startswith("# How many storks")


async def test_a_run_that_stops_for_functions_names_them_and_takes_their_results(
    researcher: ResearchClient,
) -> None:
    researcher.harness.control.hold_background()
    started = await researcher.start()
    call = {"type": "function_call", "id": "zggxzq8r", "name": "storks", "arguments": {"in": "CH"}}
    stopped = {"status": "requires_action", "steps": [call]}
    researcher.harness.control.finish(started.interaction, stopped)

    said = await researcher.check(started.id, wait_seconds=10)
    results = [{"call_id": "zggxzq8r", "name": "storks", "result": {"number": 12}}]
    await researcher.client.call(
        "gemini_continue", conversation_id=started.id, function_results=results
    )

    assert (said.status, said.is_error) == ("requires_action", False)
    assert state_text(said) == (
        "Gemini waits for these functions:\n"
        '"storks" (call_id "zggxzq8r", a function that was not declared): {"in": "CH"}\n'
        "Run these and call gemini_continue with function_results. "
        'Its conversation_id is "r_…".'
    )
    assert said.facts["function_calls"][0]["call_id"] == "zggxzq8r"
    assert researcher.harness.bodies[-1]["previous_interaction_id"] == started.interaction


# -- the tokens -----------------------------------------------------------------------------


async def test_tokens_that_come_late_are_counted(slow: SlowResearchClient) -> None:
    slow.harness.control.usage_later(looks=4)
    started = await slow.start()

    said = await slow.after(started.id)

    assert said.facts["usage"]["total_tokens"] == 1_117_031
    assert "1,117,031 tokens" in said.footer


async def test_a_report_is_not_held_back_for_tokens_that_never_come(
    slow: SlowResearchClient,
) -> None:
    slow.harness.control.research_next("no_usage")
    started = await slow.start()
    await slow.fake_sleep.run(RUN + 100)

    said = await slow.check(started.id)

    assert said.status == "completed"
    assert "usage" not in said.facts
    assert "tokens" not in said.footer


async def test_a_report_that_was_seen_is_not_lost_to_trouble_while_its_tokens_are_awaited(
    slow: SlowResearchClient,
) -> None:
    slow.harness.control.usage_later(looks=None)
    started = await slow.start()
    await slow.fake_sleep.run(600)
    slow.harness.control.finish(started.interaction)
    before = len(slow.looks)
    while len(slow.looks) == before:
        await slow.fake_sleep.run(1)
    slow.harness.control.expire_all()

    said = await slow.after(started.id, 30)

    assert said.status == "completed"
    assert said.piece.startswith("# How many storks")


# -- when it is made ------------------------------------------------------------------------

REFUSED: dict[str, tuple[Before, str]] = {
    "a key without quota": (
        lambda control: setattr(control, "free_tier", True),
        "This key has no quota for that (its limit is 0): it needs a paid key. Enable billing for "
        "the key's project in AI Studio, or use another model.",
    ),
    "a limit that is used up": (
        lambda control: control.fail_next(429, on="create"),
        "Gemini's rate limit or quota is used up. Try again in a minute, or use another model.",
    ),
    "a key that is not accepted": (
        lambda control: control.fail_next(401, on="create"),
        "Gemini did not accept the API key. Run `gemini-interactions-mcp key` in a terminal to set "
        "a valid one (from aistudio.google.com/apikey), then try again.",
    ),
    "a key that may not": (
        lambda control: control.fail_next(403, on="create"),
        "Google refuses this to the API key in use (permission denied): "
        '"The caller does not have permission". Check in AI Studio or the Google Cloud console '
        "what the key's project may use, or leave out what needs the permission (a model, a tool, "
        "a file).",
    ),
    "Google in trouble": (
        lambda control: control.fail_next(503, on="create"),
        "Gemini had an error of its own and gave no answer. The call was not repeated, since that "
        "could be billed twice: try again in a minute.",
    ),
    "an answer that does not come": (
        lambda control: control.hold_next("create", "before_response"),
        "Google did not confirm this research in time. It may be running there all the same, and "
        "was not sent again, since that could be billed twice.",
    ),
    "an answer that is cut off": (
        lambda control: control.fault_next("fin", on="create"),
        "The connection to Gemini broke before the answer was complete. The call was not repeated, "
        "since that could be billed twice: send it again if needed.",
    ),
    "an answer nobody can read": (
        lambda control: control.fault_next("invalid_json", on="create"),
        "Gemini's answer could not be read. The call was not repeated, since that could be billed "
        "twice: try again.",
    ),
    "a refusal": (
        lambda control: control.fail_next(400, on="create", message="The topic is not allowed."),
        'Gemini rejected the request: "The topic is not allowed." Change it and try again.',
    ),
}


@pytest.mark.parametrize(("before", "text"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_run_that_is_not_made_is_told_at_once_and_not_sent_again(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch, before: Before, text: str
) -> None:
    if "did not confirm" in text:
        monkeypatch.setattr(research, "PATIENCE", 0.3)
    before(researcher.harness.control)

    said = await researcher.start()

    # Without quota no second try helps, so none is advised.
    told = text if "limit is 0" in text else f"{text}\n{AGAIN}"
    assert (state_text(said), said.status, said.is_error) == (told, "failed", True)
    assert len(researcher.harness.bodies) == 1
    assert (await researcher.check(said.id)).text == said.text


async def test_a_limit_google_lifts_in_time_is_waited_for(researcher: ResearchClient) -> None:
    researcher.harness.control.fail_next(429, on="create", retry_after=0.05)

    said = await researcher.start()

    assert said.status == "running"
    assert [post.status for post in researcher.harness.control.posts] == [429, 200]


async def test_after_a_failure_the_same_question_is_sent_anew(researcher: ResearchClient) -> None:
    researcher.harness.control.fail_next(503, on="create")
    failed = await researcher.start()

    said = await researcher.start()

    assert said.status == "running"
    assert said.id != failed.id


def state_text(said: ToolResult) -> str:
    """What is said of how it stands: no report, no files, no footer."""
    tail = said.tail if said.piece else said.text
    # When a look notices the deadline is drawn by lot, within two minutes.
    lines = re.sub("1 h 1[0-2] min", "1 h 10 min", mask_ids(tail)).splitlines()[:-1]
    skipped = ("Charts", "The report as a file", "Ask about it")
    return "\n".join(line for line in lines if not line.startswith(skipped))
