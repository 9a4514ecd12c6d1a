"""Cancels: which reasons stop work and which only stop the waiting."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from gemini_emulator import Answer, Gate, Request
from gemini_interactions.bridge.turns.execution import running_turns
from gemini_interactions.files import interaction_content
from gemini_interactions.store import conversations, turns
from tests.resilience.lifecycle.conftest import Connect
from tests.support import db_inspection
from tests.support.app_harness import AppHarness
from tests.support.blocking_patch import BlockingPatch
from tests.support.jsonrpc_client import JsonRpcClient
from tests.support.protocol import ERAS, Era

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


@pytest.fixture(autouse=True)
def every_word_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress without its gaps: these tests wait for what has arrived to be told."""
    monkeypatch.setattr(running_turns, "SMALLEST_GAP", 0.0)


async def held_call(
    harness: AppHarness, wire: JsonRpcClient, prompt: str = "hello"
) -> tuple[Any, Gate, Request]:
    """A call whose answer has arrived up to its end, which is held back."""
    harness.control.answer_next(Answer(text="All of the answer."))
    gate = harness.control.hold_next("create", "before_completed")
    call = await wire.begin_call("gemini_ask", prompt=prompt)
    assert await gate.reached()
    post = harness.control.posts[-1]
    written = "Writing: All of the answer."
    await wire.until(lambda: written in progress_texts(wire, call) or wire.is_answered(call))
    return call, gate, post


async def until_owed(harness: AppHarness) -> None:
    """Waits until it is written down, by the clock as it stands, that nobody read the outcome."""
    with anyio.fail_after(60):
        while db_inspection.turns(harness.folder)[0]["owed"] != harness.clock():
            await anyio.sleep(0.01)


def has_progress(wire: JsonRpcClient, call: Any) -> bool:
    """Whether it has been told something while it waits."""
    return bool(wire.progress(call))


def progress_texts(wire: JsonRpcClient, call: Any) -> list[str]:
    return [message for _, message in wire.progress(call)]


async def newest_turn(wire: JsonRpcClient) -> str:
    """The id of the newest turn, as somebody finds it who was never told."""
    listed = await wire.call("gemini_history", limit=1)
    return str(listed.text.split(" · ")[0])


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("reason", DETACHES.values(), ids=DETACHES.keys())
async def test_a_cancel_that_names_nobody_leaves_the_work_going(
    harness: AppHarness, connect: Connect, era: Era, reason: list[Any]
) -> None:
    wire = await connect(era)
    call, gate, post = await held_call(harness, wire)

    await wire.cancel(call, *reason)
    await wire.settled()
    gate.release()
    found = await wire.call("gemini_result", id=await newest_turn(wire), wait_seconds=5)

    assert found.status == "completed"
    assert found.text.startswith("All of the answer.")
    assert not post.closed_early
    assert not wire.is_answered(call)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("reason", STOPS.values(), ids=STOPS.keys())
async def test_an_abort_reaches_google_and_keeps_what_had_arrived(
    harness: AppHarness, connect: Connect, era: Era, reason: list[Any]
) -> None:
    wire = await connect(era)
    call, _, post = await held_call(harness, wire)

    await wire.cancel(call, *reason)

    assert await harness.control.until(lambda: post.closed_early)
    found = await wire.call("gemini_result", id=await newest_turn(wire), wait_seconds=5)
    assert found.status == "cancelled"
    assert found.text.startswith("All of the answer.\n---\nThis turn was cancelled")
    assert not found.is_error
    assert not wire.is_answered(call)
    assert len(harness.bodies) == 1


# ------------------------------------------------------------------ who only waits, and repeats


async def test_an_abort_of_a_call_that_only_waits_stops_only_the_waiting(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    call, gate, post = await held_call(harness, wire)
    await wire.cancel(call, "request timeout")
    turn = await newest_turn(wire)
    waiting = await wire.begin_call("gemini_result", id=turn, wait_seconds=40)
    await wire.until(partial(has_progress, wire, waiting))

    await wire.cancel(waiting, "AbortError: This operation was aborted")
    await wire.settled()

    gate.release()
    found = await wire.call("gemini_result", id=turn, wait_seconds=5)
    assert found.status == "completed"
    assert not post.closed_early
    assert not wire.is_answered(waiting)


async def test_an_abort_of_a_repeat_stops_the_turn_it_joined(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    call, _, post = await held_call(harness, wire, "the same")
    await wire.cancel(call, "request timeout")
    await wire.settled()
    repeat = await wire.begin_call("gemini_ask", prompt="the same")
    await wire.until(partial(has_progress, wire, repeat))

    await wire.cancel(repeat, "AbortError: This operation was aborted")

    assert await harness.control.until(lambda: post.closed_early)
    found = await wire.call("gemini_result", id=await newest_turn(wire), wait_seconds=5)
    assert found.status == "cancelled"
    assert len(harness.bodies) == 1


async def test_a_time_out_of_a_repeat_leaves_it_joinable_again(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    call, gate, _ = await held_call(harness, wire, "the same")
    await wire.cancel(call)
    for _ in range(2):
        repeat = await wire.begin_call("gemini_ask", prompt="the same")
        await wire.until(partial(has_progress, wire, repeat))
        await wire.cancel(repeat)
    last = await wire.begin_call("gemini_ask", prompt="the same")
    await wire.until(partial(has_progress, wire, last))
    gate.release()

    found = await wire.result(last)

    assert "nothing was sent twice" in found.text
    assert len(harness.bodies) == 1


async def test_an_aborted_turn_is_asked_anew(harness: AppHarness, connect: Connect) -> None:
    wire = await connect()
    call, _, post = await held_call(harness, wire, "the same")
    await wire.cancel(call, "user abort")
    assert await harness.control.until(lambda: post.ended)

    again = await wire.call("gemini_ask", prompt="the same")

    assert again.status == "completed"
    assert len(harness.bodies) == 2


async def test_a_repeat_that_goes_away_while_it_joins_leaves_the_turn_joinable(
    harness: AppHarness, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await connect()
    call, gate, _ = await held_call(harness, wire, "the same")
    await wire.cancel(call)
    await wire.settled()
    slow = BlockingPatch(turns, "claim_join", monkeypatch)
    repeat = await wire.begin_call("gemini_ask", prompt="the same")
    await slow.begun()

    await wire.cancel(repeat)
    await wire.settled()
    harness.clock.advance(1)
    slow.go_on()
    await until_owed(harness)
    last = await wire.begin_call("gemini_ask", prompt="the same")
    await wire.until(partial(has_progress, wire, last))
    gate.release()

    assert "nothing was sent twice" in (await wire.result(last)).text
    assert len(harness.bodies) == 1


async def test_a_result_that_nobody_takes_any_more_is_still_owed(
    harness: AppHarness, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = await connect()
    call, gate, _ = await held_call(harness, wire, "the same")
    await wire.cancel(call)
    gate.release()
    turn = await newest_turn(wire)
    await wire.until_idle()
    slow = BlockingPatch(turns, "waits", monkeypatch)
    reading = await wire.begin_call("gemini_result", id=turn)
    await slow.begun()

    await wire.cancel(reading, "request timeout")
    await wire.settled()
    harness.clock.advance(1)
    slow.go_on()
    await until_owed(harness)

    assert "nothing was sent twice" in (await wire.call("gemini_ask", prompt="the same")).text
    assert len(harness.bodies) == 1


# ------------------------------------------------------------------------- queued continues


@pytest.mark.parametrize("era", ERAS)
async def test_an_abort_of_a_queued_continue_means_it_is_never_sent(
    harness: AppHarness, connect: Connect, era: Era
) -> None:
    wire = await connect(era)
    first, gate, post = await held_call(harness, wire)
    conversation = (await newest_turn(wire)).split("/")[0]
    queued = await wire.begin_call("gemini_continue", prompt="more", conversation_id=conversation)
    await wire.until(lambda: progress_texts(wire, queued) == ["Waiting for the turn before it"])

    await wire.cancel(queued, "AbortError: This operation was aborted")
    await wire.settled()
    gate.release()

    assert (await wire.result(first)).status == "completed"
    found = await wire.call("gemini_result", id=f"{conversation}/2", wait_seconds=5)
    assert found.status == "cancelled"
    assert "nothing had arrived" in found.text
    assert [body["input"] for body in harness.bodies] == ["hello"]
    assert not post.closed_early


async def test_what_queues_behind_an_aborted_queued_continue_waits_for_the_turn_before_that(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    first, gate, _ = await held_call(harness, wire)
    conversation = (await newest_turn(wire)).split("/")[0]
    second = await wire.begin_call("gemini_continue", prompt="second", conversation_id=conversation)
    await wire.until(partial(has_progress, wire, second))
    third = await wire.begin_call("gemini_continue", prompt="third", conversation_id=conversation)
    await wire.until(partial(has_progress, wire, third))

    await wire.cancel(second, "user abort")
    await wire.until_status(f"{conversation}/2", "cancelled")
    # The third could go now, if it did not wait for the first.
    for _ in range(10):
        await wire.call("gemini_history")
    assert len(harness.bodies) == 1
    gate.release()

    last = await wire.result(third)
    root = await wire.result(first)
    assert last.status == "completed"
    assert "Turn 2 was cancelled: this continues from turn 1." in last.text
    assert harness.last["previous_interaction_id"] == root.interaction


async def test_a_time_out_of_a_queued_continue_leaves_it_in_its_place(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    _, gate, _ = await held_call(harness, wire)
    conversation = (await newest_turn(wire)).split("/")[0]
    queued = await wire.begin_call("gemini_continue", prompt="more", conversation_id=conversation)
    await wire.until(partial(has_progress, wire, queued))

    await wire.cancel(queued, "MCP request cancelled by caller")
    await wire.settled()
    gate.release()

    found = await wire.call("gemini_result", id=f"{conversation}/2", wait_seconds=5)
    assert found.status == "completed"
    assert [body["input"] for body in harness.bodies] == ["hello", "more"]


# ------------------------------------------------------------------------ too late, too early


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "reason", ["AbortError: The operation was aborted.", "AbortError: This operation was aborted"]
)
async def test_a_cancel_after_the_answer_means_nothing(
    harness: AppHarness, connect: Connect, era: Era, reason: str
) -> None:
    wire = await connect(era)
    call = await wire.begin_call("gemini_ask", prompt="hello")
    asked = await wire.result(call)

    await wire.cancel(call, reason)
    await wire.settled()

    found = await wire.call("gemini_result", id=asked.id)
    assert found.status == "completed"
    again = await wire.call("gemini_continue", prompt="and more")
    assert again.status == "completed"


async def test_a_cancel_after_running_was_said_means_nothing(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect(max_wait_seconds=0.05)
    call, gate, post = await held_call(harness, wire)
    running = await wire.result(call)

    await wire.cancel(call, "AbortError: The operation was aborted.")
    await wire.settled()
    gate.release()

    assert running.status == "running"
    found = await wire.call("gemini_result", id=running.id, wait_seconds=5)
    while found.status == "running":
        found = await wire.call("gemini_result", id=running.id, wait_seconds=5)
    assert found.status == "completed"
    assert not post.closed_early


@pytest.mark.parametrize("id", [999, "999", "", "nobody's", None, 1.5, {}])
async def test_a_cancel_of_nothing_known_means_nothing(
    harness: AppHarness, connect: Connect, id: Any
) -> None:
    wire = await connect()
    call, gate, post = await held_call(harness, wire)

    await wire.cancel(id, "user abort")
    await wire.settled()
    gate.release()

    assert (await wire.result(call)).status == "completed"
    assert not post.closed_early


@pytest.mark.parametrize("written", ["as sent", "as text"])
async def test_ids_match_however_a_client_writes_the_number(
    harness: AppHarness, connect: Connect, written: str
) -> None:
    wire = await connect()
    call, _, post = await held_call(harness, wire)

    await wire.cancel(call if written == "as sent" else str(call), "user abort")

    assert await harness.control.until(lambda: post.closed_early)


async def test_an_abort_stops_only_its_own_call(harness: AppHarness, connect: Connect) -> None:
    wire = await connect()
    first, _, stopped = await held_call(harness, wire, "one")
    second, gate, other = await held_call(harness, wire, "two")

    await wire.cancel(first, "user abort")
    assert await harness.control.until(lambda: stopped.closed_early)
    gate.release()

    assert (await wire.result(second)).status == "completed"
    assert not other.closed_early


async def test_two_cancels_of_one_call_are_one(harness: AppHarness, connect: Connect) -> None:
    wire = await connect()
    call, _, post = await held_call(harness, wire)

    await wire.cancel(call, "user abort")
    await wire.cancel(call, "user abort")

    assert await harness.control.until(lambda: post.closed_early)
    assert (await wire.call("gemini_result", id=await newest_turn(wire))).status == "cancelled"


@pytest.mark.parametrize("reason", ["user abort", "request timeout"])
async def test_a_cancel_in_the_same_breath_as_the_call_leaves_nothing_half_done(
    harness: AppHarness, connect: Connect, reason: str
) -> None:
    wire = await connect()
    await wire.call("gemini_ask", prompt="first")
    calls = []
    for _ in range(5):
        calls.append(await wire.begin_call("gemini_ask", prompt="now"))
        await wire.cancel(calls[-1], reason)
    await wire.settled()

    listed = await wire.call("gemini_history", limit=100)
    turns = [line.split(" · ")[0] for line in listed.text.splitlines() if line[:2] == "c_"]
    for turn in turns:
        found = await wire.call("gemini_result", id=turn, wait_seconds=5)
        assert found.status in ("cancelled", "completed")
    # The last of them may have been written down after they were listed, but not after it was sent.
    assert len(harness.bodies) <= len(db_inspection.turns(harness.folder))


@pytest.mark.parametrize(("reason", "posts"), [("user abort", 0), ("request timeout", 1)])
async def test_a_cancel_that_comes_while_the_turn_is_written_down_holds_for_the_turn(
    harness: AppHarness,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    posts: int,
) -> None:
    wire = await connect()
    await wire.call("gemini_history")
    slow = BlockingPatch(conversations, "begin", monkeypatch)
    call = await wire.begin_call("gemini_ask", prompt="hello")
    await slow.begun()

    await wire.cancel(call, reason)
    await wire.settled()
    slow.go_on()

    await harness.control.until(lambda: len(harness.control.posts) == posts)
    found = await wire.call("gemini_result", id=await newest_turn(wire), wait_seconds=5)
    assert found.status == ("completed" if posts else "cancelled")
    assert len(harness.bodies) == posts


async def test_an_abort_does_not_wait_for_a_large_file_to_be_read(
    harness: AppHarness, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "large.pdf").write_bytes(b"%PDF-1.7\n" + bytes(5 * 2**20))
    wire = await connect(allowed_dirs=(tmp_path,))
    slow = BlockingPatch(interaction_content, "hash_of", monkeypatch)
    call = await wire.begin_call("gemini_ask", prompt="hello", files=[str(tmp_path / "large.pdf")])
    await slow.begun()

    await wire.cancel(call, "user abort")

    await wire.until_status(db_inspection.turns(harness.folder)[0]["id"], "cancelled")
    assert harness.bodies == []
    slow.go_on()


# ------------------------------------------------------------------------------ disconnects


@pytest.mark.parametrize("era", ERAS)
async def test_the_end_of_the_connection_interrupts_only_what_google_does_not_know(
    harness: AppHarness, connect: Connect, era: Era
) -> None:
    wire = await connect(era)
    unknown = harness.control.hold_next("create", "before_created")
    await wire.begin_call("gemini_ask", prompt="not yet at Google")
    assert await unknown.reached()
    await held_call(harness, wire, "known at Google")

    wire.hang_up()
    await wire.app.closed.wait()

    other = await connect(era)
    listed = await other.call("gemini_history")
    states = {}
    for line in listed.text.splitlines():
        if line.startswith("c_"):
            found = await other.call("gemini_result", id=line.split(" · ")[0], wait_seconds=5)
            states[line.split('"')[1]] = found.status
    assert states == {"not yet at Google": "interrupted", "known at Google": "completed"}
    assert len(harness.control.posts) == 2
