"""Foreign JSON is never trusted for its shape: an answer that is paid for is read as far as it
can be, whatever stands in its steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from gemini_emulator import Answer
from gemini_interactions.bridge.turns import outcomes
from gemini_interactions.domain.types import Interaction
from gemini_interactions.interactions import answer_text
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.wrong_shapes import KINDS, TEXT, USAGE, complete_steps, delta_steps, steps

PAID = "The answer that was paid for."


def is_read(said: ToolResult, log: pytest.LogCaptureFixture) -> None:
    """The text is there, the tokens are booked, and nothing of ours failed."""
    assert PAID in said.text
    assert said.facts["usage"]["total_tokens"] == 26
    assert said.status in ("completed", "requires_action")
    assert [each for each in log.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("events", [complete_steps, delta_steps], ids=["started", "in deltas"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_streamed_answer_is_read_whatever_its_steps_hold(
    harness: AppHarness,
    client: McpClient,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    events: Callable[[str], list[dict[str, Any]]],
) -> None:
    harness.control.answer_next(Answer(steps=steps(kind), events=events(kind), usage=USAGE))

    said = await client.ask("Hello.")

    is_read(said, caplog)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_in_one_piece_is_read_whatever_its_steps_hold(
    harness: AppHarness, client: McpClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    harness.control.answer_next(Answer(steps=steps(kind), events=[], usage=USAGE))
    harness.control.fault_next("unary_instead_of_stream")

    said = await client.ask("Hello.")

    is_read(said, caplog)


@pytest.mark.parametrize("kind", ["mcp_server_tool_result", "function_result", "model_output"])
async def test_a_conversation_kept_here_goes_on_after_steps_of_any_shape(
    harness: AppHarness, client: McpClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    wrong = [each for each in steps(kind) if isinstance(each.get("type"), str)]
    harness.control.answer_next(Answer(steps=wrong, events=complete_steps(kind), usage=USAGE))
    first = await client.ask("Hello.", store=False)
    harness.control.answer_next(Answer("And on.", usage=USAGE))

    said = await client.follow("Go on.", conversation_id=first.conversation)

    is_read(first, caplog)
    assert "failed inside" not in caplog.text
    assert len(harness.bodies) == 2
    assert said.status in ("completed", "failed")  # the service may refuse them; we do not


ANY_JSON = [
    {"type": ["Article", "NewsArticle"]},
    {"type": ["string", "null"]},
    {"type": {"name": "page"}},
    [{"type": ["Article"]}, {"@type": "Person"}],
    [{"type": "Article"}],
    [{"type": "text", "text": ["a"]}],
    [{"type": "image", "data": [1]}],
    [[1, [2]], None],
    7,
    True,
    None,
    1e30,
]


@pytest.mark.parametrize("result", ANY_JSON, ids=str)
async def test_function_results_of_any_shape_are_sent(
    harness: AppHarness, client: McpClient, caplog: pytest.LogCaptureFixture, result: Any
) -> None:
    call = {"type": "function_call", "id": "a", "name": "read", "arguments": {}}
    tools = [{"type": "function", "name": "read", "parameters": {"type": "object"}}]
    harness.control.answer_next({"steps": [call], "status": "requires_action"})
    first = await client.ask("Read it.", tools=tools)
    harness.control.answer_next(Answer(steps=[TEXT], usage=USAGE))

    said = await client.follow(
        "",
        conversation_id=first.conversation,
        function_results=[{"call_id": "a", "name": "read", "result": result}],
    )

    is_read(said, caplog)
    (sent,) = harness.last["input"]
    assert sent["call_id"] == "a"
    assert sent["result"] in (result, {"result": result}, str(result).lower(), "")


@pytest.mark.parametrize("kind", ["mcp_server_tool_result", "thought", "url_context_result"])
async def test_a_picture_arrives_beside_steps_of_any_shape(
    harness: AppHarness, client: McpClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    from gemini_emulator.responders.image import JPEG

    picture = {
        "type": "model_output",
        "content": [{"type": "image", "mime_type": "image/jpeg", "data": JPEG}],
    }
    wrong = [each for each in steps(kind)[:-1] if each["type"] == kind]
    harness.control.answer_next(Answer(steps=[*wrong, picture], events=[], usage=USAGE))

    said = await client.call("gemini_generate_image", prompt="A cat.")

    assert said.status == "completed"
    assert said.facts["image_id"].startswith("i_")
    assert "failed inside" not in caplog.text


@pytest.mark.parametrize("data", [[1], {"a": 1}, 7, True])
async def test_a_picture_whose_bytes_are_no_text_is_damaged_and_its_tokens_are_booked(
    harness: AppHarness, client: McpClient, data: Any
) -> None:
    picture = {"type": "image", "mime_type": "image/jpeg", "data": data}
    step = {"type": "model_output", "content": [picture]}
    harness.control.answer_next(Answer(steps=[step], events=[], usage=USAGE))

    said = await client.call("gemini_generate_image", prompt="A cat.")

    assert said.status == "failed"
    assert "damaged" in said.text
    assert said.facts["usage"]["total_tokens"] == 26


@pytest.mark.parametrize(
    ("reported", "total"),
    [
        ({"total_input_tokens": -5, "total_output_tokens": 19, "total_tokens": -100}, 19),
        ({"total_input_tokens": 7.2, "total_output_tokens": 1, "total_tokens": 8.5}, 9),
        ({"total_input_tokens": "7", "total_output_tokens": 19, "total_tokens": [26]}, 19),
        ({"total_input_tokens": 7, "total_output_tokens": 1e30, "total_tokens": 10**30}, 7),
        ({"total_tokens": 10**30}, None),
        ({"total_tokens": {"a": 1}}, None),
        ("many", None),
    ],
)
async def test_token_counts_that_cannot_be_are_neither_believed_nor_passed_over(
    harness: AppHarness,
    client: McpClient,
    caplog: pytest.LogCaptureFixture,
    reported: Any,
    total: int | None,
) -> None:
    harness.control.answer_next(Answer(steps=[TEXT], usage=reported))

    said = await client.ask("Hello.")

    booked = said.facts["usage"]["total_tokens"]
    assert 0 < booked < 1000
    assert total is None or booked == total
    assert isinstance(reported, str) or "usage: " in caplog.text


async def test_what_this_version_fails_to_read_is_named_kept_and_read_by_a_later_one(
    harness: AppHarness, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {"type": "mcp_server_tool_call", "id": "a", "name": "look", "arguments": {}}
    harness.control.answer_next(Answer(steps=[call, TEXT], usage=USAGE))

    def stumble(*_: object) -> Any:
        raise RuntimeError("a fault of our own")

    with monkeypatch.context() as faulty:
        faulty.setattr(answer_text, "_called", stumble)
        said = await client.ask("Hello.")
    again = await client.result(said.id)

    assert (said.status, said.facts["usage"]["total_tokens"]) == ("completed", 26)
    assert PAID in said.text
    assert "step 1 (mcp_server_tool_call)" in said.tail
    assert "Called look()" in again.text
    assert "could not read" not in again.text


async def test_a_fault_of_our_own_in_presenting_an_answer_keeps_it(
    harness: AppHarness, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> Any:
        raise RuntimeError("a fault of our own")

    harness.control.answer_next(Answer(steps=[TEXT], usage=USAGE))
    monkeypatch.setattr(outcomes, "_judge", stumble)

    said = await client.ask("Hello.")

    assert PAID in said.text
    assert said.interaction.startswith("v1_")
    assert said.facts["usage"]["total_tokens"] == 26


def test_a_session_that_idles_is_not_over() -> None:
    assert not outcomes.is_over(Interaction("v1_a", "idle"))
