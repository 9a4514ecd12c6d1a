"""Gemini talks to the Interactions API: the real SDK, the emulator or a bare wire beyond it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gemini_emulator import Answer, EmulatorControl
from gemini_interactions.domain.errors import (
    BadArgument,
    ConnectionLost,
    Garbled,
    Gone,
    Intercepted,
    RateLimited,
    Rejected,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
    WrongKey,
)
from gemini_interactions.domain.types import CreateRequest, Interaction
from gemini_interactions.gemini import Gemini, client, uploads
from gemini_interactions.interactions.stream_accumulator import InteractionAccumulator
from tests.support.raw_http_server import HANG_UP, KEEP_WAITING, RawHttpServer
from tests.support.samples import SAMPLES
from tests.unit.gemini.conftest import recorded_events

FLASH = "gemini-3.8-flash"
HELLO = CreateRequest(input="Hello", model=FLASH)
CREATED = {"event_type": "interaction.created", "interaction": {"id": "v1_a"}}


def completed_event(status: str = "completed", **more: Any) -> dict[str, Any]:
    interaction = {"id": "v1_a", "status": status, **more}
    return {"event_type": "interaction.completed", "interaction": interaction}


async def stream_draft(gemini: Gemini, call: CreateRequest = HELLO) -> InteractionAccumulator:
    draft = InteractionAccumulator()
    async with gemini.stream(call) as events:
        async for event in events:
            draft.add(event)
    return draft


def text_of(interaction: Interaction) -> str:
    return "".join(
        content.get("text", "")
        for step in interaction.steps
        if step["type"] == "model_output"
        for content in step["content"]
    )


async def test_a_stream_amounts_to_what_google_then_remembers(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.answer_next("Hello to you.")

    draft = await stream_draft(gemini)
    remembered = await gemini.get(draft.id)

    assert draft.finished
    assert draft.text_so_far == "Hello to you."
    generated = [step for step in remembered.steps if step["type"] != "user_input"]
    assert list(draft.interaction().steps) == generated
    assert draft.interaction().usage == remembered.usage


@pytest.mark.parametrize("number", [1, 2], ids=["before the SDK", "as the request leaves"])
async def test_what_forbids_a_request_is_raised_as_it_is_and_nothing_is_sent(
    gemini: Gemini, control: EmulatorControl, number: int
) -> None:
    class TooLateError(Exception):
        pass

    calls: list[None] = []

    async def check() -> None:
        calls.append(None)
        if len(calls) == number:
            raise TooLateError

    with pytest.raises(TooLateError):
        await gemini.create(HELLO, before_send=check)

    assert control.posts == []


async def test_an_answer_in_one_piece_says_the_same_as_a_stream(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.answer_when("Hello", "Hello to you.")

    whole = await gemini.create(HELLO)
    draft = await stream_draft(gemini)

    assert text_of(whole) == draft.text_so_far == "Hello to you."
    assert whole.usage == draft.interaction().usage


async def test_a_background_run_is_begun_followed_and_found(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.hold_background()
    begun = await gemini.create(CreateRequest(input="Look into X", model=FLASH, background=True))
    control.finish(begun.id, "The report.")
    draft = InteractionAccumulator()
    async with gemini.follow(begun.id) as events:
        async for event in events:
            draft.add(event)

    assert begun.status == "in_progress"
    assert draft.text_so_far == "The report."
    assert (await gemini.get(begun.id)).status == "completed"


async def test_following_goes_on_after_the_last_event_seen(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with_stream(*recorded_events("deep_research_resume_tail"))

    async with raw_gemini.follow("v1_dr", "evt_7/+=") as events:
        seen = [event async for event in events]

    assert raw_server.requests[0].line.startswith(
        "GET /v1/interactions/v1_dr?last_event_id=evt_7%2F%2B%3D"
    )
    assert seen[0]["event_id"] == "evt_0007"


async def test_following_may_end_early(raw_server: RawHttpServer, raw_gemini: Gemini) -> None:
    raw_server.answers.append(
        [
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
            (SAMPLES / "deep_research_10min_cut.sse").read_bytes(),
            HANG_UP,
        ]
    )

    async with raw_gemini.follow("v1_dr") as events:
        seen = [event async for event in events]

    assert len(seen) == 4


async def test_a_replay_that_hangs_is_given_up(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with_stream(CREATED, then=KEEP_WAITING)

    with pytest.raises(TimedOut):
        async with raw_gemini.follow("v1_dr", silence=0.05) as events:
            _ = [event async for event in events]


async def test_a_run_can_be_cancelled_and_forgotten(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.hold_background()
    begun = await gemini.create(CreateRequest(input="Long", model=FLASH, background=True))

    assert (await gemini.cancel(begun.id)).status == "cancelled"
    await gemini.delete(begun.id)
    with pytest.raises(Gone):
        await gemini.get(begun.id)


async def test_a_hundred_long_calls_keep_no_other_call_look_or_cancel_waiting(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.hold_background()
    begun = await gemini.create(CreateRequest(input="Long", model=FLASH, background=True))
    gates = [control.hold_next("create", "before_completed") for _ in range(101)]

    async with anyio.create_task_group() as tasks:
        for _ in gates:
            tasks.start_soon(stream_draft, gemini)
        with anyio.fail_after(60):
            for gate in gates:
                await gate.reached()
            short = await stream_draft(gemini)
            looked = await gemini.get(begun.id)
            cancelled = await gemini.cancel(begun.id)
        for gate in gates:
            gate.release()

    assert short.interaction().status == "completed"
    assert (looked.status, cancelled.status) == ("in_progress", "cancelled")


async def test_models_are_listed_by_their_bare_ids(gemini: Gemini) -> None:
    models = await gemini.models()

    assert FLASH in [model.id for model in models]
    assert all(model.display_name for model in models)


@pytest.mark.parametrize("name", ["text_thinking", "search_citations", "function_call"])
async def test_we_read_what_the_sdk_reads(
    raw_server: RawHttpServer, raw_gemini: Gemini, name: str
) -> None:
    from google import genai
    from google.genai.types import HttpOptions

    raw_server.respond_with_stream(*recorded_events(name))
    raw_server.respond_with_stream(*recorded_events(name))

    async with raw_gemini.stream(HELLO) as events:
        ours = [event async for event in events]
    client: Any = genai.Client(api_key="k", http_options=HttpOptions(base_url=raw_server.url))
    async with await client.aio.interactions.create(model=FLASH, input="x", stream=True) as stream:
        theirs = [event.model_dump(mode="json", exclude_unset=True) async for event in stream]
    await client.aio.aclose()
    client.close()

    assert ours == theirs


async def test_steps_are_sent_again_as_they_came(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    draft = InteractionAccumulator()
    for event in recorded_events("server_tools") + recorded_events("unknowns")[:3]:
        draft.add(event)
    question = {"type": "user_input", "content": [{"type": "text", "text": "And now?"}]}
    steps = [*draft.interaction().steps, question]
    raw_server.respond_with(b'{"id": "v1_a", "status": "completed"}')

    await raw_gemini.create(CreateRequest(input=steps, model=FLASH))

    assert raw_server.requests[0].body["input"] == steps


async def test_a_long_answer_is_fetched_part_by_part(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    part = [{"type": "model_output", "content": [{"type": "text", "text": "Some of it. "}]}]
    raw_server.respond_with_stream(
        CREATED, completed_event("requires_continuation", continuation_token="t1", steps=part)
    )
    raw_server.respond_with_stream(CREATED, completed_event(id="v1_b"))

    draft = await stream_draft(
        raw_gemini, CreateRequest(input="Hello", model=FLASH, system_instruction="Be long.")
    )

    assert draft.id == "v1_b"
    first, second = (request.body for request in raw_server.requests)
    assert second == {
        **{key: value for key, value in first.items() if key != "input"},
        "continuation_token": "t1",
        "previous_interaction_id": "v1_a",
    }


async def test_a_finished_stream_leaves_its_connection_for_the_next(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    for _ in range(3):
        raw_server.respond_with_stream(CREATED, completed_event())

    for _ in range(3):
        await stream_draft(raw_gemini)

    assert [request.connection for request in raw_server.requests] == [1, 1, 1]


async def test_what_breaks_after_the_end_breaks_nothing(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with_stream(CREATED, completed_event(), then=HANG_UP)

    assert (await stream_draft(raw_gemini)).finished


async def test_an_answer_that_is_over_does_not_wait_for_the_end_of_its_stream(
    raw_server: RawHttpServer, raw_gemini: Gemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LAST_WORD", 0.0)
    raw_server.respond_with_stream(CREATED, completed_event(), then=KEEP_WAITING)

    with anyio.fail_after(5):
        assert (await stream_draft(raw_gemini)).finished


async def test_many_events_at_once_leave_others_on_the_loop_their_turn(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    step = {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}
    word = {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "word "}}
    raw_server.respond_with_stream(CREATED, step, *[word] * 2000, completed_event())
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    between: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        async with raw_gemini.stream(HELLO) as events:
            async for _ in events:
                between.append(turns)
        tasks.cancel_scope.cancel()

    assert len(between) == 2003
    assert max(Counter(between).values()) <= 16


async def test_an_agent_call_carries_what_agents_take(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with(b'{"id": "v1_a", "status": "in_progress", "steps": []}')
    config = {"type": "deep-research", "thinking_summaries": "auto"}

    begun = await raw_gemini.create(
        CreateRequest(
            input="X", agent="deep-research-preview-04-2026", agent_config=config, background=True
        )
    )

    assert begun == Interaction(id="v1_a", status="in_progress")
    assert raw_server.requests[0].body == {
        "agent": "deep-research-preview-04-2026",
        "agent_config": config,
        "background": True,
        "input": "X",
    }


async def test_leaving_a_stream_closes_its_connection(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with_stream(CREATED, then=KEEP_WAITING)

    async with raw_gemini.stream(HELLO) as events:
        await anext(events)

    with anyio.fail_after(60):
        await raw_server.client_left.wait()


@pytest.mark.parametrize("first", [[], [CREATED]], ids=["before the answer", "in the middle"])
async def test_cancelling_closes_the_connection(
    raw_server: RawHttpServer, raw_gemini: Gemini, first: list[dict[str, Any]]
) -> None:
    if first:
        raw_server.respond_with_stream(*first, then=KEEP_WAITING)
    else:
        raw_server.answers.append([KEEP_WAITING])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream_draft, raw_gemini)
        await raw_server.sent.wait()
        tasks.cancel_scope.cancel()

    with anyio.fail_after(60):
        await raw_server.client_left.wait()


@pytest.mark.parametrize("first", [[], [CREATED]], ids=["before the answer", "in the middle"])
async def test_the_time_allowed_is_for_the_whole_call(
    raw_server: RawHttpServer, raw_gemini: Gemini, first: list[dict[str, Any]]
) -> None:
    await raw_gemini.warm()
    raw_server.respond_with_stream(*first, then=KEEP_WAITING)

    with pytest.raises(TimedOut):
        await stream_draft(raw_gemini, CreateRequest(input="Hello", model=FLASH, timeout=0.05))


async def test_the_readers_own_time_is_not_cut_short(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    raw_server.respond_with_stream(CREATED, completed_event())

    async with raw_gemini.stream(HELLO) as events:
        assert await anext(events) == CREATED
        assert anyio.current_effective_deadline() == inf


@pytest.mark.parametrize(
    ("fault", "options", "kind"),
    [
        ("reset", {}, ConnectionLost),
        ("reset", {"after_events": 2}, ConnectionLost),
        ("fin", {"after_events": 2}, ConnectionLost),
        ("clean_eof", {"after_events": 2}, ConnectionLost),
        ("cut_600", {"after_events": 2}, ConnectionLost),
        ("no_completed", {}, ConnectionLost),
        ("api_key_not_valid", {}, WrongKey),
    ],
)
async def test_a_stream_that_breaks_is_told_apart_from_one_that_ends(
    gemini: Gemini,
    control: EmulatorControl,
    fault: str,
    options: dict[str, Any],
    kind: type[UpstreamError],
) -> None:
    control.fault_next(fault, **options)

    with pytest.raises(kind):
        await stream_draft(gemini)

    assert len([request for request in control.log if request.kind == "create"]) == 1


@pytest.mark.parametrize("fault", ["invalid_json", "empty_body", "json_array", "text_plain"])
async def test_a_success_that_cannot_be_read_is_garbled(
    gemini: Gemini, control: EmulatorControl, fault: str
) -> None:
    control.fault_next(fault)

    with pytest.raises(Garbled):
        await gemini.create(HELLO)


@pytest.mark.parametrize(
    "fault",
    [
        "dribble",
        "crlf",
        "unknowns",
        "missing_thought_type",
        "no_usage",
        "unary_instead_of_stream",
    ],
)
async def test_an_odd_stream_is_read_all_the_same(
    gemini: Gemini, control: EmulatorControl, fault: str
) -> None:
    control.answer_next("Hello — voilà.")
    control.fault_next(fault)

    draft = await stream_draft(gemini)

    assert draft.finished
    assert "Hello — voilà." in draft.text_so_far


async def test_a_stream_instead_of_one_piece_is_put_together(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.answer_next("Hello to you.")
    control.fault_next("stream_instead_of_unary")

    assert text_of(await gemini.create(HELLO)) == "Hello to you."


async def test_an_error_in_the_stream_is_an_event(gemini: Gemini, control: EmulatorControl) -> None:
    control.fault_next("error_event", after_events=3)

    draft = await stream_draft(gemini)

    assert draft.finished
    assert draft.error is not None
    assert draft.error.code == "gateway_timeout"


async def test_a_failed_answer_keeps_its_reason(gemini: Gemini, control: EmulatorControl) -> None:
    errors = [{"code": "safety", "message": "Blocked."}]
    control.answer_next(Answer(steps=[], status="failed", errors=errors))

    failed = await gemini.create(HELLO)

    assert failed.status == "failed"
    assert [(each.code, each.message) for each in failed.errors] == [("safety", "Blocked.")]


@pytest.mark.parametrize("shape", ["api", "google", "list", "html", "empty"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Rejected), (403, WrongKey), (404, Gone), (429, RateLimited), (503, Unavailable)],
)
async def test_a_refusal_is_ours_and_final(
    gemini: Gemini, control: EmulatorControl, status: int, kind: type[UpstreamError], shape: Any
) -> None:
    control.fail_next(status, body=shape, times=1)

    with pytest.raises(kind) as caught:
        await stream_draft(gemini)

    assert caught.value.status == status
    assert caught.value.message
    assert len(control.log) == 1


async def test_a_rate_limit_keeps_its_wait(gemini: Gemini, control: EmulatorControl) -> None:
    control.fail_next(429, retry_after=7)

    with pytest.raises(RateLimited) as caught:
        await gemini.create(HELLO)

    assert caught.value.retry_after == 7


async def test_refused_models_are_ours_too(gemini: Gemini, control: EmulatorControl) -> None:
    control.fail_next(503, on="models")

    with pytest.raises(Unavailable):
        await gemini.models()


@pytest.mark.parametrize(
    "ask", [stream_draft, lambda gemini: gemini.create(HELLO), lambda gemini: gemini.models()]
)
async def test_nobody_there_means_nothing_was_sent(ask: Callable[[Gemini], Any]) -> None:
    async with RawHttpServer() as gone:
        pass
    gemini = Gemini(lambda: "some-key", gone.url)

    with pytest.raises(Unreachable):
        await ask(gemini)

    await gemini.aclose()


@pytest.mark.parametrize(
    "call",
    [
        CreateRequest(input="x", model=FLASH, tools=({"nonsense": 1},)),
        CreateRequest(input="x", agent="deep-research", agent_config={"type": 1}),
    ],
)
async def test_what_the_sdk_will_not_send_is_rejected_in_our_words(
    raw_server: RawHttpServer, raw_gemini: Gemini, call: CreateRequest
) -> None:
    with pytest.raises(Rejected) as caught:
        await raw_gemini.create(call)

    assert raw_server.requests == []
    assert "pydantic" not in caught.value.said


async def test_an_id_that_is_none_is_refused_before_anything_is_sent(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    with pytest.raises(BadArgument):
        await raw_gemini.get("../files/abc")
    with pytest.raises(BadArgument):
        await raw_gemini.delete("")
    with pytest.raises(BadArgument):
        await stream_draft(
            raw_gemini, CreateRequest(input="x", model=FLASH, previous_interaction_id="a/b")
        )

    assert raw_server.requests == []


async def test_a_redirect_does_not_carry_the_key_away(
    raw_server: RawHttpServer, raw_gemini: Gemini
) -> None:
    async with RawHttpServer() as elsewhere:
        raw_server.respond_with(
            b"", "307 Temporary Redirect", more=f"location: {elsewhere.url}/x\r\n"
        )

        with pytest.raises(Intercepted) as refused:
            await raw_gemini.create(HELLO)

        assert "leads elsewhere: 307 to 127.0.0.1" in refused.value.message
        assert elsewhere.requests == []


async def test_many_calls_at_once_share_one_client(
    gemini: Gemini, control: EmulatorControl
) -> None:
    control.answer_when("Hello", "Hi.")
    answers: list[str] = []

    async def one() -> None:
        answers.append((await stream_draft(gemini)).text_so_far)

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(one)

    assert answers == ["Hi."] * 12


@pytest.mark.parametrize(
    "facts",
    [
        {"name": None},
        {"name": "../../x"},
        {"name": "files/A b"},
        {"name": ["files/a"]},
        {"uri": None},
        {"uri": {"a": 1}},
    ],
    ids=str,
)
def test_an_uploaded_file_without_a_name_of_googles_is_none(facts: dict[str, Any]) -> None:
    named = {"name": "files/a", "uri": "https://x/files/a", "mime_type": None, "state": None}

    with pytest.raises(Garbled):
        uploads._uploaded(SimpleNamespace(**{**named, **facts}))

    assert uploads._uploaded(SimpleNamespace(**named)).state == "ACTIVE"
