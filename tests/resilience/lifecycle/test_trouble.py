"""Trouble with the store and the clock: an answer that is paid for reaches who waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from types import ModuleType
from typing import Any

import anyio
import pytest

from gemini_emulator import Answer
from gemini_interactions.bridge.retention import Retention
from gemini_interactions.store import conversations, sessions, turns, usage
from gemini_interactions.store.databases import sqlite
from gemini_interactions.store.databases.database import StoreError
from tests.resilience.lifecycle.conftest import Connect
from tests.support import db_inspection
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.jsonrpc_client import PATIENCE

Break = Callable[..., Callable[[], None]]

CITED = {
    "type": "model_output",
    "content": [
        {
            "type": "text",
            "text": "Storks nest here.",
            "annotations": [
                {
                    "type": "url_citation",
                    "start_index": 0,
                    "end_index": 6,
                    "title": "example.org",
                    "url": "https://vertexaisearch.cloud.google.com/grounding-api-redirect/a",
                }
            ],
        }
    ],
}


@pytest.fixture
def break_down(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Makes one kind of transaction fail until what it returns is called."""

    def break_it(module: ModuleType, name: str) -> Callable[[], None]:
        does = getattr(module, name)

        def fail(*_: Any, **__: Any) -> Any:
            raise StoreError("The disk is full.")

        monkeypatch.setattr(module, name, fail)
        return lambda: monkeypatch.setattr(module, name, does)

    return break_it


async def looked_after(client: McpClient) -> None:
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()


# ------------------------------------------------------------------------------- the store


async def test_an_answer_that_cannot_be_written_down_reaches_its_caller(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    break_down(turns, "finish_and_read")

    said = await client.ask("hello")

    assert said.status == "completed"
    assert said.piece.startswith('You said: "hello".')
    assert "tokens" in said.footer


async def test_it_can_be_read_again_and_is_written_down_once_that_is_possible(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    mend = break_down(turns, "finish_and_read")
    said = await client.ask("hello")

    again = await client.result(said.id)
    early = db_inspection.turns(harness.folder)[0]["status"]
    mend()
    await looked_after(client)

    assert again.text == said.text
    assert early == "running"
    row = db_inspection.turns(harness.folder)[0]
    assert (row["status"], row["lease_holder"]) == ("completed", "")
    assert (await (await harness.connect()).result(said.id)).text == said.text


async def test_what_follows_builds_on_it_meanwhile(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    mend = break_down(turns, "finish_and_read")
    said = await client.ask("hello")
    mend()

    more = await client.follow("and more")

    assert more.status == "completed"
    assert harness.last["previous_interaction_id"] == said.interaction


async def test_it_is_written_down_at_the_end_at_the_latest(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    mend = break_down(turns, "finish_and_read")
    await client.ask("hello")
    mend()

    await client.disconnect()

    assert db_inspection.turns(harness.folder)[0]["status"] == "completed"


async def test_if_it_never_can_be_the_next_process_finds_it_at_google(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    mend = break_down(turns, "finish_and_read")
    said = await client.ask("hello")
    await client.disconnect()
    mend()

    other = await harness.connect()
    found = await other.result(said.id, wait_seconds=5)

    assert found.status == "completed"
    assert found.piece == said.piece
    assert len(harness.bodies) == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (turns, "named"),
        (turns, "waits"),
        (usage, "add_usage"),
        (sessions, "set_current"),
    ],
    ids=["named", "waits", "add_usage", "set_current"],
)
async def test_an_answer_does_not_depend_on_what_is_noted_beside_it(
    harness: AppHarness, client: McpClient, break_down: Break, module: ModuleType, name: str
) -> None:
    break_down(module, name)

    said = await client.ask("hello")
    again = await client.result(said.id)

    assert said.status == again.status == "completed"
    row = db_inspection.turns(harness.folder)[0]
    assert (row["status"], row["interaction_id"]) == ("completed", said.interaction)


@pytest.mark.parametrize(
    ("module", "name"), [(conversations, "begin"), (turns, "joinable")], ids=["begin", "joinable"]
)
async def test_what_cannot_be_written_down_first_is_not_sent(
    harness: AppHarness, client: McpClient, break_down: Break, module: ModuleType, name: str
) -> None:
    break_down(module, name)

    said = await client.ask("hello")

    assert said.is_error
    assert "The disk is full." in said.text
    assert harness.bodies == []


async def test_a_turn_that_cannot_be_marked_as_sent_is_not_sent(
    harness: AppHarness, client: McpClient, break_down: Break
) -> None:
    break_down(turns, "claim_send")

    said = await client.ask("hello")

    assert said.status == "failed"
    assert harness.bodies == []


async def test_an_abort_that_cannot_be_written_down_still_stops_google(
    harness: AppHarness, connect: Connect, break_down: Break
) -> None:
    wire = await connect()
    break_down(turns, "finish_and_read")
    gate = harness.control.hold_next("create", "before_completed")
    call = await wire.begin_call("gemini_ask", prompt="hello")
    assert await gate.reached()

    await wire.cancel(call, "user abort")

    assert await harness.control.until(lambda: harness.control.posts[0].closed_early)
    id = db_inspection.turns(harness.folder)[0]["id"]
    found = await wire.call("gemini_result", id=id, wait_seconds=10)
    assert found.status == "cancelled"


async def test_a_disk_that_is_really_full_loses_nothing(
    harness: AppHarness, client: McpClient
) -> None:
    await client.history()
    assert client.app._components is not None
    connection: Any = client.app._components.store._database._connection  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    harness.control.answer_next(Answer(text="word " * 100_000))
    gate = harness.control.hold_next("create", "before_completed")
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await client.ask("much"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        gate.release()
    early = db_inspection.turns(harness.folder)[0]["status"]
    connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    await looked_after(client)

    assert answers[0].status == "completed"
    assert early == "running"
    row = db_inspection.turns(harness.folder)[0]
    assert (row["status"], len(row["text"])) == ("completed", 500_000)


async def test_a_database_that_somebody_holds_loses_nothing(
    harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE", 0.02)
    client = await harness.connect()
    await client.history()
    gate = harness.control.hold_next("create", "before_completed")
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await client.ask("hello"))

    with closing(sqlite3.connect(harness.folder / "gemini.db", isolation_level=None)) as somebody:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            assert await gate.reached()
            with anyio.fail_after(60):
                while not db_inspection.turns(harness.folder)[0]["interaction_id"]:
                    await anyio.sleep(0.01)
            somebody.execute("BEGIN IMMEDIATE")
            gate.release()
        refused = await client.ask("meanwhile")
    await looked_after(client)

    assert answers[0].status == "completed"
    assert refused.text == (
        "The database is busy: another process has held it for too long. Try again."
    )
    assert [row["status"] for row in db_inspection.turns(harness.folder)] == ["completed"]
    assert len(harness.bodies) == 1


# --------------------------------------------------------------- words that are only at Google


@pytest.mark.parametrize("fault", ["503", "hang"])
async def test_words_that_cannot_be_read_from_google_are_missed_in_words_and_in_time(
    harness: AppHarness, fault: str
) -> None:
    client = await harness.connect(transcripts=False)
    said = await client.ask("hello")
    hasty = await harness.connect(transcripts=False, max_wait_seconds=0.1)
    if fault == "503":
        harness.control.fail_next(503, on="get")
    else:
        harness.control.fault_next("hang", on="get")

    without = await hasty.result(said.id)
    harness.control.steering.troubles.clear()  # on a slow machine nobody may have met it
    found = await client.result(said.id)

    assert without.status == "completed"
    assert "could not be read from Google just now: call gemini_result again" in without.text
    assert found.piece == said.piece
    assert "just now" not in found.text


async def test_a_look_that_waits_for_others_does_not_hold_up_the_end(harness: AppHarness) -> None:
    looked, is_late = anyio.Event(), False

    async def resolve(_urls: Sequence[str]) -> Mapping[str, str]:
        if is_late:
            looked.set()
            await anyio.sleep_forever()
        return {}

    harness.resolve = resolve
    client = await harness.connect(transcripts=False)
    harness.control.answer_next(Answer(steps=[CITED]))
    said = await client.ask("hello")
    is_late = True

    async def look() -> None:
        with pytest.raises(ConnectionError):
            await client.result(said.id)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await looked.wait()
        with anyio.fail_after(PATIENCE):
            await client.disconnect()


async def test_leases_are_renewed_while_much_is_deleted(
    harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retention, "tidy", lambda _: anyio.sleep_forever())
    client = await harness.connect(lease_seconds=0.3)
    gate = harness.control.hold_next("create", "before_completed")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.ask, "slow")
        assert await gate.reached()
        harness.clock.advance(60)
        with anyio.fail_after(PATIENCE):
            while db_inspection.turns(harness.folder)[0]["lease_until"] < harness.clock():
                await anyio.sleep(0.01)
        gate.release()


# ------------------------------------------------------------------------------- the clock


async def test_a_clock_that_jumps_ahead_takes_nothing_from_the_process_that_works(
    harness: AppHarness, client: McpClient
) -> None:
    gate = harness.control.hold_next("create", "before_created")
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await client.ask("hello"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached()
        harness.clock.advance(36_000)
        await looked_after(client)
        gate.release()

    assert answers[0].status == "completed"


async def test_a_turn_that_was_given_up_too_early_gets_its_real_outcome(
    harness: AppHarness, client: McpClient
) -> None:
    """As when one process slept while the clock, and another process, went on."""
    other = await harness.connect()
    await other.history()
    gate = harness.control.hold_next("create", "before_created")
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await client.ask("hello"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached()
        harness.clock.advance(36_000)
        await looked_after(other)
        assert db_inspection.turns(harness.folder)[0]["status"] == "running"
        harness.clock.advance(16)
        await looked_after(other)
        early = await other.result(db_inspection.turns(harness.folder)[0]["id"])
        gate.release()

    late = await other.result(early.id)
    assert early.status == "interrupted"
    assert answers[0].status == late.status == "completed"
    assert late.piece == answers[0].piece
    assert len(harness.bodies) == 1


async def test_a_clock_that_is_set_back_loses_nothing(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    harness.clock.advance(-86_400)

    second = await client.follow("two")
    await looked_after(client)

    assert second.status == "completed"
    assert harness.last["previous_interaction_id"] == first.interaction
    assert (await client.result(first.id)).status == "completed"
