"""History: what was talked about, for a model whose context was lost."""

from __future__ import annotations

import re

import pytest

from gemini_interactions.bridge import history
from tests.support.app_harness import AppHarness, McpClient, ToolResult, mask_ids


def conversation_ids(said: ToolResult) -> list[str]:
    """The conversations of a list, in its order."""
    return re.findall(r"^(c_[0-9a-z]{10}) · ", said.text, re.MULTILINE)


async def ask_many(harness: AppHarness, client: McpClient, count: int) -> list[str]:
    """So many conversations, a minute apart; the newest first."""
    made: list[str] = []
    for number in range(count):
        harness.clock.advance(60)
        made.insert(0, (await client.ask(f"Question {number}.")).conversation)
    return made


# ------------------------------------------------------------------------------------- lists


async def test_a_conversation_is_listed_with_its_size_age_and_first_words(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Hello   there,\n\nGemini.")
    harness.clock.advance(600)
    await client.follow("More.")

    said = await client.history()

    assert mask_ids(said.text) == (
        'c_… · 2 turns · 2026-11-22 12:10 UTC · "Hello there, Gemini."\n'
        "---\n"
        "1 to 1 of 1 conversations. Continue one with gemini_continue, "
        "read one with gemini_history and its id."
    )
    assert said.facts == {}
    assert not said.is_error


async def test_the_newest_activity_comes_first(harness: AppHarness, client: McpClient) -> None:
    third, second, first = await ask_many(harness, client, 3)
    harness.clock.advance(60)
    await client.follow("More.", conversation_id=second)

    assert conversation_ids(await client.history()) == [second, third, first]


async def test_a_conversation_whose_last_turn_failed_says_so(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Hello.")
    harness.control.fail_next(500)
    await client.follow("More.")

    said = await client.history()

    assert ' · last turn failed · "Hello."\n' in said.text


async def test_an_empty_history_says_how_to_begin(client: McpClient) -> None:
    said = await client.history()

    assert said.text == "There is no conversation here. Start one with gemini_ask."
    assert not said.is_error


async def test_history_outlives_the_process(harness: AppHarness, client: McpClient) -> None:
    made = await ask_many(harness, client, 2)
    await client.disconnect()
    again = await harness.connect(legacy=True)

    assert conversation_ids(await again.history()) == made


async def test_limit_and_offset_count_entries(harness: AppHarness, client: McpClient) -> None:
    made = await ask_many(harness, client, 5)

    first = await client.history(limit=2)
    second = await client.history(limit=2, offset=2)
    last = await client.history(limit=2, offset=4)

    assert [conversation_ids(each) for each in (first, second, last)] == [
        made[:2],
        made[2:4],
        made[4:],
    ]
    assert [each.facts.get("next_offset") for each in (first, second, last)] == [2, 4, None]
    assert first.tail.startswith(
        "1 to 2 of 5 conversations. Call gemini_history with offset 2 for more. "
    )
    assert last.tail.startswith("5 to 5 of 5 conversations. Continue one")


async def test_a_list_is_counted_only_so_far(
    harness: AppHarness, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_COUNTED", 3)
    await ask_many(harness, client, 5)

    first = await client.history(limit=2)
    further = await client.history(limit=2, offset=2)
    last = await client.history(limit=2, offset=4)

    told = "of more than {} conversations. Call gemini_history with offset {} for more. "
    assert first.tail.startswith("1 to 2 " + told.format(3, 2))
    assert further.tail.startswith("3 to 4 " + told.format(4, 4))
    assert last.tail.startswith("5 to 5 of 5 conversations. Continue one")


async def test_twenty_are_listed_unless_told_otherwise(
    harness: AppHarness, client: McpClient
) -> None:
    made = await ask_many(harness, client, 22)

    assert conversation_ids(await client.history()) == made[:20]
    assert conversation_ids(await client.history(limit=100)) == made


async def test_an_offset_past_the_last_says_how_many_there_are(
    harness: AppHarness, client: McpClient
) -> None:
    await ask_many(harness, client, 3)

    said = await client.history(offset=3)

    assert said.text == "There are 3 conversations; offset 3 is past the last."
    assert not said.is_error


@pytest.mark.parametrize("chars", [500, 1000, 11_000])
async def test_a_list_fits_what_its_client_takes_and_leaves_nobody_out(
    harness: AppHarness, chars: int
) -> None:
    client = await harness.connect(max_output_chars=chars)
    made: list[str] = []
    for _ in range(50):
        harness.clock.advance(60)
        made.insert(0, (await client.ask("敏捷的棕色狐狸" * 100)).conversation)

    pages = [await client.history(limit=100)]
    while (offset := pages[-1].facts.get("next_offset")) is not None:
        pages.append(await client.history(limit=100, offset=offset))

    assert [id for page in pages for id in conversation_ids(page)] == made
    assert all(len(page.text.encode()) <= chars for page in pages)


# ------------------------------------------------------------------------------------ search


@pytest.mark.parametrize(
    "query",
    [
        "pineapple",
        "PINEAPPLE",
        "Pineapple on p",
        "nice to meet you",  # in the answer
        "ÄPFEL",
        "straße",
        "100%",
        "under_score",
        "it's",
        '"quoted"',
        "\\",
        "果物",
    ],
)
async def test_a_query_is_found_literally_in_prompts_and_answers(
    client: McpClient, query: str
) -> None:
    wanted = await client.ask(
        "My name is Ada. Pineapple on pizza, äpfel, STRASSE, 100% under_score it's "
        '"quoted" \\ 果物'
    )
    await client.ask("Something about 100 percent, underscores and its quotes / fruit.")

    said = await client.history(query=query)

    assert conversation_ids(said) == [wanted.conversation]


async def test_a_query_finds_what_was_said_in_any_turn(client: McpClient) -> None:
    wanted = await client.ask("one")
    await client.follow("two")
    await client.follow("A word about pineapples.")
    await client.ask("other")

    assert conversation_ids(await client.history(query="pineapple")) == [wanted.conversation]


async def test_a_query_that_finds_nothing_says_so(client: McpClient) -> None:
    await client.ask("one")

    said = await client.history(query="pineapple")

    assert said.text == (
        'There is no conversation with "pineapple" in it here. Start one with gemini_ask.'
    )


async def test_a_long_query_is_not_repeated_in_full(client: McpClient) -> None:
    said = await client.history(query="pineapple " * 100_000)

    assert len(said.text) < 200


async def test_pages_of_a_query_count_only_what_it_finds(
    harness: AppHarness, client: McpClient
) -> None:
    made = await ask_many(harness, client, 4)
    await client.ask("Something else.")

    first = await client.history(query="question", limit=3)
    last = await client.history(query="question", limit=3, offset=3)

    assert conversation_ids(first) == made[:3]
    assert conversation_ids(last) == made[3:]
    assert last.tail.startswith("4 to 4 of 4 conversations.")


# -------------------------------------------------------------------------------- transcripts


async def test_a_transcript_has_every_turn_with_its_prompt_answer_and_state(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("My name is Ada.")
    harness.control.fail_next(400, message="No.")
    harness.clock.advance(60)
    await client.follow("two")
    await client.follow("What is my name?", turn=1)

    said = await client.history(id=first.conversation)

    assert said.piece == (
        "## Turn 1 (completed, 2026-11-22 12:00 UTC, gemini-3.8-flash)\n\n"
        "**Prompt:** My name is Ada.\n\n"
        "**Gemini:** Nice to meet you, Ada. I will remember your name.\n\n"
        "## Turn 2 (failed, 2026-11-22 12:01 UTC, gemini-3.8-flash)\n\n"
        "**Prompt:** two\n\n"
        '**Error:** Gemini rejected the request: "No." Change it and try again.\n\n'
        "## Turn 3 (completed, 2026-11-22 12:01 UTC, gemini-3.8-flash, continues turn 1)\n\n"
        "**Prompt:** What is my name?\n\n"
        "**Gemini:** Your name is Ada."
    )
    assert said.footer == f"conversation {first.conversation}"
    assert said.facts == {"conversation_id": first.conversation}


async def test_the_id_of_a_turn_shows_its_whole_conversation(client: McpClient) -> None:
    first = await client.ask("one")
    await client.follow("two")

    by_turn = await client.history(id=first.id)

    assert by_turn.text == (await client.history(id=first.conversation)).text


async def test_the_offset_of_a_transcript_counts_characters(harness: AppHarness) -> None:
    client = await harness.connect(max_output_chars=2000)
    harness.control.answer_next("敏捷的棕色狐狸跳过了那只懒狗。\n\n" * 100)
    first = await client.ask("Tell me everything.")
    await client.follow("More " * 300)

    pieces = [await client.history(id=first.conversation)]
    while (offset := pieces[-1].facts.get("next_offset")) is not None:
        assert offset == sum(len(each.piece) for each in pieces)
        pieces.append(await client.history(id=first.conversation, offset=offset))

    whole = "".join(each.piece for each in pieces)
    assert len(pieces) > 3
    assert all(len(each.text.encode()) <= 2000 for each in pieces)
    assert whole.count("敏捷的棕色狐狸跳过了那只懒狗。") == 100
    assert whole.endswith("This is turn 2 of our conversation.")


async def test_a_long_transcript_says_how_to_read_on(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next("word " * 20_000)
    first = await client.ask("Tell me everything.")

    said = await client.history(id=first.conversation)

    offset = said.facts["next_offset"]
    assert (
        f'More follows: call gemini_history with id "{first.conversation}" and offset {offset}.'
        in said.tail
    )


async def test_the_text_files_of_a_transcript_and_of_a_turn_are_two(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next("word " * 20_000)
    first = await client.ask("Tell me everything.")

    said = await client.history(id=first.conversation)

    assert said.facts.get("path", said.tail) != first.facts["path"]
    assert first.facts["path"] not in said.tail
