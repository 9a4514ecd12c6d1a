"""Functions: Gemini asks, the caller runs them, and Google's own are nobody's to run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from gemini_emulator import Answer
from gemini_emulator.responders.scripted_answer import text_step
from gemini_interactions.bridge.turns.function_calls import check_shape
from gemini_interactions.domain.errors import BadArgument
from tests.support.app_harness import AppHarness, McpClient
from tests.support.file_samples import PIXEL

WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
PICTURE = {"type": "image", "mime_type": "image/png", "data": PIXEL}


def call(name: str, id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function_call", "id": id, "name": name, "arguments": arguments}


def asks_for(*calls: dict[str, Any], status: str = "requires_action") -> dict[str, Any]:
    return {"steps": list(calls), "status": status}


def results_argument(*results: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"call_id": id, "result": result} for id, result in results]


async def test_results_of_calls_without_ids_go_back_in_the_order_of_the_calls(
    harness: AppHarness, client: McpClient
) -> None:
    calls = [call("weather", "", city=city) for city in ("Oslo", "Rome")]
    harness.control.answer_next(asks_for(*calls))
    waits = await client.ask("Well?", tools=[WEATHER])
    harness.control.answer_next("Fine.")

    ids = [each["call_id"] for each in waits.facts["function_calls"]]
    await client.follow(
        "", function_results=results_argument((ids[1], "Rome: sun"), (ids[0], "Oslo: rain"))
    )

    assert ids == ["call_1", "call_2"]
    assert [(each["call_id"], each["result"]) for each in harness.last["input"]] == [
        ("", "Oslo: rain"),
        ("", "Rome: sun"),
    ]


async def test_two_calls_with_the_same_id_are_shown_and_answered_apart(
    harness: AppHarness, client: McpClient
) -> None:
    calls = [call("weather", "a", city=city) for city in ("Oslo", "Rome")]
    harness.control.answer_next(asks_for(*calls))
    waits = await client.ask("Well?", tools=[WEATHER])
    harness.control.answer_next("Fine.")

    twice = await client.follow("", function_results=results_argument(("a", "sun"), ("a", "rain")))
    one = await client.follow("", function_results=results_argument(("a", "Oslo: rain")))
    said = await client.follow(
        "", function_results=results_argument(("a_2", "Rome: sun"), ("a", "Oslo: rain"))
    )

    assert [(each["call_id"], each["arguments"]) for each in waits.facts["function_calls"]] == [
        ("a", {"city": "Oslo"}),
        ("a_2", {"city": "Rome"}),
    ]
    assert '(call_id "a"): {"city": "Oslo"}' in waits.text
    assert '(call_id "a_2"): {"city": "Rome"}' in waits.text
    assert "call_id 'a' is given twice. Each call has an id of its own" in twice.text
    assert "no result for a_2" in one.text
    assert said.status == "completed"
    assert [(each["call_id"], each["result"]) for each in harness.last["input"]] == [
        ("a", "Oslo: rain"),
        ("a", "Rome: sun"),
    ]


async def test_a_call_in_an_answer_that_says_it_is_completed_waits_all_the_same(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(asks_for(call("weather", "a"), status="completed"))

    waits = await client.ask("Well?", tools=[WEATHER])
    refused = await client.follow("Never mind.")

    assert waits.status == "requires_action"
    assert 'waits for the results of "weather" (call_id "a")' in refused.text


async def test_googles_own_call_beside_the_callers_is_answered_with_theirs(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(asks_for(call("google:search", "g"), call("weather", "w")))
    waits = await client.ask("Well?", tools=[WEATHER])
    harness.control.answer_next("Fine.")

    said = await client.follow("", function_results=results_argument(("w", "Rain")))

    assert [each["name"] for each in waits.facts["function_calls"]] == ["weather"]
    assert "google:" not in waits.text
    assert said.status == "completed"
    assert [(each["call_id"], each["result"]) for each in harness.last["input"]] == [
        ("w", "Rain"),
        ("g", ""),
    ]


async def test_googles_own_call_is_answered_with_the_whole_story_where_google_keeps_nothing(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(asks_for(call("google:search", "g")))
    harness.control.answer_next("Fine.")

    said = await client.ask("Well?", tools=["google_search"], store=False)

    assert said.piece.startswith("Fine.")
    assert [each["type"] for each in harness.last["input"]] == [
        "user_input",
        "function_call",
        "function_result",
    ]
    assert harness.last["store"] is False


@pytest.mark.parametrize("counted", [0, 1])
async def test_tokens_on_the_way_to_an_answer_count_even_where_others_are_not_told(
    harness: AppHarness, client: McpClient, counted: int
) -> None:
    steps = [[call("google:search", "g")], [text_step("Fine.")]]
    for n, status in enumerate(["requires_action", "completed"]):
        told = {"total_input_tokens": 5, "total_tokens": 5}
        answer = Answer(steps=steps[n], status=status, usage=told if n == counted else False)
        harness.control.answer_next(answer)

    said = await client.ask("Well?", tools=["google_search"])

    assert said.facts["usage"]["total_tokens"] == 5


async def test_a_picture_in_a_result_reaches_google_and_its_bytes_are_not_kept(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(asks_for(call("weather", "a")))
    await client.ask("Well?", tools=[WEATHER])
    harness.control.answer_next("Fine.")
    contents = [{"type": "text", "text": "See"}, PICTURE]

    said = await client.follow("", function_results=results_argument(("a", contents)))
    told = await client.history(id=said.conversation)

    assert harness.last["input"][0]["result"] == contents
    assert PIXEL not in told.text
    kept = [file for file in harness.folder.rglob("*") if file.is_file()]
    assert not any(PIXEL.encode() in file.read_bytes() for file in kept)


async def test_an_object_that_came_of_a_function_is_kept_whole(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(asks_for(call("weather", "a")))
    await client.ask("Well?", tools=[WEATHER])
    harness.control.answer_next("Fine.")
    row = {"mime_type": "text/csv", "data": "a,b"}

    said = await client.follow("", function_results=results_argument(("a", row)))

    assert '"data": "a,b"' in (await client.history(id=said.conversation)).text


async def test_a_key_that_results_do_not_have_is_refused_by_its_name(client: McpClient) -> None:
    said = await client.follow("", function_results=[{"call_id": "a", "result": 1, "output": 2}])

    assert said.text == (
        "`function_results`: `output` is not a key of its items. "
        "They take: call_id, result, name, is_error."
    )


async def test_results_that_nothing_waits_for_leave_no_turn(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.fail_next(400)
    failed = await client.ask("This fails.")

    said = await client.follow(
        "", conversation_id=failed.conversation, function_results=results_argument(("a", "Rain"))
    )

    assert (said.status, said.text) == (None, "`function_results`: nothing here waits for any.")


@pytest.mark.parametrize(
    ("result", "is_refused"),
    [
        ("see files/notes.txt", False),
        ({"path": "files/notes.txt"}, False),
        (["files/notes.txt"], False),
        ([{"type": "text", "text": "see files/notes.txt"}], False),
        ([{"type": "image", "uri": "https://google.test/v1/files/abc"}], True),
    ],
)
def test_only_contents_name_files_at_google(result: Any, is_refused: bool) -> None:
    with pytest.raises(BadArgument) if is_refused else nullcontext():
        check_shape(results_argument(("a", result)), may_name_files=False)
