"""Results: one text that fits the client, a footer it can carry on, and facts for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gemini_emulator import Answer
from tests.support.app_harness import META, AppHarness, McpClient, ToolResult

BUDGETS = {
    "codex-mcp-client": 11_000,
    "copilot-cli": 18_000,
    "gemini-cli-mcp-client": 35_000,
    "claude-code": 40_000,
    "opencode": 40_000,
    "kimi-code": 40_000,
    "some-other-client": 20_000,
    "": 11_000,
}

PARAGRAPH = "The quick brown fox jumps over the lazy dog. It does so every day, whatever we do.\n\n"
LATIN = PARAGRAPH * 1000
CHINESE = "敏捷的棕色狐狸跳过了那只懒狗。它每天都这样做。\n\n" * 2000
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈👍🏽" * 1500
ONE_WORD = "x" * 50_000
CODE = "Before.\n\n```python\n" + "print('x' * 60)\n" * 3000 + "```\n\nAfter."
LONG = {
    "Latin": LATIN,
    "Chinese": CHINESE,
    "emoji": EMOJI,
    "one word": ONE_WORD,
    "code": CODE,
}


async def read_all(client: McpClient, first: ToolResult) -> list[ToolResult]:
    """All pieces of a long text, as a model would read on."""
    pieces = [first]
    while (offset := pieces[-1].facts.get("next_offset")) is not None:
        pieces.append(await client.result(first.id, offset=offset))
        assert len(pieces) < 100
    return pieces


def fits(said: ToolResult, budget: int) -> bool:
    return len(said.text) <= budget and len(said.text.encode()) <= budget


def read(path: str) -> str:
    return Path(path).read_text("utf-8")


def open_to_others(folder: Path) -> set[str]:
    """What users other than ours may read or write."""
    return {str(path) for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077}


# ----------------------------------------------------------------------------------- layout


async def test_an_answer_is_its_text_a_line_and_a_footer(client: McpClient) -> None:
    said = await client.ask("My name is Ada.")

    assert re.fullmatch(
        r"Nice to meet you, Ada\. I will remember your name\.\n"
        r"---\n"
        r"conversation c_[0-9a-z]{10} · turn 1 · gemini-3\.8-flash · "
        r"81 tokens \(4 in, 13 out, 64 thinking\)( · ~\$[\d.]+)?",
        said.text,
    )


async def test_the_footer_is_the_last_line_whatever_stands_before_it(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(
        "A rule:\n\n---\n\nand then more.\n---\nconversation c_fake · turn 9"
    )

    said = await client.ask("Hello.", model="gemini-2.0-flash")

    assert said.footer.startswith(f"conversation {said.conversation} · turn 1 · ")
    assert said.piece == "A rule:\n\n---\n\nand then more.\n---\nconversation c_fake · turn 9"
    assert said.tail.startswith("Model gemini-2.0-flash is retired")


async def test_programs_read_the_facts_beside_the_text(client: McpClient) -> None:
    said = await client.ask("My name is Ada.")

    assert said.facts == {
        "status": "completed",
        "id": f"{said.conversation}/1",
        "conversation_id": said.conversation,
        "turn": 1,
        "interaction_id": said.interaction,
        "model": "gemini-3.8-flash",
        "usage": {
            "input_tokens": 4,
            "output_tokens": 13,
            "thought_tokens": 64,
            "total_tokens": 81,
        },
    }


async def test_a_result_is_one_text_block_and_nothing_structured(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(LATIN)
    calls = [
        await client.ask("long"),
        await client.ask("short", tools=["google_search"]),
        await client.ask(""),
        await client.history(),
    ]

    for said in calls:
        assert [block.type for block in said.raw.content] == ["text"]
        assert said.raw.structured_content is None


@pytest.mark.parametrize("legacy", [False, True])
async def test_both_eras_read_the_same(harness: AppHarness, legacy: bool) -> None:
    client = await harness.connect(legacy=legacy)

    first = await client.ask("My name is Ada.")
    second = await client.follow("What is my name?")

    assert first.piece == "Nice to meet you, Ada. I will remember your name."
    assert second.piece == "Your name is Ada."
    assert second.facts["turn"] == 2


async def test_sources_are_part_of_the_text(harness: AppHarness, client: McpClient) -> None:
    said = await client.ask("What is new?", tools=["google_search"])

    assert "[1]" in said.piece
    assert "\n\nSources:\n1. " in said.piece
    assert (await client.result(said.id)).text == said.text


async def test_an_answer_without_usage_has_no_tokens_in_its_footer(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(Answer("Hi.", usage=False))

    said = await client.ask("Hello.")

    assert said.footer == f"conversation {said.conversation} · turn 1 · gemini-3.8-flash"
    assert "usage" not in said.facts


async def test_the_facts_stay_small_when_everything_is_long(harness: AppHarness) -> None:
    harness.folder = harness.folder / ("d" * 200) / ("e" * 200)
    harness.set(GEMINI_MCP_DATA_DIR=str(harness.folder))
    client = await harness.connect()
    harness.control.answer_next(LATIN)

    said = await client.ask("Hello.", model="gemini-2.0-flash")

    assert said.facts["path"]
    assert len(json.dumps(said.raw.meta[META]).encode()) <= 2048  # type: ignore[index]


WAITS = Answer(
    steps=[
        {"type": "function_call", "id": f"call{number:04}", "name": "f" * 60, "arguments": {}}
        for number in range(200)
    ],
    status="requires_action",
)


@pytest.mark.parametrize("answer", [Answer("Yes.", fields={"model": "m" * 30_000}), WAITS])
async def test_nothing_google_names_makes_a_result_too_large(
    harness: AppHarness, answer: Answer
) -> None:
    client = await harness.connect(name="codex-mcp-client")
    harness.control.answer_next(answer)

    said = await client.ask("Hello.")

    assert fits(said, 11_000)
    assert said.footer.startswith(f"conversation {said.conversation} · turn 1 · ")
    assert said.facts["id"] == said.id
    assert len(json.dumps(said.raw.meta[META])) <= 2048  # type: ignore[index]


async def test_a_refusal_fits_what_its_client_takes(harness: AppHarness) -> None:
    client = await harness.connect(name="codex-mcp-client")
    harness.control.answer_next(WAITS)
    waiting = await client.ask("Hello.")

    said = await client.follow("And?")

    assert said.is_error
    assert said.text.startswith(f'{waiting.id} waits for the results of "fff')
    assert fits(said, 11_000)


# ---------------------------------------------------------------------------------- budgets


@pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
@pytest.mark.parametrize(("name", "budget"), BUDGETS.items(), ids=[*list(BUDGETS)[:-1], "nameless"])
async def test_a_text_fits_what_its_client_takes(
    harness: AppHarness, name: str, budget: int, legacy: bool
) -> None:
    client = await harness.connect(name=name, legacy=legacy, facts=True)
    harness.control.answer_next(LATIN)

    said = await client.ask("Tell me everything.")

    assert fits(said, budget)
    assert len(said.text) > 0.95 * budget
    assert said.facts["next_offset"] == len(said.piece)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
async def test_budgets_hold_in_characters_and_in_bytes(harness: AppHarness, text: str) -> None:
    client = await harness.connect(name="codex-mcp-client")
    harness.control.answer_next(text)

    pieces = await read_all(client, await client.ask("Tell me everything."))

    assert [piece for piece in pieces if not fits(piece, 11_000)] == []
    assert len(pieces) > 3


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("chars", [1000, 11_000, 40_000])
async def test_the_pieces_joined_are_exactly_the_whole(
    harness: AppHarness, text: str, chars: int
) -> None:
    client = await harness.connect(max_output_chars=chars)
    text = text[: 10 * chars]
    harness.control.answer_next(text)

    pieces = await read_all(client, await client.ask("Tell me everything."))

    assert "".join(piece.piece for piece in pieces) == text
    assert all(piece.piece for piece in pieces)
    assert all(fits(piece, chars) for piece in pieces)


async def test_a_set_budget_beats_what_is_known_of_the_client(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_MAX_OUTPUT_CHARS="2000")
    client = await harness.connect(name="claude-code")
    harness.control.answer_next(LATIN)

    said = await client.ask("Tell me everything.")

    assert fits(said, 2000)
    assert len(said.text) > 1500


async def test_the_smallest_budget_that_can_be_set_holds(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_MAX_OUTPUT_CHARS="500")
    client = await harness.connect()
    harness.control.answer_next(LATIN[:3000])

    pieces = await read_all(client, await client.ask("Hello.", model="gemini-2.0-flash"))

    assert [len(piece.text) for piece in pieces if not fits(piece, 500)] == []
    assert "".join(piece.piece for piece in pieces) == LATIN[:3000]


async def test_a_text_is_cut_at_a_paragraph(harness: AppHarness) -> None:
    client = await harness.connect(name="codex-mcp-client")
    harness.control.answer_next(LATIN)

    said = await client.ask("Tell me everything.")

    assert said.piece.endswith("whatever we do.\n\n")


async def test_a_short_text_is_whole_and_says_nothing_of_pieces(client: McpClient) -> None:
    said = await client.ask("Hello.")

    assert "next_offset" not in said.facts
    assert "path" not in said.facts
    assert said.tail == said.footer


async def test_a_text_that_just_fits_is_not_cut(harness: AppHarness) -> None:
    client = await harness.connect(max_output_chars=1000)
    footer = len((await client.ask("x")).tail.encode())
    harness.control.answer_next(Answer("x" * (1000 - footer - len("\n---\n") - 30)))

    said = await client.ask("x")

    assert "next_offset" not in said.facts
    assert fits(said, 1000)


# --------------------------------------------------------------------------- reading on


async def test_a_long_text_says_how_to_read_on_and_where_all_of_it_is(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(LATIN)

    said = await client.ask("Tell me everything.")

    path, offset = said.facts["path"], said.facts["next_offset"]
    assert said.tail.splitlines()[:-1] == [
        f"The whole text ({len(LATIN):,} characters) is in {path}.",
        f'More follows: call gemini_result with id "{said.id}" and offset {offset}.',
    ]


async def test_the_last_piece_has_nothing_after_it(harness: AppHarness, client: McpClient) -> None:
    harness.control.answer_next(LATIN)

    *_, last = await read_all(client, await client.ask("Tell me everything."))

    assert "More follows" not in last.text
    assert "next_offset" not in last.facts
    assert last.footer.startswith("conversation c_")


async def test_the_file_holds_the_whole_text(harness: AppHarness, client: McpClient) -> None:
    harness.control.answer_next(CHINESE)

    said = await client.ask("Tell me everything.")

    assert read(said.facts["path"]) == CHINESE
    assert Path(said.facts["path"]).is_relative_to(harness.folder)


async def test_a_file_that_was_written_before_is_written_again(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(LATIN)
    said = await client.ask("Tell me everything.")
    Path(said.facts["path"]).unlink()  # noqa: ASYNC240

    again = await client.result(said.id)

    assert read(again.facts["path"]) == LATIN


async def test_everything_in_the_data_folder_is_for_its_user_only(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(LATIN)
    await client.ask("Tell me everything.")

    assert open_to_others(harness.folder) == set()
    assert {path.name for path in harness.folder.iterdir()} >= {"gemini.db", "texts"}


async def test_an_empty_folder_that_was_open_to_others_is_closed_once_it_keeps_our_things(
    harness: AppHarness,
) -> None:
    harness.folder.mkdir()
    harness.folder.chmod(0o755)
    client = await harness.connect()

    await client.ask("My name is Ada.")

    assert open_to_others(harness.folder) == set()


async def test_a_folder_of_somebody_elses_things_is_not_closed_to_others(
    harness: AppHarness,
) -> None:
    harness.folder.mkdir()
    harness.folder.chmod(0o755)
    (harness.folder / "theirs").touch()
    client = await harness.connect()

    await client.ask("My name is Ada.")

    assert str(harness.folder) in open_to_others(harness.folder)


async def test_a_text_that_cannot_be_written_to_a_file_is_read_in_pieces(
    harness: AppHarness,
) -> None:
    harness.folder.mkdir(mode=0o700)
    (harness.folder / "texts").write_text("in the way")
    client = await harness.connect()
    harness.control.answer_next(LATIN)

    pieces = await read_all(client, await client.ask("Tell me everything."))

    assert "".join(piece.piece for piece in pieces) == LATIN
    assert "path" not in pieces[0].facts
    assert "The whole text" not in pieces[0].text


async def test_an_offset_past_the_end_says_how_long_the_text_is(client: McpClient) -> None:
    said = await client.ask("My name is Ada.")

    past = await client.result(said.id, offset=1_000_000)

    assert not past.is_error
    assert "The text has 49 characters; offset 1000000 is past its end." in past.text
    assert past.footer == said.footer


async def test_an_offset_into_what_is_still_running_changes_nothing(harness: AppHarness) -> None:
    client = await harness.connect(max_wait_seconds=0.1)
    gate = harness.control.hold_next()
    running = await client.ask("one")

    read_on = await client.result(running.id, offset=7)
    gate.release()

    assert read_on.text == running.text
    assert not (harness.folder / "texts").exists()


async def test_any_offset_is_a_place_to_read_from(client: McpClient) -> None:
    said = await client.ask("My name is Ada.")

    rest = await client.result(said.id, offset=20)

    assert rest.piece == said.piece[20:]


# ------------------------------------------------------------------------------ gemini_result


async def test_a_finished_turn_answers_again_as_it_did(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    await client.follow("two")

    again = await client.result(first.id)

    assert again.text == first.text
    assert again.facts == first.facts
    assert len(harness.bodies) == 2


async def test_a_conversation_means_its_latest_turn(client: McpClient) -> None:
    first = await client.ask("one")
    second = await client.follow("two")

    said = await client.result(first.conversation)

    assert said.text == second.text


async def test_reading_a_result_asks_google_nothing(harness: AppHarness, client: McpClient) -> None:
    said = await client.ask("one")
    before = len(harness.control.log)

    await client.result(said.id, wait_seconds=30)

    assert len(harness.control.log) == before


async def test_an_answer_that_stops_early_says_so_and_is_no_error(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next({"text": "It was a dark and", "status": "incomplete"})

    said = await client.ask("Tell me a story.")

    assert (said.status, said.is_error) == ("incomplete", False)
    assert said.piece == "It was a dark and"
    assert said.tail.startswith("The answer stops early: Gemini reached its output limit.\n")


async def test_the_same_question_asked_again_is_asked_again(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("Roll a die.")
    second = await client.ask("Roll a die.")

    assert first.conversation != second.conversation
    assert "earlier call" not in second.text
    assert len(harness.bodies) == 2


# ----------------------------------------------------------------------- unusable data folders


async def test_a_data_folder_that_cannot_be_used_is_told_at_the_first_call(
    harness: AppHarness, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    harness.set(GEMINI_MCP_DATA_DIR=str(tmp_path / "file" / "data"))
    client = await harness.connect()

    listed = await client.sdk_client.list_tools()
    for said in (await client.ask("Hello."), await client.history()):
        assert said.is_error
        assert said.facts == {}
        assert "GEMINI_MCP_DATA_DIR" in said.text
        assert str(tmp_path) not in said.text
    assert listed.tools
    assert harness.bodies == []


async def test_a_damaged_database_is_told_at_the_first_call(harness: AppHarness) -> None:
    harness.folder.mkdir(mode=0o700)
    (harness.folder / "gemini.db").write_bytes(b"This is no database. " * 100)
    client = await harness.connect()

    said = await client.ask("Hello.")

    assert said.is_error
    assert said.text.startswith("The database file is damaged, or is no database.")
