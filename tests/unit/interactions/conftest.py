"""Samples of what the API sends, and the steps they amount to."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gemini_interactions.domain.types import Step
from gemini_interactions.interactions.stream_accumulator import InteractionAccumulator
from tests.support.samples import SAMPLES


@pytest.fixture
def sample() -> Callable[[str], tuple[Step, ...]]:
    """The steps of a sample file, by its name."""

    def steps(name: str) -> tuple[Step, ...]:
        text = (SAMPLES / name).read_text(encoding="utf-8")
        if name.endswith(".json"):
            return tuple(json.loads(text)["steps"])
        draft = InteractionAccumulator()
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
