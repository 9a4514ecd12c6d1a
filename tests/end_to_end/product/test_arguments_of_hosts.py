"""Arguments as hosts really send them: lists as text, words for nothing, keys of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gemini_interactions.tools.arguments import HOST_KEYS
from tests.support.app_harness import AppHarness, McpClient

SEARCH = {"type": "google_search"}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, from which files may be read."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def attached_text(harness: AppHarness) -> str:
    """What was sent beside the prompt, as one text."""
    return json.dumps(harness.last["input"], ensure_ascii=False)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('["google_search"]', [SEARCH]),
        ('[{"type": "google_search"}]', [SEARCH]),
        ('{"type": "google_search"}', [SEARCH]),
        (['{"type": "google_search"}'], [SEARCH]),
        (["google_search", '{"type": "url_context"}'], [SEARCH, {"type": "url_context"}]),
        ([json.dumps(WEATHER)], [WEATHER]),
        (json.dumps([json.dumps(WEATHER)]), [WEATHER]),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_tools_are_read_from_json_in_text(
    harness: AppHarness, client: McpClient, given: Any, sent: Any
) -> None:
    said = await client.ask("Hello.", tools=given)

    assert said.status == "completed"
    assert harness.last["tools"] == sent


@pytest.mark.parametrize(
    "given", ['["a.txt", "b.txt"]', ' ["a.txt","b.txt"]\n', ["a.txt", "b.txt"]]
)
async def test_files_are_read_from_json_in_text(
    harness: AppHarness, client: McpClient, work: Path, given: Any
) -> None:
    (work / "a.txt").write_text("first file")
    (work / "b.txt").write_text("second file")

    said = await client.ask("Compare.", files=given)

    assert said.status == "completed"
    assert "first file" in attached_text(harness)
    assert "second file" in attached_text(harness)


@pytest.mark.parametrize("name", ["[draft].txt", '["a.txt"]', "null", "undefined"])
async def test_a_file_that_really_has_the_literal_name_wins(
    harness: AppHarness, client: McpClient, work: Path, name: str
) -> None:
    (work / name).write_text("the words of that very file")
    (work / "a.txt").write_text("another file")

    said = await client.ask("Read it.", files=name)

    assert said.status == "completed"
    assert "the words of that very file" in attached_text(harness)
    assert "another file" not in attached_text(harness)


async def test_no_file_stands_in_for_a_change_of_a_repository(
    client: McpClient, work: Path
) -> None:
    (work / '["git:diff"]').write_text("not a change")

    said = await client.ask("Review.", files='["git:diff"]')

    assert said.is_error
    assert "repository" in said.text


async def test_function_results_are_read_from_json_in_text(
    harness: AppHarness, client: McpClient
) -> None:
    call = {"type": "function_call", "id": "w", "name": "weather", "arguments": {}}
    harness.control.answer_next({"steps": [call], "status": "requires_action"})
    await client.ask("Well?", tools=[WEATHER])

    said = await client.follow("", function_results='[{"call_id": "w", "result": "Rain"}]')

    assert said.status == "completed"
    assert harness.last["input"][0]["result"] == "Rain"


async def test_a_schema_is_read_from_json_in_text(harness: AppHarness, client: McpClient) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}

    said = await client.ask("Hello.", response_schema=json.dumps(schema))

    assert said.status == "completed"
    assert "response_format" in harness.last


@pytest.mark.parametrize("word", ["null", "undefined", "NULL", " null ", ["null"], ["undefined"]])
@pytest.mark.parametrize("name", ["files", "tools", "model", "thinking", "system_instruction"])
async def test_a_word_for_nothing_means_omitted(
    harness: AppHarness, client: McpClient, name: str, word: Any
) -> None:
    said = await client.ask("Hello.", **{name: word})

    assert said.status == "completed"
    assert harness.last["input"] == "Hello."
    assert "tools" not in harness.last
    assert "system_instruction" not in harness.last


@pytest.mark.parametrize("word", ["null", "undefined"])
async def test_in_free_text_a_word_for_nothing_is_a_word(
    harness: AppHarness, client: McpClient, word: str
) -> None:
    said = await client.ask(word)
    found = await client.history(query=word)

    assert said.status == "completed"
    assert harness.last["input"] == word
    assert said.conversation in found.text


@pytest.mark.parametrize("key", HOST_KEYS)
async def test_a_key_that_a_host_adds_is_dropped(
    harness: AppHarness, client: McpClient, key: str
) -> None:
    said = await client.ask("Hello.", **{key: {"id": 1}})

    assert said.status == "completed"
    assert harness.last["input"] == "Hello."


async def test_the_name_of_the_tool_as_a_key_is_dropped_and_any_other_refused(
    client: McpClient,
) -> None:
    own = await client.ask("Hello.", tool="gemini_ask")
    other = await client.ask("Hello.", tool="google_search")

    assert own.status == "completed"
    assert other.is_error
    assert other.text.startswith("`tool` is not a parameter of gemini_ask.")
