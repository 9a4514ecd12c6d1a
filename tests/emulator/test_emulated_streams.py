"""Streams: the same events, in the same order and shape, as the recorded ones."""

import json

import pytest
from google.genai._interactions import BadRequestError

from gemini_emulator import Answer, EmulatorControl
from tests.emulator.constants import MODEL
from tests.support.samples import SAMPLES


def events_of(text):
    """The JSON of every event of a stream."""
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def steps_of(events):
    """The steps a careful client puts together from the events."""
    steps = {}
    for event in events:
        index = event.get("index")
        if event["event_type"] == "step.start":
            steps[index] = dict(event["step"])
        elif event["event_type"] == "step.delta":
            add(steps[index], dict(event["delta"]))
    return [finished(step) for step in steps.values()]


def add(step, delta):
    kind = delta.pop("type")
    if kind == "thought_summary":
        step.setdefault("summary", []).append(delta["content"])
    elif kind == "thought_signature":
        step["signature"] = delta["signature"]
    elif kind == "arguments_delta":
        step["pieces"] = step.get("pieces", "") + delta["arguments"]
    elif kind == "text":
        content = step.setdefault("content", [])
        if content and content[-1]["type"] == "text" and "annotations" not in content[-1]:
            content[-1]["text"] += delta["text"]
        else:
            content.append({"type": "text", **delta})
    elif kind == "text_annotation_delta":
        step["content"][-1]["annotations"] = delta["annotations"]
    elif kind == "image":
        step.setdefault("content", []).append({"type": "image", **delta})
    else:
        step.update(delta)


def finished(step):
    if "pieces" in step:
        step["arguments"] = json.loads(step.pop("pieces"))
    return step


def shape(value):
    """What there is, without what it says."""
    if isinstance(value, dict):
        return {
            key: inner if key in ("type", "event_type", "status", "object") else shape(inner)
            for key, inner in value.items()
            if key not in ("previous_interaction_id",)
        }
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


async def test_every_event_has_its_line_and_the_stream_its_end(raw):
    body = {"model": MODEL, "input": "Hi", "stream": True}
    response = await raw.post("/v1/interactions", json=body)

    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.split("\n\n")
    assert blocks[-1] == ""
    assert blocks[-2] == "event: done\ndata: [DONE]"
    for block in blocks[:-2]:
        first, second = block.split("\n")
        assert json.loads(second.removeprefix("data: "))["event_type"] == first[7:]


@pytest.mark.parametrize("sample", ["text_thinking", "search_citations", "function_call"])
async def test_the_recorded_steps_are_told_as_they_were_recorded(
    raw, control: EmulatorControl, sample
):
    recorded = events_of((SAMPLES / f"{sample}.sse").read_text("utf-8"))
    last = recorded[-1]["interaction"]
    pieces = [
        event["delta"]["text"]
        for event in recorded
        if event["event_type"] == "step.delta" and event["delta"]["type"] == "text"
    ]
    control.answer_next(
        Answer(
            steps=steps_of(recorded),
            status=last["status"],
            usage=last["usage"],
            deltas=pieces or None,
        )
    )

    body = {"model": last["model"], "input": "Hi", "stream": True}
    told = events_of((await raw.post("/v1/interactions", json=body)).text)

    assert [shape(event) for event in told] == [shape(event) for event in recorded]
    assert steps_of(told) == steps_of(recorded)


@pytest.mark.parametrize("sample", ["image_output", "server_tools"])
async def test_the_recorded_answers_survive_the_stream(raw, control: EmulatorControl, sample):
    recorded = events_of((SAMPLES / f"{sample}.sse").read_text("utf-8"))
    control.answer_next(Answer(steps=steps_of(recorded)))

    body = {"model": MODEL, "input": "Hi", "stream": True}
    told = events_of((await raw.post("/v1/interactions", json=body)).text)

    assert steps_of(told) == steps_of(recorded)


async def test_the_default_stream_has_the_recorded_shape(raw):
    recorded = events_of((SAMPLES / "text_thinking.sse").read_text("utf-8"))
    config = {"thinking_summaries": "auto"}
    body = {"model": MODEL, "input": "GCD — voilà?", "stream": True, "generation_config": config}
    told = events_of((await raw.post("/v1/interactions", json=body)).text)

    shapes = [shape(event) for event in told]
    kinds = {json.dumps(event, sort_keys=True) for event in shapes}
    assert kinds == {json.dumps(shape(event), sort_keys=True) for event in recorded}
    assert shapes[:7] == [shape(event) for event in recorded[:7]]
    assert shapes[-2:] == [shape(event) for event in recorded[-2:]]


@pytest.mark.parametrize(
    ("sample", "answer"),
    [
        ("text", Answer("Hello", thought="thinking")),
        ("incomplete", Answer(steps=[{"type": "model_output", "content": []}])),
        ("requires_action", None),
        ("search", None),
        ("image", None),
    ],
)
async def test_the_body_of_a_create_has_the_recorded_fields(
    raw, control: EmulatorControl, sample, answer
):
    recorded = json.loads((SAMPLES / f"interaction_{sample}.json").read_text("utf-8"))
    control.answer_next(
        answer
        or Answer(steps=recorded["steps"], status=recorded["status"], usage=recorded["usage"])
    )

    body = {"model": MODEL, "input": "Hi"}
    told = (await raw.post("/v1/interactions", json=body)).json()

    assert list(told) == list(recorded)
    if answer is None:
        assert told["steps"] == recorded["steps"]
        assert told["status"] == recorded["status"]


async def test_the_body_of_a_get_has_the_recorded_fields(raw, gemini):
    recorded = json.loads((SAMPLES / "interaction_get_with_input.json").read_text("utf-8"))
    made = await gemini.create(model=MODEL, input="Hi")
    told = (await raw.get(f"/v1/interactions/{made.id}?stream=false")).json()

    assert shape(told) == shape(recorded)


async def test_the_body_of_a_background_create_has_the_recorded_fields(raw):
    recorded = json.loads((SAMPLES / "interaction_bg_created.json").read_text("utf-8"))
    body = {"model": MODEL, "input": "Hi", "background": True}
    told = (await raw.post("/v1/interactions", json=body)).json()

    assert set(told) == set(recorded) - {"agent", "role"} | {"model"}
    assert told["status"] == "in_progress"
    assert told["steps"] == []


async def test_text_of_many_bytes_a_character_arrives_whole_in_several_deltas(gemini, control):
    text = "Ünïcödé — 日本語のテキスト 🎉🎉 " * 20
    control.answer_next(text)

    stream = await gemini.create(model=MODEL, input="Hi", stream=True)
    deltas = [
        e.delta.text async for e in stream if getattr(e, "index", None) == 1 and hasattr(e, "delta")
    ]

    assert len(deltas) > 5
    assert "".join(deltas) == text


async def test_foreground_streams_carry_no_event_ids(gemini):
    stream = await gemini.create(model=MODEL, input="Write 200 words", stream=True)

    assert not any(getattr(event, "event_id", None) for event in [e async for e in stream])


async def test_the_stream_and_get_tell_the_same(gemini):
    stream = await gemini.create(model=MODEL, input="Write 200 words", stream=True)
    events = [event async for event in stream]
    got = await gemini.get(events[0].interaction.id)

    text = "".join(e.delta.text for e in events if e.event_type == "step.delta" and e.index == 1)
    assert text == got.output_text
    assert events[-1].interaction.usage == got.usage
    assert events[-1].interaction.steps is None


async def test_a_long_answer_does_not_come_in_ever_more_events(gemini):
    stream = await gemini.create(model=MODEL, input="Write 20000 words", stream=True)

    assert len([event async for event in stream]) < 300


async def test_background_streams_carry_sparse_event_ids_and_replay_from_the_start(gemini):
    made = await gemini.create(model=MODEL, input="Write 100 words", background=True)
    events = [event async for event in await gemini.get(made.id, stream=True)]
    again = [event async for event in await gemini.get(made.id, stream=True)]

    with_id = [event for event in events if getattr(event, "event_id", None)]
    assert 2 < len(with_id) < len(events) / 2
    assert {event.event_type for event in with_id} == {"step.delta"}
    assert events[0].event_type == "interaction.created"
    assert events[-1].event_type == "interaction.completed"
    assert again == events


async def test_a_stream_resumes_after_the_last_event_seen(gemini):
    made = await gemini.create(model=MODEL, input="Write 100 words", background=True)
    events = [event async for event in await gemini.get(made.id, stream=True)]
    at = next(i for i, e in enumerate(events) if i > 8 and getattr(e, "event_id", None))
    resumed = await gemini.get(made.id, stream=True, last_event_id=events[at].event_id)

    assert [event async for event in resumed] == events[at + 1 :]


async def test_an_unknown_last_event_id_is_refused(gemini):
    made = await gemini.create(model=MODEL, input="Hi", background=True)

    with pytest.raises(BadRequestError):
        await gemini.get(made.id, stream=True, last_event_id="v1_none")


async def test_a_stream_follows_a_run_as_it_goes(gemini, control: EmulatorControl):
    control.hold_background()
    made = await gemini.create(model=MODEL, input="Think", background=True)
    stream = aiter(await gemini.get(made.id, stream=True))
    start = [await anext(stream) for _ in range(2)]
    control.think(made.id, "Reading sources")
    thoughts = [await anext(stream) for _ in range(2)]
    control.finish(made.id, "The report.")
    rest = [event async for event in stream]
    got = await gemini.get(made.id)

    assert [event.event_type for event in start] == [
        "interaction.created",
        "interaction.status_update",
    ]
    assert thoughts[1].delta.content.text == "Reading sources"
    assert rest[-1].interaction.status == "completed"
    assert got.output_text == "The report."
    assert got.steps[1].summary[0].text == "Reading sources"
    assert max(event.index for event in rest if hasattr(event, "index")) == 2


async def test_a_background_create_can_stream_at_once(gemini, control: EmulatorControl):
    stream = await gemini.create(model=MODEL, input="Hi", background=True, stream=True)
    events = [event async for event in stream]

    assert events[-1].interaction.status == "completed"
    assert any(getattr(event, "event_id", None) for event in events)


async def test_scripted_events_replace_those_of_the_steps(gemini, control: EmulatorControl):
    event = {"index": 0, "step": {"type": "brand_new"}, "event_type": "step.start"}
    control.answer_next(Answer("Hi", events=[event]))
    events = [e async for e in await gemini.create(model=MODEL, input="Hi", stream=True)]

    assert [e.event_type for e in events][2:] == ["step.start", "interaction.completed"]
    assert events[2].step.is_unknown


async def test_an_answer_too_long_for_one_hop_is_continued_by_the_client(
    gemini, control: EmulatorControl
):
    control.answer_next(Answer("The first half, ", status="requires_continuation"))
    control.answer_next("the second half.")

    answer = await gemini.create(model=MODEL, input="Write a lot")

    first, second = control.posts
    assert answer.output_text.endswith("the second half.")
    assert second.body["previous_interaction_id"] == first.interaction_id
    assert second.body["continuation_token"].startswith("ct_")
    assert "input" not in second.body


async def test_a_streamed_answer_is_continued_too(gemini, control: EmulatorControl):
    control.answer_next(Answer("The first half, ", status="requires_continuation"))
    control.answer_next("the second half.")

    stream = await gemini.create(model=MODEL, input="Write a lot", stream=True)
    events = [event async for event in stream]

    assert [e.event_type for e in events].count("interaction.created") == 2
    assert events[-1].interaction.status == "completed"


async def test_a_wrong_continuation_token_is_refused(raw, control: EmulatorControl):
    control.answer_next(Answer("Half", status="requires_continuation"))
    first = (await raw.post("/v1/interactions", json={"model": MODEL, "input": "Hi"})).json()
    body = {
        "model": MODEL,
        "continuation_token": "wrong",
        "previous_interaction_id": first["id"],
    }

    assert first["continuation_token"]
    assert (await raw.post("/v1/interactions", json=body)).status_code == 400
