"""Queues: an owner has so many places at Gemini, so many more may wait, and no more than that."""

from __future__ import annotations

import anyio
import pytest

from gemini_interactions.bridge.turns.execution import upstream_call
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


async def test_who_has_very_much_waiting_is_refused_and_nobody_else(
    gateways: GatewayHarness, harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_call, "MOST_WAITING", 3)
    gates = [harness.control.hold_next("create", "before_completed") for _ in range(2)]
    await gateways.open(tokens=TOKENS, max_concurrent=2, rate_limit=0)
    ann, bob = [await gateways.connect(token=each) for each in TOKENS]
    said: list[ToolResult] = []

    async def ask(number: int) -> None:
        said.append(await ann.ask(f"Question {number}"))

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(ask, number)
        with anyio.fail_after(60):
            while "5 conversations" not in (listed := (await ann.history()).text):
                if listed.count("Question") == 5:
                    break
                await anyio.sleep(0.02)
        refused = await ann.ask("One too many")
        bobs = await bob.ask("Mine")
        for gate in gates:
            gate.release()
    later = await ann.ask("One too many")

    assert refused.is_error
    assert "3 calls are waiting for Gemini already, and 2 run at a time" in refused.text
    assert "nothing was sent" in refused.text
    assert [each.status for each in [*said, bobs, later]] == ["completed"] * 7
    assert "One too many" not in [post.body["input"] for post in harness.control.posts[:-1]]


async def test_very_many_asks_at_once_keep_nobody_else_from_google(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    """Each owner has so many places; nothing else bounds the way to Google, which the HTTP
    client's own pool of 100 connections would."""
    held = 110
    gates = [harness.control.hold_next("create", "before_completed") for _ in range(held)]
    await gateways.open(tokens=TOKENS, max_concurrent=held, max_wait_seconds=0.5, rate_limit=0)
    ann, bob = [await gateways.connect(token=each) for each in TOKENS]
    async with anyio.create_task_group() as tasks:
        for number in range(held):
            tasks.start_soon(ann.ask, f"Question {number}")
    for gate in gates:
        assert await gate.reached(60)

    with anyio.fail_after(60):
        said = await bob.ask("One word")
        while said.status == "running":
            said = await bob.result(said.id)
        harness.control.hold_background()
        research = await bob.call("start_deep_research", question="Why?")
        looked = await bob.call("check_research", research_id=research.facts["research_id"])
        ended = await bob.call("cancel_research", research_id=research.facts["research_id"])
    for gate in gates:
        gate.release()

    assert said.status == "completed"
    assert (looked.status, ended.status) == ("running", "cancelled")
