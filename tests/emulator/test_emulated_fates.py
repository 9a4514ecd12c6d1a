"""What can become of a research: every fate, and streams of runs that take their time."""

import httpx2
import pytest
from google.genai._interactions import (
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

from gemini_emulator import Emulator, EmulatorControl, ResearchScenario
from gemini_emulator.scripting.research_scenarios import FATES
from tests.emulator.constants import FAST, MODEL

TALKATIVE = {"type": "deep-research", "thinking_summaries": "auto"}


async def start(gemini, **options):
    options = {"agent_config": TALKATIVE, **options}
    return await gemini.create(agent=FAST, input="Why?", background=True, **options)


def outputs(interaction):
    return [step for step in interaction.steps if step.type == "model_output"]


async def test_a_zombie_is_in_progress_for_ever_and_can_be_cancelled(
    gemini, control: EmulatorControl
):
    control.research_next("zombie")
    made = await start(gemini)
    control.advance(10**6)
    got = await gemini.get(made.id)
    cancelled = await gemini.cancel(made.id)

    assert (got.status, got.steps) == ("in_progress", [])
    assert cancelled.status == "cancelled"


async def test_a_zombie_can_be_brought_back(gemini, control: EmulatorControl):
    control.research_next("zombie")
    made = await start(gemini)
    control.finish(made.id)

    assert len(outputs(await gemini.get(made.id))) == 2


async def test_a_research_can_wait_in_line_for_some_looks(gemini, control: EmulatorControl):
    control.research_next("queued", looks=2)
    made = await start(gemini)
    statuses = [made.status] + [(await gemini.get(made.id)).status for _ in range(3)]

    assert statuses == ["queued", "queued", "queued", "completed"]


async def test_a_research_can_wait_in_line_for_some_seconds(gemini, control: EmulatorControl):
    control.research_seconds = 600
    control.research_next("queued", seconds=60)
    made = await start(gemini)
    statuses = [(await gemini.get(made.id)).status]
    control.advance(60)
    statuses.append((await gemini.get(made.id)).status)
    control.advance(540)
    statuses.append((await gemini.get(made.id)).status)

    assert statuses == ["queued", "in_progress", "completed"]


async def test_a_queued_research_can_be_cancelled_or_finished_for_good(
    gemini, control: EmulatorControl
):
    control.research_next("queued", times=2)
    cancelled, finished = await start(gemini), await start(gemini)
    await gemini.cancel(cancelled.id)
    control.finish(finished.id, "# Done")

    assert {(await gemini.get(cancelled.id)).status for _ in range(3)} == {"cancelled"}
    assert {(await gemini.get(finished.id)).status for _ in range(3)} == {"completed"}


@pytest.mark.parametrize("fate", ["incomplete", "budget_exceeded"])
async def test_a_research_can_end_with_half_of_its_report(gemini, control: EmulatorControl, fate):
    control.research_next(fate)
    got = await gemini.get((await start(gemini)).id)

    assert got.status == fate
    assert len(outputs(got)) == 1


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({}, ["The agent failed."]),
        ({"errors": [{"code": "internal", "message": "Out of storks."}]}, ["Out of storks."]),
        ({"errors": []}, []),
        ({"errors": None}, None),
    ],
)
async def test_a_research_can_fail_halfway(gemini, control: EmulatorControl, options, errors):
    control.research_next("failed", **options)
    got = await gemini.get((await start(gemini)).id)

    assert (got.status, got.usage, outputs(got)) == ("failed", None, [])
    assert any(step.type == "google_search_call" for step in got.steps)
    assert (got.errors if errors is None else [e.message for e in got.errors]) == errors


async def test_a_research_can_be_completed_and_empty(gemini, control: EmulatorControl):
    control.research_next("empty")
    got = await gemini.get((await start(gemini)).id)

    assert (got.status, got.steps) == ("completed", [])


async def test_a_research_can_keep_its_usage_to_itself(gemini, control: EmulatorControl):
    control.research_next("no_usage")
    control.research_next("late_usage", looks=2)
    never, late = await start(gemini), await start(gemini)

    assert [(await gemini.get(never.id)).usage for _ in range(4)] == [None] * 4
    assert [(await gemini.get(late.id)).usage is None for _ in range(3)] == [True, True, False]


async def test_a_fate_meets_agents_only_and_as_often_as_was_said(gemini, control: EmulatorControl):
    control.research_next(ResearchScenario("empty"), times=2)
    text = await gemini.create(model=MODEL, input="Hi")
    empty = [await gemini.get((await start(gemini)).id) for _ in range(3)]

    assert text.output_text
    assert [bool(outputs(got)) for got in empty] == [False, False, True]


async def test_fates_and_their_options_are_named(control: EmulatorControl):
    with pytest.raises(ValueError, match="Known: zombie, queued"):
        control.research_next("eaten")
    with pytest.raises(ValueError, match="no option 'looks'"):
        control.research_next("zombie", looks=1)
    assert all(words for words in FATES.values())


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (403, PermissionDeniedError)])
async def test_a_new_research_may_be_hidden_for_some_looks(
    gemini, control: EmulatorControl, status, error
):
    control.lag(gets=2, status=status)
    made = await start(gemini)
    for _ in range(2):
        with pytest.raises(error):
            await gemini.get(made.id)

    assert (await gemini.get(made.id)).status == "completed"


async def test_a_cancel_of_a_research_keeps_what_was_told_and_may_show_late(
    gemini, control: EmulatorControl
):
    control.research_seconds = 600
    control.cancel_slowly(1)
    made = await start(gemini)
    control.advance(300)
    asked = await gemini.cancel(made.id)
    looks = [await gemini.get(made.id) for _ in range(2)]
    control.advance(600)

    assert [asked.status, *(look.status for look in looks)] == [
        "in_progress",
        "in_progress",
        "cancelled",
    ]
    assert (await gemini.get(made.id)).steps == looks[-1].steps != []
    with pytest.raises(BadRequestError):
        await gemini.cancel(made.id)


@pytest.mark.parametrize(
    "asked", [{"agent": FAST, "background": True}, {"model": "gemini-3-pro-image"}]
)
async def test_without_billing_the_quota_is_nothing(gemini, raw, control: EmulatorControl, asked):
    control.free_tier = True
    with pytest.raises(RateLimitError) as refused:
        await gemini.create(input="Why?", **asked)
    text = await gemini.create(model=MODEL, input="Hi")
    control.free_tier = False
    body = {"input": "Why?", **asked}
    headers = {"x-goog-api-key": "free-key"}
    with_free_key = await raw.post("/v1/interactions", json=body, headers=headers)

    assert "limit: 0" in str(refused.value.body)
    assert text.status == "completed"
    assert with_free_key.status_code == 429


async def events(stream):
    return [event async for event in stream]


def text_of(told):
    deltas = [event.delta for event in told if event.event_type == "step.delta"]
    return "".join(delta.text for delta in deltas if delta.type == "text")


async def test_a_stream_tells_a_run_while_it_goes_on(gemini, control: EmulatorControl):
    control.research_seconds = 600
    made = await start(gemini)
    stream = aiter(await gemini.get(made.id, stream=True))
    told = [await anext(stream), await anext(stream)]
    control.advance(100)
    told += [await anext(stream), await anext(stream), await anext(stream)]
    running = await gemini.get(made.id)
    control.advance(500)
    told += [event async for event in stream]

    assert [event.event_type for event in told[:4]] == [
        "interaction.created",
        "interaction.status_update",
        "step.start",
        "step.delta",
    ]
    assert running.status == "in_progress"
    assert told[-1].interaction.status == "completed"
    assert told[-1].interaction.usage is None
    assert text_of(told).startswith("# Why?")


async def test_a_create_may_stream_a_research_from_its_start(gemini, control: EmulatorControl):
    told = await events(await start(gemini, stream=True))
    kinds = [event.step.type for event in told if event.event_type == "step.start"]

    assert told[0].interaction.status == "in_progress"
    assert kinds[0] == "thought"
    assert kinds[-2:] == ["model_output", "model_output"]
    assert told[-1].interaction.status == "completed"


async def test_the_stream_and_the_look_agree(gemini):
    made = await start(gemini)
    got = await gemini.get(made.id)
    told = await events(await gemini.get(made.id, stream=True))
    indices = [event.index for event in told if event.event_type == "step.start"]

    texts = [part.text for step in outputs(got) for part in step.content if part.type == "text"]
    assert indices == list(range(len(got.steps) - 1))  # all but the user's
    assert text_of(told) == "".join(texts)


@pytest.mark.parametrize(("ids", "share"), [("dense", 1.0), ("sparse", 0.3), ("none", 0.0)])
async def test_event_ids_are_dense_or_sparse_or_missing(
    gemini, control: EmulatorControl, ids, share
):
    control.event_ids = ids
    made = await start(gemini)
    told = await events(await gemini.get(made.id, stream=True))
    with_id = [event for event in told if event.event_id]

    assert len(with_id) / len(told) >= share
    assert bool(with_id) == bool(share)
    assert (len(with_id) == len(told)) == (ids == "dense")


@pytest.mark.parametrize("ids", ["dense", "sparse"])
async def test_a_stream_goes_on_after_the_last_event_that_was_seen(
    gemini, control: EmulatorControl, ids
):
    control.event_ids = ids
    made = await start(gemini)
    whole = await events(await gemini.get(made.id, stream=True))
    at = [i for i, event in enumerate(whole) if event.event_id][5]
    rest = await events(await gemini.get(made.id, stream=True, last_event_id=whole[at].event_id))

    assert rest == whole[at + 1 :]


@pytest.mark.parametrize("fault", ["cut_600", "clean_eof"])
async def test_a_stream_that_was_cut_ends_in_silence_and_the_run_goes_on(
    gemini, control: EmulatorControl, fault
):
    control.research_seconds = 600
    control.fault_next(fault, on="get", after_events=4)
    made = await start(gemini)
    control.advance(300)
    told = await events(await gemini.get(made.id, stream=True))
    control.advance(300)

    assert len(told) == 4
    assert (await gemini.get(made.id)).status == "completed"


async def test_a_run_told_in_real_time_ends_by_itself(
    gemini, emulator: Emulator, control: EmulatorControl
):
    times = [0.0]
    emulator.control = EmulatorControl(clock=lambda: times[-1])
    emulator.control.research_seconds = 3
    made = await start(gemini)
    stream = aiter(await gemini.get(made.id, stream=True))
    first = await anext(stream)
    times.append(1.5)
    middle = await gemini.get(made.id)
    times.append(3.0)
    told = [event async for event in stream]

    assert first.event_type == "interaction.created"
    assert 0 < len(middle.steps) < len((await gemini.get(made.id)).steps)
    assert told[-1].interaction.status == "completed"


async def test_another_process_can_steer_research(raw: httpx2.AsyncClient, gemini):
    async def steer(do, **args):
        answer = await raw.post("/_emulator/steer", json={"do": do, "args": args})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    await steer("set", research_seconds=600, report_charts=2, event_ids="dense")
    await steer("research_next", fate="failed", errors=[])
    await steer("usage_later", looks=0)
    made = await start(gemini)
    await steer("advance", seconds=300)
    halfway = await steer("research", interaction_id=made.id)
    await steer("advance", seconds=300)

    assert (halfway["status"], halfway["share"]) == ("in_progress", 0.5)
    assert (await gemini.get(made.id)).errors == []


async def test_the_thoughts_of_a_research_may_not_say_that_they_are_text(
    raw, control: EmulatorControl
):
    control.fault_next("missing_thought_type", on="create")
    body = {"agent": FAST, "input": "Why?", "background": True, "agent_config": TALKATIVE}
    made = (await raw.post("/v1/interactions", json=body)).json()
    got = (await raw.get(f"/v1/interactions/{made['id']}")).json()

    thoughts = [step for step in got["steps"] if step["type"] == "thought"]
    parts = [part for thought in thoughts for part in thought["summary"]]
    assert {tuple(part) for part in parts} == {("text",)}
    assert parts
