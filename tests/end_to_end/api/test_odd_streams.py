"""Streams that are odd and valid: steps in any order, ends that do not come, answers that are not
over yet. They are told by a bare server that says what a test gives it, byte for byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.app_harness import AppHarness, McpClient
from tests.support.raw_http_server import RawHttpServer

Json = dict[str, Any]

ID = "v1_odd"
USAGE = {"total_input_tokens": 7, "total_output_tokens": 19, "total_tokens": 26}
CREATED = {
    "interaction": {"id": ID, "status": "in_progress", "model": "gemini-3.8-flash"},
    "event_type": "interaction.created",
}


def completed(status: str = "completed", **more: Any) -> Json:
    interaction = {"id": ID, "status": status, "usage": USAGE, **more}
    return {"interaction": interaction, "event_type": "interaction.completed"}


def start(index: object, kind: str = "model_output", **more: Any) -> Json:
    return {"index": index, "step": {"type": kind, **more}, "event_type": "step.start"}


def text(index: object, text: str) -> Json:
    return {"index": index, "delta": {"type": "text", "text": text}, "event_type": "step.delta"}


def output(text: str) -> Json:
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


SEARCH = [
    start(7, "google_search_call", id="abc12345", arguments=None),
    start(8, "google_search_result", call_id="abc12345"),
]

STREAMS: dict[str, tuple[list[Json], str]] = {
    "steps begin in another order than they count": (
        [CREATED, start(5), start(2), text(5, "and then."), text(2, "First "), completed()],
        "First and then.",
    ),
    "several texts with thoughts between": (
        [
            CREATED,
            *(start(0), text(0, "One."), start(1, "thought"), start(2), text(2, "Two.")),
            completed(),
        ],
        "One.\n\nTwo.",
    ),
    "a search after the text it served": (
        [CREATED, start(0), text(0, "It rains."), *SEARCH, completed()],
        "It rains.",
    ),
    "no start of a step": ([CREATED, text(3, "Begun."), completed()], "Begun."),
    "numbers of steps that are texts": (
        [CREATED, start("0", "thought"), start("1"), text("1", "Numbered."), completed()],
        "Numbered.",
    ),
    "nothing but the end names it": (
        [start(0), text(0, "Named late."), completed()],
        "Named late.",
    ),
    "a beginning without an id": (
        [
            {"interaction": {"status": "in_progress"}, "event_type": "interaction.created"},
            *(start(0), text(0, "Named late."), completed()),
        ],
        "Named late.",
    ),
    "said twice": (
        [CREATED, start(0), text(0, "Once."), CREATED, start(0), text(0, "Once."), completed()],
        "Once.",
    ),
    "an end that repeats all steps": (
        [CREATED, start(0), text(0, "Str"), completed(steps=[output("The whole.")])],
        "The whole.",
    ),
    "an end whose steps are empty": (
        [CREATED, start(0), text(0, "Streamed."), completed(steps=[])],
        "Streamed.",
    ),
    "events, deltas and fields nobody knows": (
        [
            CREATED,
            {"event_type": "interaction.pulse", "index": {}},
            start(0),
            {"index": 0, "delta": {"type": "spark"}, "event_type": "step.delta"},
            text(0, "Known."),
            {"event_type": "step.pause", "index": "x"},
            completed(new=[{}]),
        ],
        "Known.",
    ),
}


@pytest.fixture
async def upstream(harness: AppHarness) -> AsyncIterator[RawHttpServer]:
    async with RawHttpServer() as server:
        harness.set(GOOGLE_GEMINI_BASE_URL=server.url)
        yield server


@pytest.fixture
async def client(harness: AppHarness, upstream: RawHttpServer) -> McpClient:
    return await harness.connect(max_wait_seconds=20, research_poll_seconds=0.05)


@pytest.mark.parametrize("what", STREAMS)
async def test_an_odd_stream_is_read_and_can_be_continued(
    client: McpClient, upstream: RawHttpServer, what: str
) -> None:
    events, answer = STREAMS[what]
    upstream.respond_with_stream(*events)
    upstream.respond_with_stream(CREATED, start(0), text(0, "And on."), completed())

    said = await client.ask("Tell me.")
    then = await client.follow("Go on.", conversation_id=said.conversation)

    assert (said.status, said.piece.partition("\n\n[step of a kind")[0]) == ("completed", answer)
    assert said.facts["usage"]["total_tokens"] == 26
    assert then.piece == "And on."
    assert upstream.requests[-1].body["previous_interaction_id"] == ID
    assert len(upstream.requests) == 2


async def test_a_step_nobody_knows_is_named_beside_the_answer(
    client: McpClient, upstream: RawHttpServer
) -> None:
    upstream.respond_with_stream(
        CREATED, start(0, "hologram"), start(1), text(1, "Known."), completed()
    )

    said = await client.ask("Tell me.")

    assert said.status == "completed"
    assert said.piece == "Known.\n\n[step of a kind this version does not know: hologram]"


@pytest.mark.parametrize("end", [[], [completed("pondering")], [completed("idle")]])
async def test_a_stream_that_does_not_say_how_it_ended_is_asked_about(
    client: McpClient, upstream: RawHttpServer, end: list[Json]
) -> None:
    upstream.respond_with_stream(CREATED, start(0), text(0, "Beg"), *end)
    for status in ("in_progress", "queued"):
        upstream.respond_with(json.dumps({"id": ID, "status": status, "steps": None}).encode())
    whole = {"id": ID, "status": "completed", "steps": [output("Begun and ended.")], "usage": USAGE}
    upstream.respond_with(json.dumps(whole).encode())

    said = await client.ask("Tell me.")

    assert (said.status, said.piece) == ("completed", "Begun and ended.")
    assert [asked.line.split()[0] for asked in upstream.requests] == ["POST", "GET", "GET", "GET"]


async def test_usage_that_never_comes_is_booked_as_estimated(
    client: McpClient, upstream: RawHttpServer
) -> None:
    upstream.respond_with_stream(CREATED, start(0), text(0, "Free?"), completed(usage=None))

    said = await client.ask("Tell me.")
    usage = (await client.sdk_client.read_resource("gemini://usage")).contents[0]

    assert (said.status, said.piece) == ("completed", "Free?")
    assert "(1 estimated)" in usage.text  # type: ignore[union-attr]  # it is Markdown


async def test_an_answer_of_thoughts_alone_says_what_to_change(
    client: McpClient, upstream: RawHttpServer
) -> None:
    upstream.respond_with_stream(CREATED, start(0, "thought"), completed("incomplete"))

    said = await client.ask("Tell me.")

    assert said.status == "incomplete"
    assert "lower `thinking`" in said.text


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "it did not say from where"),
        ({"continuation_token": ["t"]}, "it did not say from where"),
    ],
)
async def test_an_answer_that_wants_to_go_on_without_saying_how_is_incomplete(
    client: McpClient, upstream: RawHttpServer, more: Json, why: str
) -> None:
    upstream.respond_with_stream(
        CREATED, start(0), text(0, "Begun, "), completed("requires_continuation", **more)
    )

    said = await client.ask("Tell me.")

    assert (said.status, said.piece) == ("incomplete", "Begun, ")
    assert f"The answer stops early: Gemini wanted to go on; {why}." in said.text
    assert "MAX_CONTINUATIONS" not in said.text
    assert len(upstream.requests) == 1


async def test_parts_that_are_only_thought_are_followed(
    client: McpClient, upstream: RawHttpServer
) -> None:
    for number in range(3):
        upstream.respond_with_stream(
            {"interaction": {"id": f"{ID}{number}"}, "event_type": "interaction.created"},
            start(0, "thought"),
            completed("requires_continuation", id=f"{ID}{number}", continuation_token=f"t{number}"),
        )
    upstream.respond_with_stream(CREATED, start(0), text(0, "At last."), completed())

    said = await client.ask("Tell me.")

    assert (said.status, said.piece) == ("completed", "At last.")
    tokens = [asked.body.get("continuation_token") for asked in upstream.requests]
    assert tokens == [None, "t0", "t1", "t2"]
    assert said.facts["usage"]["total_tokens"] == 4 * 26


@pytest.mark.parametrize("id", ["../files/x?y", 12, "", ["v1_a"], "v1_ä"], ids=str)
async def test_an_id_that_cannot_be_asked_for_is_none(
    client: McpClient, upstream: RawHttpServer, id: Any
) -> None:
    created = {"interaction": {"id": id}, "event_type": "interaction.created"}
    upstream.respond_with_stream(created, start(0), text(0, "Who am I?"), completed(id=id))
    upstream.respond_with_stream(CREATED, start(0), text(0, "And on."), completed())

    said = await client.ask("Tell me.")
    then = await client.follow("Go on.", conversation_id=said.conversation)

    assert (said.status, said.piece) == ("completed", "Who am I?")
    assert "interaction_id" not in said.facts
    assert then.piece == "And on."
    assert "this starts afresh" in then.text


# -- pictures and researches -----------------------------------------------------------------


def picture() -> Json:
    from gemini_emulator.responders.image import JPEG

    content = {"type": "image", "mime_type": "image/jpeg", "data": JPEG}
    return {"type": "model_output", "content": [content]}


@pytest.mark.parametrize("steps", [None, []], ids=["no steps", "empty steps"])
async def test_a_picture_that_is_not_ready_yet_is_waited_for(
    client: McpClient, upstream: RawHttpServer, steps: list[Json] | None
) -> None:
    running = {"id": ID, "status": "in_progress", "steps": steps}
    upstream.respond_with(json.dumps(running).encode())
    upstream.respond_with(json.dumps(running).encode())
    done = {"id": ID, "status": "completed", "steps": [picture()], "usage": USAGE}
    upstream.respond_with(json.dumps(done).encode())

    said = await client.call("gemini_generate_image", prompt="A cat.")

    assert said.status == "completed"
    assert said.facts["image_id"].startswith("i_")
    assert [asked.line.split()[0] for asked in upstream.requests] == ["POST", "GET", "GET"]


async def test_a_picture_that_was_thought_of_and_never_made_is_said_so(
    client: McpClient, upstream: RawHttpServer
) -> None:
    thought = {"type": "thought", "summary": picture()["content"]}
    answer = {"id": ID, "status": "incomplete", "steps": [thought], "usage": USAGE}
    upstream.respond_with(json.dumps(answer).encode())

    said = await client.call("gemini_generate_image", prompt="A cat.")

    assert said.status == "failed"
    assert "reached its limit before it had made the image" in said.text
    assert "thinking`" not in said.text
    assert said.facts["usage"]["total_tokens"] == 26


async def test_a_research_that_ends_in_thought_names_what_to_do(
    client: McpClient, upstream: RawHttpServer
) -> None:
    upstream.respond_with(json.dumps({"id": ID, "status": "queued"}).encode())
    thought = {"type": "thought", "summary": [{"text": "Searching"}]}
    answer = {"id": ID, "status": "incomplete", "steps": [thought], "usage": USAGE}
    for _ in range(8):
        upstream.respond_with(json.dumps(answer).encode())
    quick = await client.call("start_deep_research", question="Why?")

    said = await client.call("check_research", research_id=quick.id, wait_seconds=20)
    while said.status == "running":
        said = await client.call("check_research", research_id=quick.id, wait_seconds=20)

    assert said.status == "incomplete"
    assert "before it had written anything" in said.text
    assert "thinking`" not in said.text
    assert "Ask about it" not in said.text
