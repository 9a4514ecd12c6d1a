"""The end: soon after stdin's, at a signal, with everything committed, whatever is going on."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
import pytest

from gemini_emulator import Answer
from tests.resilience.lifecycle.conftest import Fork
from tests.support import db_inspection, protocol
from tests.support.app_harness import AppHarness
from tests.support.protocol import ERAS, Era, Message
from tests.support.server_process import ServerProcess, spawn

SOON = 8.0
"""Seconds: generous, for the budget of one is the benchmark's; what would hold us takes longer."""
LONG = 60.0

pytestmark = pytest.mark.processes


async def start_turns(harness: AppHarness, line: ServerProcess) -> None:
    """One that waits in a queue, one sent to Google, one that Google has named."""
    named = harness.control.hold_next("create", "before_completed")
    await line.begin_call("gemini_ask", prompt="named")
    assert await named.reached()
    await line.wait_for(lambda: bool(db_inspection.turns(harness.folder)[0]["interaction_id"]))
    sent = harness.control.hold_next("create", "before_created")
    await line.begin_call("gemini_ask", prompt="sent")
    assert await sent.reached()
    conversation = db_inspection.turns(harness.folder)[0]["conversation_id"]
    queued = await line.begin_call("gemini_continue", prompt="queued", conversation_id=conversation)
    await line.until(lambda: bool(line.progress(queued)))


def committed_states(harness: AppHarness) -> dict[str, str]:
    """The states of turns by prompt; nothing is held any longer."""
    rows = db_inspection.turns(harness.folder)
    assert {row["lease_until"] for row in rows} == {0.0}
    return {row["prompt"]: row["status"] for row in rows}


COMMITTED = {
    "named": "running",  # Google has it: whoever comes next looks it up
    "sent": "interrupted",
    "queued": "interrupted",
}


@pytest.mark.parametrize("era", ERAS)
async def test_the_end_of_stdin_is_the_end(harness: AppHarness, fork: Fork, era: Era) -> None:
    line = await fork(era)
    await start_turns(harness, line)

    line.hang_up()

    with anyio.fail_after(SOON):
        assert await line.exit_code() == 0
    assert committed_states(harness) == COMMITTED


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_the_end_though_stdin_goes_on(
    harness: AppHarness, fork: Fork, told: signal.Signals
) -> None:
    line = await fork()
    await start_turns(harness, line)

    os.kill(line.pid, told)

    with anyio.fail_after(SOON):
        assert await line.exit_code() == 0
    assert committed_states(harness) == COMMITTED


async def test_signals_during_the_end_do_not_cut_it_short(harness: AppHarness, fork: Fork) -> None:
    line = await fork()
    await start_turns(harness, line)

    line.hang_up()
    os.kill(line.pid, signal.SIGTERM)
    os.kill(line.pid, signal.SIGINT)

    with anyio.fail_after(SOON):
        assert await line.exit_code() == 0
    assert committed_states(harness) == COMMITTED


async def test_every_turn_goes_on_in_the_next_process_as_it_was_left(
    harness: AppHarness, fork: Fork
) -> None:
    line = await fork()
    await start_turns(harness, line)
    line.hang_up()
    assert await line.exit_code() == 0

    other = await fork()
    rows = db_inspection.turns(harness.folder)
    said = [await other.call("gemini_result", id=row["id"], wait_seconds=40) for row in rows]

    assert {row["prompt"]: each.status for row, each in zip(rows, said, strict=True)} == {
        **COMMITTED,
        "named": "completed",
    }
    assert len(harness.bodies) == 2


async def test_a_client_that_reads_nothing_does_not_hold_us(
    harness: AppHarness, fork: Fork
) -> None:
    harness.control.answer_next(Answer(text="x" * 500_000))
    writer = await fork()
    said = await writer.call("gemini_ask", prompt="long")
    deaf = await fork(deaf=True)
    held = harness.control.hold_next("create", "before_created")
    for _ in range(60):
        await deaf.begin_call("gemini_result", id=said.id)
    await deaf.begin_call("gemini_ask", prompt="sent")
    assert await held.reached()

    deaf.hang_up()

    with anyio.fail_after(SOON):
        assert await deaf.exit_code() == 0
    deaf.close()
    assert committed_states(harness) == {"long": "completed", "sent": "interrupted"}


async def test_a_client_that_is_gone_for_good_is_the_end_too(
    harness: AppHarness, fork: Fork
) -> None:
    """Its end of stdout is closed first, as when it was killed."""
    line = await fork()
    await start_turns(harness, line)

    line.close()

    with anyio.fail_after(SOON):
        assert await line.exit_code() == 0
    assert committed_states(harness) == COMMITTED


async def test_looking_up_a_name_does_not_hold_us(harness: AppHarness, fork: Fork) -> None:
    line = await fork(lookup_seconds=LONG, GOOGLE_GEMINI_BASE_URL="http://no-answer.invalid")
    await line.begin_call("gemini_ask", prompt="to nowhere")
    await line.wait_for(lambda: bool(db_inspection.turns(harness.folder)))
    await line.wait_for(lambda: db_inspection.turns(harness.folder)[0]["sent"] is not None)

    line.hang_up()

    with anyio.fail_after(SOON):
        assert await line.exit_code() == 0
    assert committed_states(harness) == {"to nowhere": "interrupted"}


# --------------------------------------------------------- right after the start, as hosts do


HELLO = [
    protocol.request("initialize", protocol.initialize("x")),
    protocol.notification("notifications/initialized"),
    protocol.request("tools/list", {}, 2),
]
ASK = protocol.request("tools/call", {"name": "gemini_ask", "arguments": {"prompt": "hello"}}, 3)


@pytest.mark.parametrize(
    ("sent", "answers"),
    [([], 0), (HELLO[:1], 1), (HELLO, 2)],
    ids=["nothing", "initialize", "tools/list"],
)
async def test_a_host_that_only_looks_is_not_kept_waiting(
    harness: AppHarness, tmp_path: Path, sent: list[Message], answers: int
) -> None:
    server = await spawn(tmp_path)
    for message in sent:
        await server.send(message)
    for id in range(1, answers + 1):
        assert "result" in await server.answer(id)

    server.hang_up()

    with anyio.fail_after(SOON):
        assert await server.exit_code() == 0


async def test_a_host_that_leaves_while_we_warm_up_leaves_a_turn_that_says_so(
    harness: AppHarness, tmp_path: Path
) -> None:
    harness.control.hold_next("create", "before_created")
    server = await spawn(tmp_path)
    for message in (*HELLO, ASK):
        await server.send(message)
    await server.wait_for(lambda: bool(db_inspection.turns(harness.folder)))

    server.hang_up()

    with anyio.fail_after(SOON):
        assert await server.exit_code() == 0
    (row,) = db_inspection.turns(harness.folder)
    assert (row["prompt"], row["status"], row["lease_until"]) == ("hello", "interrupted", 0.0)
