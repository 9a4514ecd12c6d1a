"""`--structured`: the same results once more as data, for programs, and only when asked for."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gemini_interactions.tools.rendering.output_schema import schema
from tests.support.app_harness import META, AppHarness, McpClient, ToolResult

FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
CALLS = {
    "status": "requires_action",
    "steps": [
        {"type": "function_call", "id": "a", "name": "weather", "arguments": {"city": "Oslo"}},
        {"type": "function_call", "id": "b", "name": "weather", "arguments": {"city": "Rome"}},
    ],
}


def data(said: ToolResult) -> dict[str, Any]:
    """The structured content; the text is there beside it, and the schema fits."""
    content = said.raw.structured_content
    assert isinstance(content, dict)
    jsonschema.validate(content, schema())
    assert said.text
    return content


async def test_nothing_is_structured_unless_somebody_wants_it(
    harness: AppHarness, either_client: McpClient
) -> None:
    harness.control.fail_next(500)
    said = [
        await either_client.ask("This fails."),
        await either_client.ask("Hello."),
        await either_client.history(),
        await either_client.history(nonsense=1),
    ]

    assert [each.raw.structured_content for each in said] == [None] * 4
    tools = (await either_client.sdk_client.list_tools()).tools
    assert [tool.output_schema for tool in tools] == [None] * len(tools)


async def test_the_setting_switches_it_on(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_STRUCTURED="1")
    client = await harness.connect()

    assert data(await client.ask("Hello."))["status"] == "completed"


async def test_all_tools_share_one_schema_without_generated_titles(program: McpClient) -> None:
    tools = (await program.sdk_client.list_tools()).tools

    assert all(tool.output_schema == schema() for tool in tools)
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["required"] == ["text"]
    assert "title" not in {*schema(), *schema()["properties"]["usage"]}
    assert "$ref" not in str(schema())


async def test_an_answer_is_told_whole(harness: AppHarness, program: McpClient) -> None:
    harness.control.answer_next("So it is.")

    said = await program.ask("How is it?")

    told = data(said)
    facts = said.facts
    assert told == {
        "text": "So it is.",
        "status": "completed",
        "id": said.id,
        "conversation_id": said.conversation,
        "turn": 1,
        "interaction_id": said.interaction,
        "model": "gemini-3.8-flash",
        "usage": facts["usage"],
        "cost_usd": pytest.approx(told["cost_usd"]),
    }
    assert 0 < told["cost_usd"] < 0.01
    assert said.piece == "So it is."


async def test_text_and_facts_are_the_same_with_and_without(
    harness: AppHarness, program: McpClient
) -> None:
    plain = await harness.connect()
    harness.control.answer_next("So it is.")
    told = await program.ask("How is it?")
    read = await plain.result(told.id)

    assert told.text == read.text
    assert (told.raw.meta or {})[META] == (read.raw.meta or {})[META]


async def test_sources_come_with_their_numbers_and_targets(
    harness: AppHarness, searching: dict[str, Any]
) -> None:
    async def resolve(urls: Any) -> dict[str, str]:
        return {url: "https://example.org/one" if url.endswith("one") else "" for url in urls}

    harness.resolve = resolve
    program = await harness.connect(structured=True)
    harness.control.answer_next(searching)

    said = await program.ask("Is it so?", tools=["google_search"])

    sources = [
        {"number": 1, "title": "First", "url": "https://example.org/one"},
        {"number": 2, "title": "Second"},
    ]
    assert data(said)["sources"] == sources
    assert data(await program.result(said.id))["sources"] == sources


async def test_pending_calls_are_told_once_and_whole(
    harness: AppHarness, program: McpClient
) -> None:
    harness.control.answer_next(CALLS)

    told = data(await program.ask("Weather?", tools=[FUNCTION]))

    assert told["status"] == "requires_action"
    assert told["text"] == ""
    assert told["function_calls"] == [
        {"call_id": "a", "name": "weather", "arguments": {"city": "Oslo"}},
        {"call_id": "b", "name": "weather", "arguments": {"city": "Rome"}},
    ]
    assert told["next_step"] == "Run these and call gemini_continue with function_results."
    assert "notes" not in told


async def test_calls_too_long_for_facts_and_tail_are_still_whole(
    harness: AppHarness, client: McpClient
) -> None:
    essay = "word " * 20_000
    steps = [{"type": "function_call", "id": "a", "name": "save", "arguments": {"text": essay}}]
    harness.control.answer_next({"status": "requires_action", "steps": steps})
    save = {**FUNCTION, "name": "save"}

    said = await client.ask("Write.", tools=[save])

    assert len(said.text.encode()) <= 40_000
    assert said.footer.startswith("conversation c_")
    pieces, piece = [said.piece], said
    while "next_offset" in piece.facts:
        piece = await client.result(said.id, offset=piece.facts["next_offset"])
        pieces.append(piece.piece)
    assert essay in "".join(pieces)

    program = await harness.connect(structured=True)
    (call,) = data(await program.result(said.id))["function_calls"]
    assert call["arguments"] == {"text": essay}


async def test_a_failed_turn_has_its_error_and_what_had_arrived(
    harness: AppHarness, program: McpClient
) -> None:
    harness.control.fail_next(400, message="No such thing.")

    said = await program.ask("Do it.")

    told = data(said)
    assert said.is_error
    assert told["status"] == "failed"
    assert "No such thing." in told["error"]
    assert "notes" not in told


async def test_a_refusal_is_an_error_without_a_status(program: McpClient) -> None:
    said = await program.call("gemini_result", id="c_0000000000")

    assert said.is_error
    assert data(said) == {"text": "", "error": said.text}


async def test_wrong_arguments_and_a_missing_key_are_refusals_too(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)
    program = await harness.connect(structured=True)

    assert "prompt" in data(await program.call("gemini_ask"))["error"]
    assert "no Gemini API key" in data(await program.ask("Hello."))["error"]


async def test_a_long_text_comes_in_pieces_that_say_where_they_go_on(harness: AppHarness) -> None:
    program = await harness.connect(structured=True, max_output_chars=1000)
    text = "\n\n".join(f"Paragraph {number} says little." for number in range(100))
    harness.control.answer_next(text)
    told = data(await program.ask("Much?"))
    pieces = [told["text"]]
    while "next_offset" in told:
        told = data(await program.result(told["id"], offset=told["next_offset"]))
        pieces.append(told["text"])

    assert len(pieces) > 3
    assert "".join(pieces) == text
    assert told["path"].startswith(str(harness.folder))


async def test_lists_have_an_entry_for_each_line(harness: AppHarness, program: McpClient) -> None:
    await program.ask("One.")
    harness.clock.advance(1)
    last = await program.ask("Two.")

    told = data(await program.history(limit=1))

    assert told["entries"] == [
        {
            "id": last.conversation,
            "status": "completed",
            "turns": 1,
            "updated": "2026-11-22T12:00:01+00:00",
            "prompt": "Two.",
        }
    ]
    assert told["next_offset"] == 1
    assert last.conversation in told["text"]
    assert data(await program.history(id=last.conversation))["text"].startswith("## Turn 1")
    assert data(await program.history(query="nothing has this"))["text"] == ""


async def test_a_research_and_an_image_are_told_like_everything_else(
    harness: AppHarness, program: McpClient
) -> None:
    research = data(await program.call("start_deep_research", question="Why?"))
    image = await program.call("gemini_generate_image", prompt="A fig.")

    assert research["status"] == "running"
    assert research["research_id"].startswith("r_")
    assert research["next_step"]
    assert data(image)["image_id"].startswith("i_")
    assert {block.type for block in image.raw.content} == {"text"}
