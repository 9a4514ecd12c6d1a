"""Everything that goes wrong between a client and Google, and how it looks to the real client."""

import json
from functools import partial
from typing import Any

import anyio
import pytest
from google.genai._interactions import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)

from gemini_emulator import Answer, EmulatorControl, Fault
from gemini_emulator.scripting.fault_injection import FAULTS
from tests.emulator.constants import MODEL
from tests.support.samples import SAMPLES


async def ask(gemini, **options):
    return await gemini.create(model=MODEL, input="Hi", **options)


async def events_of(gemini, **options):
    return [event async for event in await ask(gemini, stream=True, **options)]


async def read(gemini, seen, **options):
    answer = await ask(gemini, **options)
    async for event in answer:
        seen.append(event)


async def until_events(seen, number):
    """So many events have come, and for a moment no more."""
    with anyio.fail_after(60):
        while len(seen) < number:
            await anyio.sleep(0.005)
    await anyio.sleep(0.05)


def kinds(events):
    return [getattr(event, "event_type", event) for event in events]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_has_status_body_and_retry_after(gemini, control: EmulatorControl, stream):
    control.fail_next(429, retry_after=2)

    with pytest.raises(RateLimitError) as refused:
        await ask(gemini, stream=stream)
    assert refused.value.response.headers["retry-after"] == "2"
    assert refused.value.body == {
        "error": {"message": "You exceeded your current quota.", "code": "too_many_requests"}
    }
    assert control.log[0].status == 429
    assert (await ask(gemini)).status == "completed"


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("api", lambda body: body["error"]["code"] == "service_unavailable"),
        ("google", lambda body: body["error"]["status"] == "UNAVAILABLE"),
        ("list", lambda body: body[0]["error"]["code"] == 503),
        ("html", lambda body: "<html" in body),
        ("empty", lambda body: not body),
    ],
)
async def test_a_refusal_comes_in_every_shape(gemini, control: EmulatorControl, body, seen):
    control.fail_next(503, body=body)

    with pytest.raises(InternalServerError) as refused:
        await ask(gemini)
    assert refused.value.status_code == 503
    assert seen(refused.value.body)


@pytest.mark.parametrize("status", [400, 402, 403, 409, 413, 416, 499, 500, 502, 504])
async def test_any_status_can_be_had(gemini, control: EmulatorControl, status):
    control.fail_next(status, message="Because.", code="because")

    with pytest.raises(APIStatusError) as refused:
        await ask(gemini)
    assert refused.value.status_code == status
    body: Any = refused.value.body
    assert body["error"] == {"message": "Because.", "code": "because"}


async def test_a_refusal_waits_for_its_kind_of_request(gemini, client, control: EmulatorControl):
    control.fail_next(500, on="get", times=2)
    control.fail_next(503, on="models")
    control.fail_next(409, on="delete")
    control.fail_next(403, on="cancel")
    made = await ask(gemini)

    for _ in range(2):
        with pytest.raises(InternalServerError):
            await gemini.get(made.id)
    assert (await gemini.get(made.id)).status == "completed"
    with pytest.raises(APIStatusError):
        await gemini.delete(made.id)
    with pytest.raises(APIStatusError):
        await gemini.cancel(made.id)
    from google.genai.errors import ServerError

    with pytest.raises(ServerError):
        await client.aio.models.get(model=MODEL)


async def test_troubles_come_in_the_order_they_were_ordered(gemini, control: EmulatorControl):
    control.fault_next("reset")
    control.fail_next(429)

    with pytest.raises(APIConnectionError):
        await ask(gemini)
    with pytest.raises(RateLimitError):
        await ask(gemini)


async def test_a_bad_key_may_be_told_in_googles_words(gemini, control: EmulatorControl):
    control.fault_next("api_key_not_valid")

    with pytest.raises(BadRequestError) as refused:
        await ask(gemini)
    body: Any = refused.value.body
    error = body["error"]
    assert error["message"].startswith("API key not valid")
    assert error["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("fault", ["reset", "fin"])
@pytest.mark.parametrize("after", [None, 0, 4])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_connection_breaks(gemini, control: EmulatorControl, fault, after, stream):
    control.fault_next(fault, after_events=after)
    seen: list[object] = []

    with pytest.raises(APIConnectionError) as broken:
        await read(gemini, seen, stream=stream)
    assert broken.value.status_code is None
    assert len(seen) == (after or 0 if stream else 0)
    assert not control.log[0].closed_early
    if after is not None:
        made = control.log[0].interaction_id or ""
        assert control.interaction(made)["status"] == "completed"


@pytest.mark.parametrize("on", ["get", "cancel", "delete", "models"])
async def test_the_connection_breaks_on_any_request(gemini, client, control: EmulatorControl, on):
    made = await ask(gemini)
    control.fault_next("fin", on=on)
    requests = {
        "get": lambda: gemini.get(made.id),
        "cancel": lambda: gemini.cancel(made.id),
        "delete": lambda: gemini.delete(made.id),
        "models": lambda: client.aio.models.get(model=MODEL),
    }

    with pytest.raises(Exception, match="disconnected"):
        await requests[on]()


async def test_a_stream_may_end_cleanly_but_too_early(gemini, control: EmulatorControl):
    control.fault_next("clean_eof")
    whole = kinds(await events_of(gemini))
    control.fault_next("clean_eof", after_events=3)
    short = kinds(await events_of(gemini))

    assert "interaction.completed" not in whole
    assert whole[-1] == "step.stop"
    assert len(short) == 3


async def test_a_stream_may_be_cut_by_a_raw_array(raw, gemini, control: EmulatorControl):
    control.fault_next("cut_600", after_events=4)
    control.fault_next("cut_600", after_events=4)
    body = {"model": MODEL, "input": "Hi", "stream": True}
    text = (await raw.post("/v1/interactions", json=body)).text
    seen = await events_of(gemini)

    error = json.loads(text[text.index("[{") :])[0]["error"]
    assert error["code"] == 503
    assert error["status"] == "UNAVAILABLE"
    assert "[DONE]" not in text
    assert len(seen) == 4


async def test_a_stream_may_end_with_an_error_event(gemini, control: EmulatorControl):
    control.fault_next("error_event", after_events=5)
    events = await events_of(gemini)
    recorded = (SAMPLES / "error_midstream.sse").read_text("utf-8")

    assert kinds(events)[-1] == "error"
    assert len(events) == 6
    assert events[-1].error.code == "gateway_timeout"
    assert events[-1].error.message in recorded
    assert (await gemini.get(events[0].interaction.id)).status == "failed"


async def test_an_error_event_says_what_it_is_told_and_spares_background_runs(gemini, control):
    control.hold_background()
    made = await ask(gemini, background=True)
    control.finish(made.id, "Done.")
    control.fault_next("error_event", code="deadline_exceeded", message="", after_events=2)
    events = [event async for event in await gemini.get(made.id, stream=True)]

    assert (events[-1].error.code, events[-1].error.message) == ("deadline_exceeded", "")
    assert (await gemini.get(made.id)).status == "completed"


async def test_completed_may_be_left_out(gemini, control: EmulatorControl):
    control.fault_next("no_completed")
    events = await events_of(gemini)

    assert kinds(events)[-1] == "step.stop"
    assert (await gemini.get(events[0].interaction.id)).status == "completed"


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_may_be_missing_and_come_later(gemini, control: EmulatorControl, stream):
    control.fault_next("no_usage")
    if stream:
        made = (await events_of(gemini))[-1].interaction
    else:
        made = await ask(gemini)

    assert made.usage is None
    assert (await gemini.get(made.id)).usage.total_tokens > 0


async def test_usage_may_be_missing_for_good(gemini, control: EmulatorControl):
    control.answer_next(Answer("Hi", usage=False))
    made = await ask(gemini)

    assert made.usage is None
    assert (await gemini.get(made.id)).usage is None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_thought_may_lack_its_type(gemini, control: EmulatorControl, stream):
    control.fault_next("missing_thought_type")
    if stream:
        events = await events_of(gemini)
        content = next(e.delta.content for e in events if e.event_type == "step.delta")
    else:
        content = (await ask(gemini)).steps[0].summary[0]

    assert type(content).__name__ != "TextContent"
    assert content.text


async def test_a_stream_may_be_full_of_unknowns(gemini, control: EmulatorControl):
    control.fault_next("unknowns", status="weird_new_status")
    events = await events_of(gemini)

    seen = kinds(events)
    assert "UNKNOWN" in seen
    assert "not json at all" in seen
    assert any(getattr(getattr(e, "step", None), "is_unknown", False) for e in events)
    assert any(getattr(getattr(e, "delta", None), "is_unknown", False) for e in events)
    assert events[-1].interaction.status == "weird_new_status"


async def test_a_body_may_be_full_of_unknowns(gemini, control: EmulatorControl):
    control.fault_next("unknowns", status="weird_new_status")
    answer = await ask(gemini)

    assert answer.steps[0].is_unknown
    assert answer.steps[-1].content[0].is_unknown
    assert answer.status == "weird_new_status"
    assert "You said" in answer.output_text


async def test_steps_may_be_empty(gemini, control: EmulatorControl):
    control.fault_next("empty_steps", times=2)
    answer = await ask(gemini)
    events = await events_of(gemini)

    assert (answer.status, answer.steps, answer.output_text) == ("completed", [], "")
    assert len(events) == 3


@pytest.mark.parametrize("fault", ["dribble", "crlf"])
async def test_the_stream_may_be_strange_and_still_be_right(
    gemini, control: EmulatorControl, fault
):
    text = "Ünïcödé — 日本語 🎉"
    control.answer_next(text)
    control.fault_next(fault)
    events = await events_of(gemini)

    said = "".join(
        e.delta.text for e in events if e.event_type == "step.delta" and e.delta.type == "text"
    )
    assert said == text
    assert events[-1].event_type == "interaction.completed"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("invalid_json", APIResponseValidationError),
        ("empty_body", APIResponseValidationError),
        ("text_plain", APIError),
        ("created_201", APIError),
    ],
)
async def test_a_200_may_be_no_answer(gemini, control: EmulatorControl, fault, error, stream):
    control.fault_next(fault)

    with pytest.raises(error):
        await ask(gemini, stream=stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_200_may_be_an_array(gemini, control: EmulatorControl, stream):
    control.fault_next("json_array")

    assert isinstance(await ask(gemini, stream=stream), list)


async def test_a_200_may_have_no_status(gemini, control: EmulatorControl):
    control.fault_next("no_status")

    assert (await ask(gemini)).status is None


async def test_json_may_come_for_a_stream_and_a_stream_for_json(gemini, control: EmulatorControl):
    control.fault_next("unary_instead_of_stream")
    control.fault_next("stream_instead_of_unary")
    stream = await ask(gemini)
    unary = await ask(gemini, stream=True)

    assert kinds([event async for event in stream])[-1] == "interaction.completed"
    assert unary.status == "completed"
    assert unary.output_text


async def test_an_image_may_be_huge(gemini, control: EmulatorControl):
    control.fault_next("huge_image", megabytes=3)
    answer = await gemini.create(model="gemini-nano-banana-2.1", input="a cat")

    assert len(answer.output_image.data) == 4_000_000


@pytest.mark.parametrize("after", [None, 3])
async def test_an_answer_may_never_come(gemini, control: EmulatorControl, after):
    control.fault_next("hang", after_events=after)
    seen: list[Any] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(read, gemini, seen, stream=True))
        assert await control.until(lambda: len(control.log) == 1)
        await until_events(seen, after or 0)
        tasks.cancel_scope.cancel()

    assert await control.until(lambda: control.log[-1].closed_early)
    assert len(seen) == (after or 0)


async def test_a_replay_may_hang_after_two_events(gemini, control: EmulatorControl):
    made = await ask(gemini, background=True)
    control.fault_next("hang_after_replay")
    seen = []

    async def replay():
        async for event in await gemini.get(made.id, stream=True):
            seen.append(event)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(replay)
        await until_events(seen, 2)
        assert not control.log[-1].ended
        tasks.cancel_scope.cancel()

    assert await control.until(lambda: control.log[-1].closed_early)
    assert len(seen) == 2


async def test_the_first_byte_may_be_slow(gemini, control: EmulatorControl):
    control.fault_next("slow_first_byte", seconds=0.02)

    assert (await ask(gemini)).status == "completed"


async def test_a_lost_foreground_interaction_is_404(gemini, control: EmulatorControl):
    control.foreground_disconnect = "lost"
    control.fault_next("clean_eof", after_events=4)
    events = await events_of(gemini)

    with pytest.raises(NotFoundError):
        await gemini.get(events[0].interaction.id)


def test_an_unknown_fault_is_a_mistake():
    with pytest.raises(ValueError, match="Known: reset, fin"):
        Fault("explode")


def test_every_fault_has_words_for_the_command_line():
    assert all(words and not words.endswith(".") for words in FAULTS.values())
