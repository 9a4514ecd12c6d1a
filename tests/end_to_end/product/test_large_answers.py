"""Large answers are read, parsed and written in worker threads, whichever way they come."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gemini_emulator import Answer
from gemini_interactions.bridge import runtime
from gemini_interactions.gemini import response_body, sse_parser
from gemini_interactions.interactions import answer_text
from tests.support.app_harness import AppHarness, McpClient

WORDS = "Größe. " * 1_000


class Threads:
    """Whether functions were called in the event loop's thread: name → True, False or both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._loop = threading.get_ident()
        self.seen: dict[str, set[bool]] = {}

    def watch(self, owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def noted(*args: Any, **named: Any) -> Any:
            is_in_loop = threading.get_ident() == self._loop
            self.seen.setdefault(name, set()).add(is_in_loop)
            return original(*args, **named)

        self._patch.setattr(owner, name, noted)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    threads = Threads(monkeypatch)
    threads.watch(answer_text, "read")
    threads.watch(answer_text, "redirects")
    return threads


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as large is as small as the answers of these tests."""
    monkeypatch.setattr(runtime, "LARGE", 5_000)
    monkeypatch.setattr(sse_parser, "LARGE", 5_000)
    monkeypatch.setattr(response_body, "LARGE", 5_000)


@pytest.fixture
async def client(harness: AppHarness) -> McpClient:
    harness.set(GEMINI_MCP_RESOLVE_REDIRECTS=None)
    return await harness.connect()


@pytest.mark.usefixtures("small")
async def test_a_large_answer_is_read_in_worker_threads(
    harness: AppHarness, client: McpClient, threads: Threads
) -> None:
    harness.control.answer_next(Answer(text=WORDS))

    said = await client.ask("How large?")

    assert said.text.startswith(WORDS.strip())
    assert threads.seen == {"read": {False}, "redirects": {False}}


@pytest.mark.usefixtures("small")
async def test_a_large_event_is_parsed_in_a_worker_thread(
    harness: AppHarness, client: McpClient, threads: Threads
) -> None:
    threads.watch(json, "loads")
    picture = {"type": "image", "mime_type": "image/png", "data": "QUJD" * 3_000}
    words = {"type": "text", "text": "Large."}
    step = {"type": "model_output", "content": [picture, words]}
    harness.control.answer_next(Answer(steps=[step]))

    said = await client.ask("How large?")

    assert said.status == "completed"
    assert threads.seen["loads"] == {True, False}


@pytest.mark.usefixtures("small")
async def test_a_large_answer_in_one_piece_is_parsed_in_a_worker_thread(
    harness: AppHarness, client: McpClient, threads: Threads
) -> None:
    threads.watch(response_body, "_parsed")

    said = await client.call("gemini_generate_image", prompt="a cat")

    assert said.status == "completed"
    assert threads.seen["_parsed"] == {False}


async def test_a_small_answer_is_read_where_it_came(client: McpClient, threads: Threads) -> None:
    await client.ask("How small?")

    assert threads.seen == {"read": {True}, "redirects": {True}}
