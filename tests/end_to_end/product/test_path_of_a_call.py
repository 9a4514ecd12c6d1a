"""The files that one gemini_ask crosses, from its tool to the answer.

A call crosses a file when a coroutine of that file runs for it. Functions that only compute
something and return (prices, texts, ids) are looked up on the way, and are not counted.
`pytest -s` on this file prints the path, and `docs/explanation/architecture.md` shows it;
`UPDATE_GOLDEN=1` writes it there anew.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import gemini_interactions
from tests.support.app_harness import McpClient

PACKAGE = Path(gemini_interactions.__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "architecture.md"
MOST = 25
RUNS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Trace:
    """What runs for a call, across all tasks of this thread."""

    def __init__(self) -> None:
        self.crossed: dict[str, None] = {}
        self.turned_back: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        file = _ours(frame)
        if event != "call" or not file or not frame.f_code.co_flags & RUNS:
            return
        self.crossed.setdefault(file)
        # Who waits for it, from the nearest on; a file may call itself as often as it likes.
        waiting = [each for each in map(_ours, _above(frame)) if each]
        others = waiting[len(list(takewhile(lambda each: each == file, waiting))) :]
        if file in others:
            self.turned_back.setdefault(f"{others[0]} -> {file}")


@pytest.fixture
async def trace(client: McpClient) -> Trace:
    """The second call of a server: the first one imports what is imported late."""
    await client.ask("Hello")
    trace = Trace()
    sys.setprofile(trace)
    try:
        await client.ask("Hello again")
    finally:
        sys.setprofile(None)
    return trace


async def test_an_ask_crosses_few_files(trace: Trace) -> None:
    print("", *trace.crossed, sep="\n")  # noqa: T201

    assert len(trace.crossed) <= MOST


async def test_an_ask_never_turns_back_to_a_file_that_waits_for_it(trace: Trace) -> None:
    assert list(trace.turned_back) == []


async def test_the_page_of_the_architecture_shows_the_path_of_an_ask(trace: Trace) -> None:
    page = PAGE.read_text("utf-8")
    path = "\n".join(f"1. `{file}`" for file in trace.crossed)
    written = re.sub(r"(?:^1\. `[\w/]+\.py`\n)+", f"{path}\n", page, flags=re.MULTILINE)
    if "UPDATE_GOLDEN" in os.environ:
        PAGE.write_text(written, "utf-8")

    assert PAGE.read_text("utf-8") == written


def _ours(frame: FrameType) -> str:
    file = Path(frame.f_code.co_filename)
    return file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else ""


def _above(frame: FrameType) -> list[FrameType]:
    above = []
    found = frame.f_back
    while found is not None:
        above.append(found)
        found = found.f_back
    return above
