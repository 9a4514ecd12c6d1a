"""A report is read whatever the steps on the way to it hold: it took an hour and some dollars."""

from __future__ import annotations

import pytest

from gemini_emulator import Answer
from tests.support.research_client import RUN, ResearchClient
from tests.support.wrong_shapes import KINDS, USAGE, steps

REPORT = {
    "type": "model_output",
    "content": [{"type": "text", "text": "# Storks\n\nThe report that was paid for."}],
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_report_is_read_whatever_its_steps_hold(
    researcher: ResearchClient, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    researcher.harness.control.answer_next(
        Answer(steps=[*steps(kind)[:-1], REPORT], events=[], usage=USAGE, pace=1.0)
    )
    started = await researcher.start()
    await researcher.confirmed(started.id)

    said = await researcher.ended(started.id, RUN + 100)

    assert said.status in ("completed", "requires_action")
    assert "The report that was paid for." in said.text
    assert said.facts["usage"]["total_tokens"] == 26
    assert "could not be made" not in caplog.text
    assert "failed inside" not in caplog.text
