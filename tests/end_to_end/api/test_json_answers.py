"""Answers as JSON: they fit the caller's schema, or say where they do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gemini_interactions.bridge.turns import structured_output
from tests.support.app_harness import AppHarness, McpClient

SCHEMA = {
    "type": "object",
    "properties": {"year": {"type": "integer"}, "what": {"type": "string"}},
    "required": ["year"],
}
ANSWER = '{"year": 2026, "what": "Argon"}'
CITED = {
    "type": "text",
    "text": ANSWER,
    "annotations": [
        {
            "type": "url_citation",
            "url": "https://blog.example/argon",
            "title": "blog.example",
            "start_index": 9,
            "end_index": 13,
        }
    ],
}
SEARCHED = [
    {"type": "google_search_call", "id": "s", "arguments": {"queries": ["argon"]}},
    {"type": "google_search_result", "call_id": "s", "result": [{"search_suggestions": "<p>"}]},
    {"type": "model_output", "content": [CITED]},
]
RAN = [
    {"type": "code_execution_call", "id": "c", "arguments": {"code": "1", "language": "python"}},
    {"type": "code_execution_result", "call_id": "c", "result": "1\n"},
    {"type": "model_output", "content": [{"type": "text", "text": ANSWER}]},
]


@pytest.mark.parametrize("text", [ANSWER, f"```json\n{ANSWER}\n```", f"\n{ANSWER}\n"])
async def test_the_text_is_clean_json(harness: AppHarness, client: McpClient, text: str) -> None:
    harness.control.answer_next(text)

    said = await client.ask("When?", response_schema=SCHEMA)

    assert said.piece == ANSWER
    assert harness.last["response_format"] == {
        "type": "text",
        "mime_type": "application/json",
        "schema": SCHEMA,
    }


@pytest.mark.parametrize("steps", [SEARCHED, RAN])
async def test_what_tools_did_on_the_way_is_no_part_of_the_json(
    harness: AppHarness, client: McpClient, steps: list[dict[str, Any]]
) -> None:
    harness.control.answer_next({"steps": steps})

    said = await client.ask("When?", response_schema=SCHEMA, tools=["google_search"])

    assert said.status == "completed"
    assert said.piece == ANSWER


async def test_the_sources_of_json_stand_behind_it(harness: AppHarness, client: McpClient) -> None:
    harness.control.answer_next({"steps": SEARCHED})

    said = await client.ask("When?", response_schema=SCHEMA, tools=["google_search"])
    again = await client.result(said.id)

    assert said.tail.startswith("Sources: 1. blog.example — https://blog.example/argon\n")
    assert again.text == said.text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"year": "soon"}', "'soon' is not of type 'integer' (at $.year)"),
        ("{}", "'year' is a required property (at $)"),
        ("In 2026.", "it is not JSON (line 1)"),
        ('{"year": NaN}', "it is not JSON (line 1)"),
        ("[" * 5000, "it is not JSON (line 1)"),
    ],
)
async def test_an_answer_that_does_not_fit_is_an_error_with_the_raw_text_and_where(
    harness: AppHarness, client: McpClient, text: str, where: str
) -> None:
    harness.control.answer_next(text)

    said = await client.ask("When?", response_schema=SCHEMA)

    assert said.is_error
    assert said.status == "failed"
    assert said.piece == text
    assert where in said.tail


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"properties": {"year": {"$ref": "#/$defs/year"}}},
        {"properties": {"year": {"$ref": "https://example.com/year.json"}}},
        {"anyOf": [{"type": "object"}], "properties": {"year": {"$ref": "#/anyOf/year"}}},
        {"minimum": 5, "properties": {"year": {"$ref": "#/minimum/year"}}},
        {"properties": {"year": {"type": "string", "pattern": "("}}},
    ],
)
async def test_a_schema_no_answer_could_be_checked_against_costs_nothing(
    harness: AppHarness, client: McpClient, schema: dict[str, Any]
) -> None:
    said = await client.ask("When?", response_schema=schema)

    assert said.text.startswith("`response_schema`")
    assert said.status is None
    assert harness.control.posts == []


async def test_a_schema_is_read_as_the_draft_it_names(
    harness: AppHarness, client: McpClient
) -> None:
    pair = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"year": {"type": "integer"}},
        "type": "array",
        "items": [{"$ref": "#/definitions/year"}, {"type": "string"}],
    }
    harness.control.answer_next('[2026, "Argon"]')
    harness.control.answer_next('["Argon", 2026]')

    fits = await client.ask("When?", response_schema=pair)
    fails = await client.ask("When, then?", response_schema=pair)

    assert json.loads(fits.piece) == [2026, "Argon"]
    assert fails.status == "failed"


PATTERNED = {"type": "object", "properties": {"what": {"type": "string", "pattern": "^(a+)+$"}}}


async def test_patterns_are_checked_too(harness: AppHarness, client: McpClient) -> None:
    harness.control.answer_next('{"what": "aaa"}')
    harness.control.answer_next('{"what": "b"}')

    fits = await client.ask("What?", response_schema=PATTERNED)
    fails = await client.ask("What, then?", response_schema=PATTERNED)

    assert fits.status == "completed"
    assert "'b' does not match '^(a+)+$' (at $.what)" in fails.tail


async def test_a_pattern_that_takes_years_holds_up_nobody(
    harness: AppHarness, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structured_output, "PATIENCE", 1.0)
    harness.control.answer_next(json.dumps({"what": "a" * 60 + "!"}))

    said = await client.ask("What?", response_schema=PATTERNED)

    assert said.status == "failed"
    assert "checking its patterns took too long" in said.tail


async def test_a_schema_holds_for_one_turn(harness: AppHarness, client: McpClient) -> None:
    harness.control.answer_next(ANSWER)
    harness.control.answer_next("In plain words: 2026.")
    await client.ask("When?", response_schema=SCHEMA)

    said = await client.follow("In plain words?")

    assert said.piece == "In plain words: 2026."
    assert "response_format" not in harness.last


async def test_what_does_not_fit_is_not_kept_where_transcripts_are_off(harness: AppHarness) -> None:
    client = await harness.connect(transcripts=False)
    harness.control.answer_next('{"year": "zebrafinch"}')

    said = await client.ask("When?", response_schema=SCHEMA)

    assert "'zebrafinch' is not of type 'integer'" in said.tail
    kept = [file for file in harness.folder.rglob("*") if file.is_file()]
    assert not any(b"zebrafinch" in file.read_bytes() for file in kept)


NULLABLE = {
    "type": "object",
    "properties": {
        "year": {"type": "integer", "nullable": True},
        "size": {"type": "string", "enum": ["s", "m"], "nullable": True},
    },
    "required": ["year", "size"],
}


async def test_a_null_fits_where_the_schema_says_nullable(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next('{"year": null, "size": null}')

    said = await client.ask("When?", response_schema=NULLABLE)

    assert not said.is_error
    assert said.piece == '{"year": null, "size": null}'
    assert harness.last["response_format"]["schema"] == NULLABLE


@pytest.mark.parametrize(
    "wrapped",
    [
        {"name": "answer", "strict": True, "schema": SCHEMA},
        {"type": "json_schema", "name": "answer", "schema": SCHEMA},
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    ],
)
async def test_openais_wrapper_is_taken_off(
    harness: AppHarness, client: McpClient, wrapped: dict[str, Any]
) -> None:
    harness.control.answer_next('{"what": "no year"}')

    said = await client.ask("When?", response_schema=wrapped)

    assert harness.last["response_format"]["schema"] == SCHEMA
    assert "'year' is a required property" in said.text


@pytest.mark.parametrize("schema", [{"name": "string"}, {"year": "number", "what": "string"}])
async def test_what_would_constrain_nothing_is_refused(
    harness: AppHarness, client: McpClient, schema: dict[str, Any]
) -> None:
    said = await client.ask("When?", response_schema=schema)

    assert said.is_error
    assert "no keyword of JSON Schema" in said.text
    assert '"properties"' in said.text
    assert harness.bodies == []


async def test_an_answer_cut_while_thinking_says_what_to_change(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next({"text": "", "steps": [], "status": "incomplete"})

    said = await client.ask("When?")

    assert said.status == "incomplete"
    assert "lower `thinking`" in said.text
