"""Where transcripts are off, only ids are kept: no words stay in the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.app_harness import AppHarness

WORD = "zebrafinch"
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


def places_of_words(folder: Path) -> list[str]:
    """The files below `folder` that hold the word, or are named after it."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    return [each.name for each in files if WORD in each.name or WORD.encode() in each.read_bytes()]


async def test_neither_files_nor_what_was_asked_about_them_are_kept(
    harness: AppHarness, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work = tmp_path_factory.mktemp("work")
    (work / "notes.txt").write_text(f"The {WORD} sings.")
    client = await harness.connect(transcripts=False, allowed_dirs=(work,))

    said = await client.ask(f"What does the {WORD} do?", files=str(work / "notes.txt"))

    assert said.status == "completed"
    assert places_of_words(tmp_path) == []


async def test_results_of_functions_reach_gemini_and_are_not_kept(
    harness: AppHarness, tmp_path: Path
) -> None:
    client = await harness.connect(transcripts=False)
    waits = await client.ask("call function look", tools=[LOOK])
    call_id = waits.facts["function_calls"][0]["call_id"]

    said = await client.follow("", function_results=[{"call_id": call_id, "result": WORD}])

    assert WORD in said.text
    assert places_of_words(tmp_path) == []


async def test_a_picture_is_named_by_its_id_alone(harness: AppHarness, tmp_path: Path) -> None:
    client = await harness.connect(transcripts=False)

    said = await client.call("gemini_generate_image", prompt=f"a {WORD}")

    assert Path(said.facts["path"]).name == f"image-{said.facts['image_id']}.jpg"
    # The emulator writes the prompt into its pictures; nothing else has it.
    assert places_of_words(tmp_path) == [Path(said.facts["path"]).name]


async def test_a_long_answer_is_read_in_pieces_and_no_file_is_made(
    harness: AppHarness, tmp_path: Path
) -> None:
    client = await harness.connect(transcripts=False, max_output_chars=2000)
    harness.control.answer_next(f"{WORD} " * 1000)

    said = await client.ask("Tell me everything.")

    assert said.facts["next_offset"]
    assert "path" not in said.facts
    assert places_of_words(tmp_path) == []


async def test_an_interrupted_turn_does_not_say_that_its_prompt_is_kept(
    harness: AppHarness,
) -> None:
    client = await harness.connect(transcripts=False, max_wait_seconds=0.05)
    gate = harness.control.hold_next(point="before_created")
    asked = await client.ask(f"What does the {WORD} do?")
    await client.disconnect()
    gate.release()

    said = await (await harness.connect(transcripts=False)).result(asked.id)

    assert said.status == "interrupted"
    assert "prompt" not in said.text
