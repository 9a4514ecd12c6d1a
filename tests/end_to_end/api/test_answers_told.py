"""Answers as they are told: cited where Google cites, with their pictures and their faults."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app_harness import AppHarness, McpClient
from tests.support.file_samples import PIXEL


def cite(text: str, *words: str) -> dict[str, Any]:
    """A text in which each of these words is cited from a page of its own."""
    data = text.encode()
    ends = [data.index(word.encode()) + len(word.encode()) for word in words]
    return {
        "type": "text",
        "text": text,
        "annotations": [
            {"type": "url_citation", "url": f"https://e.com/{word}", "start_index": 0}
            | {"title": word, "end_index": end}
            for word, end in zip(words, ends, strict=True)
        ],
    }


def output(*contents: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "model_output", "content": list(contents), **more}


async def test_texts_that_follow_each_other_in_one_step_are_cited_each_in_its_own_bytes(
    harness: AppHarness, client: McpClient
) -> None:
    texts = [cite("Zürich wächst. ", "wächst"), cite("Genf schrumpft.", "Genf", "schrumpft")]
    harness.control.answer_next({"steps": [output(*texts), output(cite("Bern ruht.", "ruht"))]})

    said = await client.ask("Und die Städte?")

    assert said.piece.startswith("Zürich wächst[1]. Genf[2] schrumpft[3].")
    assert "Bern ruht[4]." in said.piece


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("safety", "it was blocked (safety)"),
        ("malformed_tool_call", 'Gemini reports malformed_tool_call: "Bad call"'),
    ],
)
async def test_what_went_wrong_with_an_answer_that_is_there_is_told(
    harness: AppHarness, client: McpClient, code: str, why: str
) -> None:
    error = {"code": code, "message": "Bad call."}
    harness.control.answer_next({"steps": [output({"type": "text", "text": "Half"}, error=error)]})

    said = await client.ask("Well?")

    assert (said.status, said.piece) == ("completed", "Half")
    assert f"The answer may not be whole: {why}.\n" in said.tail


async def test_a_search_that_nothing_was_said_after_is_no_answer(
    harness: AppHarness, client: McpClient
) -> None:
    search = {"type": "google_search_call", "id": "s", "arguments": {"queries": ["argon"]}}
    harness.control.answer_next({"steps": [search], "errors": [{"code": "recitation"}]})

    said = await client.ask("Well?", tools=["google_search"])

    assert said.is_error
    assert "finished without an answer: it was blocked (recitation)" in said.tail


async def test_a_picture_in_an_answer_has_its_id_size_and_file_in_the_text(
    harness: AppHarness, client: McpClient
) -> None:
    picture = {"type": "image", "mime_type": "image/png", "data": PIXEL}
    harness.control.answer_next({"steps": [output({"type": "text", "text": "Here:"}, picture)]})

    said = await client.ask("Plot it.", tools=["code_execution"])
    again = await client.result(said.id)

    assert said.piece == "Here:\n\n[image 1]"
    assert f"{said.facts['image_id']}: 2×2 PNG, 1 KB, {said.facts['path']}\n" in said.tail
    assert [block.type for block in said.raw.content] == ["text", "image"]
    assert again.text == said.text
    assert "gemini_generate_image" not in said.text
