"""Cancels: which reasons stop work and which only stop the waiting."""

from __future__ import annotations

from typing import Any

import pytest
from gemini_interactions.emulator import Answer, Gate, Request

from tests.product.house import House
from tests.time.conftest import Wired
from tests.time.wire import ERAS, Wire

MISSING: list[Any] = []
DETACHES = {
    "no reason": MISSING,
    "null": [None],
    "empty": [""],
    "blank": ["  "],
    "opencode and Kimi time out": ["McpError: MCP error -32001: Request timed out"],
    "Copilot times out": ["request timeout"],
    "openai-agents times out": ["timed out after 5.0s"],
    "Codex times out": ["MCP request cancelled by caller"],
    "the Python SDK's caller is cancelled": ["caller cancelled"],
    "something else": ["shutting down"],
    "a number": [7],
    "a list": [["abort"]],
}
STOPS = {
    "opencode": ["AbortError: The operation was aborted."],
    "Kimi": ["AbortError: This operation was aborted"],
    "a person": ["User requested cancellation"],
    "user, lower case": ["cancelled by user"],
    "interrupt": ["Interrupted"],
    "interrupt, upper case": ["KEYBOARD INTERRUPT"],
    "abort": ["abort"],
    "abort, upper case": ["ABORTED"],
    "both": ["Request timed out: user abort"],
}


async def held(house: House, wire: Wire, prompt: str = "hello") -> tuple[Any, Gate, Request]:
    """A call whose answer has arrived up to its end, which is held back."""
    house.brain.answer_next(Answer(text="All of the answer."))
    gate = house.brain.hold_next("create", "before_completed")
    call = await wire.call("gemini_ask", prompt=prompt)
    assert await gate.reached()
    post = house.brain.posts[-1]
    await wire.until(lambda: "Writing: All of the answer." in said(wire, call))
    return call, gate, post


def said(wire: Wire, call: Any) -> list[str]:
    return [message for _, message in wire.progress(call)]


async def newest(wire: Wire) -> str:
    """The id of the newest turn, as somebody finds it who was never told."""
    listed = await wire.use("gemini_history", limit=1)
    return str(listed["text"].split(" · ")[0])


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("reason", DETACHES.values(), ids=DETACHES.keys())
async def test_a_cancel_that_names_nobody_leaves_the_work_going(
    house: House, wired: Wired, era: str, reason: list[Any]
) -> None:
    wire = await wired(era)
    call, gate, post = await held(house, wire)

    await wire.cancel(call, *reason)
    await wire.settled()
    gate.release()
    found = await wire.use("gemini_result", id=await newest(wire), wait_seconds=5)

    assert found.get("status") == "completed", found
    assert found["text"].startswith("All of the answer.")
    assert not post.closed_early
    assert not wire.answered(call)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("reason", STOPS.values(), ids=STOPS.keys())
async def test_an_abort_reaches_google_and_keeps_what_had_arrived(
    house: House, wired: Wired, era: str, reason: list[Any]
) -> None:
    wire = await wired(era)
    call, _, post = await held(house, wire)

    await wire.cancel(call, *reason)

    assert await house.brain.until(lambda: post.closed_early)
    found = await wire.use("gemini_result", id=await newest(wire), wait_seconds=5)
    assert found["status"] == "cancelled"
    assert found["text"].startswith("All of the answer.\n\n---\nThis turn was cancelled")
    assert not found["is_error"]
    assert not wire.answered(call)
    assert len(house.bodies) == 1
