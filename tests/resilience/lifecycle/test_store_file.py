"""The store's file: removed or replaced under a running server, and the length of its log."""

from __future__ import annotations

import shutil
from pathlib import Path

import anyio

from gemini_interactions.store import Store
from gemini_interactions.store.databases.sqlite import MOST_WAL
from tests.support import db_inspection
from tests.support.app_harness import AppHarness, McpClient
from tests.support.factories import begin, reload


async def renew(client: McpClient) -> None:
    """One round of what a process does every few seconds."""
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()


def remove(folder: Path) -> None:
    for file in folder.glob("gemini.db*"):
        file.unlink()


async def test_new_work_is_refused_in_words_while_the_file_is_gone(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Before.")
    remove(harness.folder)

    said = await client.ask("Is anybody there?")

    assert said.is_error
    assert said.status is None
    assert "The data folder of this server was removed or replaced" in said.text
    assert len(harness.bodies) == 1


async def test_after_one_renewal_work_goes_on_in_a_new_file(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Before.")
    shutil.rmtree(harness.folder)

    await renew(client)
    said = await client.ask("After.")

    assert said.status == "completed"
    assert db_inspection.turn(harness.folder, said.id)["prompt"] == "After."


async def test_what_is_in_flight_is_finished_delivered_and_written_into_the_new_file(
    harness: AppHarness,
) -> None:
    client = await harness.connect(max_wait_seconds=0.3)
    research = await client.call("start_deep_research", question="Why?")
    gate = harness.control.hold_next("create", "before_completed")
    running = await client.ask("Slowly.")
    assert running.status == "running"
    remove(harness.folder)

    await renew(client)
    gate.release()
    said = await client.result(running.id, wait_seconds=30)
    other = await harness.connect()
    again = await other.result(running.id)
    checked = await other.call("check_research", research_id=research.facts["research_id"])

    assert said.status == again.status == "completed"
    assert again.piece == said.piece
    assert checked.status in ("running", "completed")
    assert len(harness.bodies) == 2


async def test_what_ended_before_the_next_renewal_is_written_anew_too(
    harness: AppHarness, client: McpClient
) -> None:
    gate = harness.control.hold_next("create", "before_completed")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.ask, "Slowly.")
        assert await gate.reached()
        remove(harness.folder)
        gate.release()
    await renew(client)

    (row,) = db_inspection.turns(harness.folder)
    assert (row["prompt"], row["status"]) == ("Slowly.", "completed")


async def test_a_file_that_was_put_in_its_place_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "gemini.db"
    store = await Store.open(f"sqlite:///{path}")
    ours = await begin(store, holder="ours")
    path.rename(tmp_path / "away.db")
    remove(tmp_path)
    second = await Store.open(f"sqlite:///{path}")
    theirs = await begin(second, holder="theirs")

    assert not store.is_in_place()
    assert await store.reopen(holder="ours", since=1e9) == 1
    assert store.is_in_place()

    assert await reload(store, ours) == ours
    assert await reload(store, theirs) == theirs
    await store.close()
    await second.close()


async def test_the_log_of_the_database_does_not_stay_as_long_as_one_huge_answer(
    tmp_path: Path,
) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/gemini.db")
    turn = await begin(store)
    await store.finish(turn, status="completed", now=101, text="x" * (MOST_WAL + 2**20))
    await begin(store)

    assert (tmp_path / "gemini.db-wal").stat().st_size <= MOST_WAL
    await store.close()
