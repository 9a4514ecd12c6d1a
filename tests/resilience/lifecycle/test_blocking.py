"""Nothing blocks: while one call waits, everything else is answered, and no step is long."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from gemini_emulator import Answer
from gemini_interactions.store.databases.sqlite import SQLite
from tests.resilience.lifecycle.conftest import Connect
from tests.support.app_harness import AppHarness
from tests.support.event_loop_probe import watch_loop
from tests.support.fork_server import ROOT
from tests.support.jsonrpc_client import InProcessClient
from tests.support.protocol import ERAS, Era

LONG = 0.15
"""Seconds of CPU that no single step may take; the SDK's create takes 0.03 of them."""
VERY_LONG = 2.0
"""Seconds by the clock, which other load on the machine adds to."""


async def everything_else(wire: InProcessClient, conversation: str) -> None:
    """One of each, while another call waits."""
    for method in ("tools/list", "resources/list", "prompts/list"):
        assert "result" in await wire.request(method)
    assert (await wire.call("gemini_history")).text
    assert (await wire.call("gemini_result", id=f"{conversation}/1")).status == "completed"
    assert (await wire.call("gemini_ask", prompt="quick")).status == "completed"
    more = await wire.call("gemini_continue", prompt="more", conversation_id=conversation)
    assert more.status == "completed"
    assert (await wire.call("gemini_ask")).is_error


@pytest.mark.parametrize("era", ERAS)
async def test_while_a_call_waits_everything_else_is_answered(
    harness: AppHarness, connect: Connect, era: Era
) -> None:
    wire = await connect(era)
    first = await wire.call("gemini_ask", prompt="first")
    gate = harness.control.hold_next("create", "before_completed")
    slow = await wire.begin_call("gemini_ask", prompt="slow")
    assert await gate.reached()

    await everything_else(wire, first.conversation)
    if era == "legacy":
        assert "result" in await wire.request("ping")

    assert not wire.is_answered(slow)
    gate.release()
    assert (await wire.result(slow)).status == "completed"


async def test_many_calls_wait_side_by_side(harness: AppHarness, connect: Connect) -> None:
    wire = await connect(max_concurrent=20)
    first = await wire.call("gemini_ask", prompt="first")
    gates = [harness.control.hold_next("create", "before_created") for _ in range(20)]
    calls = [await wire.begin_call("gemini_ask", prompt=f"slow {n}") for n in range(20)]
    for gate in gates:
        assert await gate.reached()

    assert (await wire.call("gemini_result", id=first.id)).status == "completed"

    for gate in gates:
        gate.release()
    said = [await wire.result(call) for call in calls]
    assert {each.status for each in said} == {"completed"}


async def test_a_call_beyond_the_owner_s_places_waits_for_one(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect(max_concurrent=1)
    gate = harness.control.hold_next("create", "before_completed")
    slow = await wire.begin_call("gemini_ask", prompt="slow")
    assert await gate.reached()
    second = await wire.begin_call("gemini_ask", prompt="second")
    await wire.until(lambda: bool(wire.progress(second)))

    assert len(harness.bodies) == 1
    gate.release()
    assert (await wire.result(second)).status == "completed"
    assert (await wire.result(slow)).status == "completed"


async def test_an_abort_frees_a_place(harness: AppHarness, connect: Connect) -> None:
    wire = await connect(max_concurrent=1)
    gate = harness.control.hold_next("create", "before_completed")
    slow = await wire.begin_call("gemini_ask", prompt="slow")
    assert await gate.reached()
    second = await wire.begin_call("gemini_ask", prompt="second")

    await wire.cancel(slow, "user abort")

    assert (await wire.result(second)).status == "completed"


async def heavy_duty(harness: AppHarness, wire: InProcessClient) -> None:
    """Much text in, much text out, and everything that reads it again."""
    harness.control.answer_when("much", Answer(text="word. " * 100_000))
    said = await wire.call("gemini_ask", prompt="how much?")
    await wire.call("gemini_result", id=said.id, offset=300_000)
    await wire.call("gemini_continue", prompt="x " * 500_000, response_schema={"type": "object"})
    await wire.call("gemini_history", query="word")
    await wire.call("gemini_history", id=said.conversation, offset=1_000)
    harness.control.expire_all()
    harness.clock.advance(3600)
    await wire.call("gemini_continue", prompt="rebuilt")


async def test_no_step_of_the_loop_is_long(harness: AppHarness, connect: Connect) -> None:
    with watch_loop() as watch:
        wire = await connect()
        await wire.call("gemini_ask", prompt="first")
        await heavy_duty(harness, wire)

    assert watch.slow(LONG) == []
    assert watch.waits == []


async def test_asyncio_itself_finds_no_step_that_blocks(
    harness: AppHarness, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_debug(), loop.slow_callback_duration
    loop.set_debug(True)
    loop.slow_callback_duration = VERY_LONG
    try:
        with caplog.at_level(logging.WARNING, "asyncio"):
            wire = await connect()
            await heavy_duty(harness, wire)
    finally:
        loop.set_debug(before[0])
        loop.slow_callback_duration = before[1]

    assert [each.getMessage() for each in caplog.records if "took" in each.getMessage()] == []


async def test_the_database_is_used_in_threads_of_its_own(
    harness: AppHarness, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    transaction = SQLite.transaction

    def noted(self: SQLite, **how: Any) -> Any:
        threads.add(threading.current_thread())
        return transaction(self, **how)

    monkeypatch.setattr(SQLite, "transaction", noted)
    wire = await connect()
    await wire.call("gemini_ask", prompt="first")
    await wire.call("gemini_continue", prompt="second")

    assert threads
    assert threading.current_thread() not in threads


WHERE = """
import sys, threading

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("google.genai", "httpx2", "sqlite3", "gemini_interactions.components"):
            found.setdefault(name, threading.current_thread() is threading.main_thread())

found = {}
sys.meta_path.insert(0, Finder())
import anyio
from gemini_interactions.app import App
from gemini_interactions.config.settings import Config
import os

async def main():
    app = App(Config.read(os.environ))
    assert not found, found
    async with app.running():
        await app.conversations()
        await app.gemini.warm()

anyio.run(main)
print(found)
"""


@pytest.mark.processes
def test_google_s_sdk_is_imported_in_a_thread_of_its_own(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MCP_DATA_DIR", str(tmp_path))

    told = subprocess.run(
        [sys.executable, "-c", WHERE], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "'google.genai': False" in told.stdout
    assert "True" not in told.stdout
