"""What is said again to Google: a chain it has forgotten, or one it never was to keep."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_harness import AppHarness, McpClient
from tests.support.file_samples import PIXEL

PICTURE = {"type": "image", "mime_type": "image/png", "data": PIXEL}
WORDS = {"type": "text", "text": "See"}
STEPS: list[dict[str, Any]] = [
    {"type": "thought", "signature": "sig-1", "summary": [WORDS, PICTURE]},
    {"type": "code_execution_call", "id": "c", "arguments": {"code": "plot()"}, "signature": "s2"},
    {"type": "code_execution_result", "call_id": "c", "result": [WORDS, PICTURE]},
    {"type": "model_output", "content": [WORDS, PICTURE]},
]


@pytest.fixture
async def worker(harness: AppHarness, tmp_path_factory: pytest.TempPathFactory) -> McpClient:
    """A client whose server may read one picture."""
    work: Path = tmp_path_factory.mktemp("work")
    (work / "cat.png").write_bytes(base64.b64decode(PIXEL))
    return await harness.connect(allowed_dirs=(work,), store_lag_seconds=0)


async def test_a_rebuilt_chain_holds_no_stubs_of_media_and_names_what_is_missing(
    harness: AppHarness, worker: McpClient
) -> None:
    harness.control.answer_next({"steps": STEPS})
    await worker.ask("one")
    harness.control.expire_all()

    said = await worker.follow("two")

    assert harness.last["input"] == [
        {"type": "user_input", "content": [{"type": "text", "text": "one"}]},
        {"type": "thought", "signature": "sig-1", "summary": [WORDS]},
        STEPS[1],
        {"type": "code_execution_result", "call_id": "c", "result": [WORDS]},
        {"type": "model_output", "content": [WORDS]},
        {"type": "user_input", "content": [{"type": "text", "text": "two"}]},
    ]
    assert "it was rebuilt from the copy kept here" in said.tail
    assert "Could not be sent again: image." in said.tail


async def test_results_of_functions_go_whole_into_a_rebuilt_chain(
    harness: AppHarness, worker: McpClient
) -> None:
    look = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    call = {"type": "function_call", "id": "a", "name": "look", "arguments": {}}
    harness.control.answer_next({"steps": [call], "status": "requires_action"})
    await worker.ask("one", tools=[look])
    harness.control.expire_all()

    said = await worker.follow("", function_results=[{"call_id": "a", "result": [WORDS, PICTURE]}])

    assert said.status == "completed"
    assert [step["type"] for step in harness.last["input"]] == [
        "user_input",
        "function_call",
        "function_result",
    ]
    assert harness.last["input"][2]["result"] == [WORDS, PICTURE]


async def test_a_conversation_google_does_not_keep_says_which_attachments_it_goes_on_without(
    harness: AppHarness, worker: McpClient
) -> None:
    first = await worker.ask("What is it?", files=["cat.png"], store=False)

    said = await worker.follow("And now?")

    assert first.status == said.status == "completed"
    assert "Could not be sent again: cat.png" in said.tail
    assert harness.last["input"][0]["content"] == [{"type": "text", "text": "What is it?"}]


async def test_words_that_are_kept_nowhere_are_no_empty_answer(harness: AppHarness) -> None:
    client = await harness.connect(transcripts=False)
    said = await client.ask("Hello.", store=False)

    again = await client.result(said.id)
    refused = await client.follow("And?")

    assert again.text.startswith("Its words were told once and are kept nowhere")
    assert refused.status is None
    assert "words are not kept here (GEMINI_MCP_TRANSCRIPTS is off)" in refused.text
