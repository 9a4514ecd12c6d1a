"""Leases: processes that are stopped, starved or asleep for longer than theirs last, and clocks
that are set."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from functools import partial
from typing import Any

import anyio
import pytest

from gemini_interactions.bridge.turns.execution import lease
from gemini_interactions.bridge.turns.execution.lease import GapDetector, LeaseLost, LeaseProof
from gemini_interactions.domain.types import Turn
from gemini_interactions.store import Store
from tests.resilience.lifecycle.conftest import Fork
from tests.support import db_inspection
from tests.support.app_harness import AppHarness, McpClient
from tests.support.server_process import ServerProcess

LEASE = 1.0
SHORT = {"GEMINI_MCP_LEASE_SECONDS": str(LEASE)}


def row(harness: AppHarness, prompt: str) -> db_inspection.Row:
    return next(each for each in db_inspection.turns(harness.folder) if each["prompt"] == prompt)


def status(harness: AppHarness, prompt: str) -> str:
    return str(row(harness, prompt)["status"])


def is_written(harness: AppHarness, prompt: str) -> bool:
    return any(each["prompt"] == prompt for each in db_inspection.turns(harness.folder))


def stop(server: ServerProcess) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def resume(server: ServerProcess) -> None:
    os.kill(server.pid, signal.SIGCONT)


def sent_prompts(harness: AppHarness) -> Counter[str]:
    return Counter(body["input"] for body in harness.bodies)


@pytest.mark.processes
async def test_a_process_stopped_before_its_place_sends_nothing_once_it_was_given_up(
    harness: AppHarness, fork: Fork
) -> None:
    one = await fork(**SHORT, GEMINI_MCP_MAX_CONCURRENT="1")
    other = await fork(**SHORT)
    await other.call("gemini_history")
    gate = harness.control.hold_next("create", "before_completed")
    await one.begin_call("gemini_ask", prompt="first")
    assert await gate.reached()
    waiting = await one.begin_call("gemini_ask", prompt="second")
    await one.wait_for(lambda: is_written(harness, "second"))

    stop(one)
    try:
        await other.wait_for(lambda: status(harness, "second") == "interrupted")
        told = await other.call("gemini_result", id=row(harness, "second")["id"])
    finally:
        gate.release()
        resume(one)
    said = await one.result(waiting)

    assert "It had not been sent yet." in told.text
    assert said.status == "interrupted"
    assert sent_prompts(harness) == {"first": 1}


@pytest.mark.processes
async def test_a_process_stopped_while_it_waits_out_a_rate_limit_does_not_send_again(
    harness: AppHarness, fork: Fork
) -> None:
    one, other = await fork(**SHORT), await fork(**SHORT)
    await other.call("gemini_history")
    harness.control.fail_next(429, retry_after=2)
    call = await one.begin_call("gemini_ask", prompt="limited")
    await one.wait_for(lambda: len(harness.control.log) > 0)

    stop(one)
    try:
        await other.wait_for(lambda: status(harness, "limited") == "interrupted")
        told = await other.call("gemini_result", id=row(harness, "limited")["id"])
    finally:
        resume(one)
    said = await one.result(call)

    assert "It may have been sent" in told.text
    assert said.status == "interrupted"
    assert sent_prompts(harness) == {"limited": 1}


@pytest.mark.processes
async def test_a_process_stopped_in_the_middle_of_a_stream_is_finished_by_another(
    harness: AppHarness, fork: Fork
) -> None:
    one, other = await fork(**SHORT), await fork(**SHORT)
    await other.call("gemini_history")
    gate = harness.control.hold_next("create", "before_completed")
    call = await one.begin_call("gemini_ask", prompt="slow")
    await one.wait_for(
        lambda: is_written(harness, "slow") and bool(row(harness, "slow")["interaction_id"])
    )

    stop(one)
    try:
        gate.release()
        await other.wait_for(lambda: status(harness, "slow") == "completed")
    finally:
        resume(one)
    said = await one.result(call)

    assert said.status == "completed"
    assert sent_prompts(harness) == {"slow": 1}


@pytest.mark.processes
async def test_after_both_were_stopped_neither_ends_the_others_queued_turn(
    harness: AppHarness, fork: Fork
) -> None:
    # Leases long enough for two processes to be woken, on any machine, within one interval.
    settings = {"GEMINI_MCP_LEASE_SECONDS": "6", "GEMINI_MCP_MAX_CONCURRENT": "1"}
    one, other = await fork(**settings), await fork(**settings)
    gates, queued = [], {}
    for server, name in ((one, "one"), (other, "other")):
        gates.append(harness.control.hold_next("create", "before_completed"))
        await server.begin_call("gemini_ask", prompt=f"{name} runs")
        assert await gates[-1].reached()
        queued[name] = await server.begin_call("gemini_ask", prompt=f"{name} waits")
        await server.wait_for(partial(is_written, harness, f"{name} waits"))

    stop(one)
    stop(other)
    last = max(each["lease_until"] for each in db_inspection.turns(harness.folder))
    while time.time() < last + 0.5:
        await anyio.sleep(0.1)
    resume(other)
    await anyio.sleep(0.5)
    resume(one)
    for gate in gates:
        gate.release()
    said = [await one.result(queued["one"]), await other.result(queued["other"])]

    assert [each.status for each in said] == ["completed", "completed"]
    assert set(sent_prompts(harness).values()) == {1}


# -- clocks ---------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize("ahead", [3_600.0, -3_600.0], ids=["set back", "set forward"])
async def test_a_turn_from_before_the_clock_was_set_is_taken_over(
    harness: AppHarness, fork: Fork, ahead: float
) -> None:
    """The clock of the process that was killed said another hour than the next one's."""
    one = await fork(**SHORT, clock=ahead)
    gate = harness.control.hold_next("create", "before_completed")
    await one.begin_call("gemini_ask", prompt="slow")
    await one.wait_for(
        lambda: is_written(harness, "slow") and bool(row(harness, "slow")["interaction_id"])
    )
    one.kill()
    gate.release()

    other = await fork(**SHORT)
    await other.call("gemini_history")
    await other.wait_for(lambda: status(harness, "slow") == "completed")

    assert sent_prompts(harness) == {"slow": 1}


class Clocks:
    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.boot = 0.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    def detector(self, interval: float = 10.0) -> GapDetector:
        return GapDetector(lambda: self.wall, interval, lambda: self.boot)


def test_a_process_that_renews_in_time_judges_others() -> None:
    clocks = Clocks()
    gaps = clocks.detector()
    for _ in range(5):
        gaps.renewed()
        clocks.pass_by(10)

        assert not gaps.is_overdue
        assert gaps.may_judge()


@pytest.mark.parametrize(
    ("wall", "boot"),
    [(60, 60), (3_600, 0), (-3_600, 0), (0, 60)],
    ids=["it was stopped", "the clock was set forward", "it was set back", "and back by as much"],
)
def test_after_a_gap_others_have_one_more_interval(wall: float, boot: float) -> None:
    clocks = Clocks()
    gaps = clocks.detector()
    gaps.renewed()
    clocks.wall += wall
    clocks.boot += boot

    assert gaps.is_overdue
    gaps.renewed()
    gaps.spare_others()
    assert not gaps.may_judge()
    clocks.pass_by(10)
    assert not gaps.may_judge()
    clocks.pass_by(6)
    assert gaps.may_judge()


def test_a_process_that_is_always_late_judges_in_the_end() -> None:
    clocks = Clocks()
    gaps = clocks.detector()
    judged = []
    for _ in range(8):
        gaps.renewed()
        gaps.spare_others()
        judged.append(gaps.may_judge())
        clocks.pass_by(12)

    assert any(judged)


async def test_a_lease_is_proven_again_where_a_second_passed_before_the_request_leaves() -> None:
    clocks, proofs = Clocks(), []

    async def prove() -> None:
        proofs.append(clocks.boot)

    proof = LeaseProof(prove, lambda: clocks.boot)
    await proof.renew()
    clocks.pass_by(0.9)
    await proof.check()
    clocks.pass_by(0.2)
    await proof.check()

    assert proofs == [0.0, pytest.approx(1.1)]


async def test_a_turn_given_up_just_before_its_request_leaves_is_not_sent(
    harness: AppHarness, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PROOF_SECONDS", -1.0)  # each look of the request proves it again
    claim, claims = Store.claim_send, []

    async def claim_now(store: Store, turn: Turn, **more: Any) -> bool:
        claims.append(turn.id)
        if len(claims) == 3:  # in hand, about to be built, about to leave
            await store.finish(turn, status="interrupted", now=harness.clock())
        return await claim(store, turn, **more)

    monkeypatch.setattr(Store, "claim_send", claim_now)

    said = await client.ask("Too late.")

    assert (said.status, said.is_error) == ("interrupted", False)
    assert "may have been sent" in said.text
    assert len(claims) == 3
    assert harness.bodies == []


async def test_what_another_process_has_taken_is_not_proven() -> None:
    async def prove() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await LeaseProof(prove).check()
