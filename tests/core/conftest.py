"""Samples of what the API sends, and the steps they amount to."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gemini_interactions.draft import Draft
from gemini_interactions.interactions import Step

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def sample() -> Callable[[str], tuple[Step, ...]]:
    """The steps of a sample file, by its name."""

    def steps(name: str) -> tuple[Step, ...]:
        text = (SAMPLES / name).read_text(encoding="utf-8")
        if name.endswith(".json"):
            return tuple(json.loads(text)["steps"])
        draft = Draft()
        for event in _events(text):
            draft.add(event)
        return draft.interaction().steps

    return steps


def _events(stream: str) -> Iterator[Any]:
    """The JSON objects of a recorded event stream; what is no JSON is left out."""
    for block in stream.split("\n\n"):
        lines = [line[5:].lstrip() for line in block.splitlines() if line.startswith("data:")]
        try:
            yield json.loads("\n".join(lines))
        except ValueError:
            continue
