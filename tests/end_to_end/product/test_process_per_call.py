"""Each call in a process of its own, as LangChain, LlamaIndex and CrewAI make them."""

from __future__ import annotations

import anyio
import pytest

from gemini_emulator.scripting.fault_injection import Point
from gemini_interactions.bridge import history
from gemini_interactions.store.conversations import ConversationSummary
from tests.support.app_harness import AppHarness


@pytest.mark.parametrize(
    ("point", "listed", "status"),
    [
        ("before_completed", "running", "completed"),
        ("before_created", "interrupted", "interrupted"),
    ],
)
async def test_history_says_what_is_true_of_a_turn_whose_process_ended(
    harness: AppHarness, point: Point, listed: str, status: str
) -> None:
    gate = harness.control.hold_next(point=point)
    first = await harness.connect(max_wait_seconds=0.3)
    running = await first.ask("slow")
    assert await gate.reached()
    if point == "before_completed":
        with anyio.fail_after(60):
            while not (await first.result(running.id)).facts.get("interaction_id"):
                await anyio.sleep(0.01)
    await first.disconnect()

    second = await harness.connect()
    lines = (await second.history()).text
    transcript = (await second.history(id=running.conversation)).text
    gate.release()
    third = await harness.connect()
    found = await third.result(running.id, wait_seconds=20)

    assert running.status == "running"
    assert f"last turn {listed}" in lines
    assert transcript.startswith(f"## Turn 1 ({listed}")
    assert found.status == status
    assert len(harness.bodies) == 1


async def test_history_calls_a_turn_running_while_its_process_lives(harness: AppHarness) -> None:
    gate = harness.control.hold_next(point="before_completed")
    first = await harness.connect(max_wait_seconds=0.3)
    await first.ask("slow")
    assert await gate.reached()

    listed = (await (await harness.connect()).history()).text
    gate.release()

    assert "last turn running ·" in listed


@pytest.mark.parametrize(
    ("status", "is_at_google", "is_worked_on", "told"),
    [
        ("running", True, True, "last turn running ·"),
        ("running", False, False, "last turn running ·"),
        ("running", True, False, "last turn running at Google (its process here ended; "),
        ("interrupted", True, False, "last turn interrupted (Google knows it; gemini_result"),
        ("interrupted", False, False, "last turn interrupted ·"),
        ("failed", True, False, "last turn failed ·"),
    ],
)
def test_a_line_of_history_says_who_has_the_last_turn(
    status: str, is_at_google: bool, is_worked_on: bool, told: str
) -> None:
    summary = ConversationSummary(
        "c_0000000000", 1, 0.0, 0.0, "Hello.", status, "", is_at_google, is_worked_on
    )

    assert told in history.line(summary)
