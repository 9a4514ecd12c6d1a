"""Looks: when Google is asked how a run stands, by whom, and how often at most."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import anyio
import pytest

from gemini_interactions import app
from gemini_interactions.bridge.research.poller import HASTE, LookRateLimit
from gemini_interactions.bridge.turns.execution import upstream_call
from tests.support.app_harness import McpClient
from tests.support.research_client import ResearchClient, SlowResearchClient, running_count, until
from tests.support.virtual_time_loop import run_in_virtual_time

# -- one run ------------------------------------------------------------------------------


async def test_looks_come_in_growing_intervals_of_about_a_minute_at_most(
    slow: SlowResearchClient,
) -> None:
    started = await slow.start()
    begun = slow.harness.control.posts[0].at

    said = await slow.after(started.id)

    waits = [(later - earlier).total_seconds() for earlier, later in pairwise([begun, *slow.looks])]
    assert said.status == "completed"
    assert 8 <= waits[0] <= 12
    assert sum(waits[:5]) < sum(waits[5:10])
    assert max(waits) < 60 * 1.2 + 5
    assert 20 <= len(waits) <= 40


async def test_intervals_differ_so_that_runs_begun_together_are_not_looked_at_together(
    slow: SlowResearchClient,
) -> None:
    for number in range(20):
        await slow.start(f"Question {number}?")

    await slow.fake_sleep.run(60)

    first = [look for look in slow.looks if look < slow.looks[0] + timedelta(seconds=8)]
    assert len({round(look.timestamp(), 2) for look in first}) > 10


async def test_somebody_who_asks_all_the_time_is_no_reason_to_look_all_the_time(
    slow: SlowResearchClient,
) -> None:
    started = await slow.start()

    for _ in range(30):
        await slow.check(started.id)
        await slow.fake_sleep.run(0.5)

    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(slow.looks)]
    assert len(waits) >= 3
    assert min(waits) >= 1.6


async def test_somebody_who_asks_is_a_reason_to_look_now(slow: SlowResearchClient) -> None:
    started = await slow.start()
    await slow.fake_sleep.run(600)
    before = len(slow.looks)

    await slow.check(started.id)
    await slow.fake_sleep.run(HASTE)  # in case it has looked just before

    await until(lambda: len(slow.looks) > before)


async def test_while_somebody_waits_looks_come_as_often_as_at_first(
    slow: SlowResearchClient,
) -> None:
    started = await slow.start()
    await slow.fake_sleep.run(600)
    slow.harness.control.fault_next("cut_600", on="get")
    before = len(slow.looks)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(slow.check, started.id, wait_seconds=40))
        await until(lambda: len(slow.looks) > before)
        slow.fake_sleep.awake = lambda: 2  # whoever looks now and then, and whoever sees to that
        await slow.fake_sleep.run(40)
        tasks.cancel_scope.cancel()

    assert len(slow.looks) >= before + 4


# -- many runs ----------------------------------------------------------------------------


def test_a_process_looks_ten_times_a_second_at_most_whoever_is_due() -> None:
    looked: list[tuple[float, int]] = []

    async def main() -> None:
        pace = LookRateLimit()

        async def look(number: int) -> None:
            await anyio.sleep(number * 0.001)
            for _ in range(3):
                await pace.go()
                looked.append((anyio.current_time(), number))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(look, number)

    run_in_virtual_time(main)

    times = [time for time, _ in looked]
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(times))
    # With some room, so that eleven which hurry on their way do not arrive in one second.
    assert all(later - earlier >= 1.05 for earlier, later in zip(times, times[10:], strict=False))
    assert times[-1] == pytest.approx((150 - 1) / 9.5, abs=0.01)


def test_whoever_is_due_longest_is_looked_at_first() -> None:
    order: list[int] = []

    async def main() -> None:
        pace = LookRateLimit()

        async def look(number: int) -> None:
            await anyio.sleep(number * 0.01)  # that is when it is due
            await pace.go()
            order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in reversed(range(100)):
                tasks.start_soon(look, number)

    run_in_virtual_time(main)

    assert order == list(range(100))


def test_whoever_somebody_asks_about_is_looked_at_before_all_who_are_only_due() -> None:
    order: list[int] = []
    asked = {70, 40}

    async def main() -> None:
        pace = LookRateLimit()

        async def look(number: int) -> None:
            await pace.go(lambda: number in asked)
            order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(look, number)
            await anyio.sleep(1)
            asked.add(90)

    run_in_virtual_time(main)

    assert order[:3] == [0, 40, 70]
    assert order.index(90) < 15
    assert [number for number in order if number not in asked] == sorted(set(order) - asked)


def test_one_that_ends_while_it_waits_leaves_its_place_to_the_next() -> None:
    order: list[int] = []

    async def main() -> None:
        pace = LookRateLimit()

        async def look(number: int) -> None:
            with anyio.move_on_after(0.05 if number % 2 else 60):
                await pace.go()
                order.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(look, number)

    run_in_virtual_time(main)

    assert order == list(range(0, 20, 2))


def test_after_the_loop_was_busy_those_who_wait_still_leave_one_by_one() -> None:
    times: list[float] = []

    async def main() -> None:
        pace = LookRateLimit()

        async def look() -> None:
            await pace.go()
            times.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(look)
            await anyio.sleep(0.05)
            loop: Any = asyncio.get_running_loop()
            loop._now += 60  # something held it all the time

    run_in_virtual_time(main)

    assert all(later - earlier >= 0.1 for earlier, later in pairwise(times))


def test_after_a_pause_nobody_may_catch_up() -> None:
    times: list[float] = []

    async def main() -> None:
        pace = LookRateLimit()
        await pace.go()
        await anyio.sleep(60)
        for _ in range(5):
            await pace.go()
            times.append(anyio.current_time())

    run_in_virtual_time(main)

    assert times == pytest.approx([60 + number / 9.5 for number in range(5)])


async def test_looks_that_wait_for_the_sdk_leave_one_by_one_all_the_same(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take their places in the pace when it is there, not before."""
    gate = anyio.Event()
    places: list[bool] = []

    async def go(*_: object) -> None:
        places.append(gate.is_set())

    monkeypatch.setattr(LookRateLimit, "go", go)
    monkeypatch.setattr(researcher.client.app.gemini, "warm", gate.wait)
    for number in range(3):
        await researcher.start(f"Storks in {number}?")
    await anyio.sleep(0.2)
    gate.set()
    await until(lambda: len(places) >= 3)

    assert all(places)


# -- several processes ----------------------------------------------------------------------


async def test_a_run_is_watched_by_one_process_at_a_time(researcher: ResearchClient) -> None:
    others = [await researcher.harness.connect() for _ in range(2)]
    started = await researcher.start()
    for other in others:
        await watch(other)

    assert [running_count(each) for each in (researcher.client, *others)] == [1, 0, 0]
    assert (await others[0].result(started.id)).status == "running"


async def test_a_run_of_a_process_that_is_gone_is_taken_over_by_one_of_the_others(
    researcher: ResearchClient,
) -> None:
    doomed = ResearchClient(
        researcher.harness, await researcher.harness.connect(lease_seconds=3600)
    )
    started = await doomed.start()
    others = [await researcher.harness.connect() for _ in range(2)]
    for other in others:
        await other.app.bridge()
    researcher.harness.clock.advance(3601)  # its process is silent: frozen, perhaps

    for other in others:
        await watch(other)
    said = await ResearchClient(researcher.harness, others[1]).check(started.id, wait_seconds=10)

    assert said.status == "completed"
    assert sum(running_count(each) for each in others) == 0


async def test_a_process_that_was_only_frozen_leaves_its_run_to_the_one_that_took_it(
    researcher: ResearchClient,
) -> None:
    frozen = ResearchClient(
        researcher.harness, await researcher.harness.connect(lease_seconds=3600)
    )
    researcher.harness.control.hold_background()
    started = await frozen.start()
    researcher.harness.clock.advance(3601)

    await watch(researcher.client)
    await until(lambda: not running_count(frozen.client))

    assert running_count(researcher.client) == 1
    researcher.harness.control.finish(started.interaction, "# Storks\n\nMany.")
    said = await frozen.check(started.id, wait_seconds=10)
    assert (said.status, said.piece) == ("completed", "# Storks\n\nMany.")


async def test_the_id_of_a_run_is_kept_though_it_comes_while_another_process_takes_the_run_over(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, settled = anyio.Event(), anyio.Event()

    async def sleep(seconds: float) -> None:
        if seconds == upstream_call.HANDED_OVER:
            refused.set()
            await settled.wait()
        await anyio.sleep(min(seconds, 0.05))

    researcher.harness.sleep = sleep
    frozen = ResearchClient(
        researcher.harness, await researcher.harness.connect(lease_seconds=3600)
    )
    await researcher.client.app.bridge()
    assert researcher.client.app.maintenance is not None
    finalizer = researcher.client.app.maintenance._executor._finalizer
    finalize = finalizer.finalize
    gate = researcher.harness.control.hold_next()

    async def finalize_late(*given: Any, **more: Any) -> Any:
        gate.release()
        await refused.wait()
        return await finalize(*given, **more)

    monkeypatch.setattr(finalizer, "finalize", finalize_late)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(frozen.start)
            assert await gate.reached()
            researcher.harness.clock.advance(3601)
            await watch(researcher.client)
            researcher.harness.clock.advance(16)
            await watch(researcher.client)
            settled.set()
    said = await researcher.ended(await researcher.newest())

    assert said.status == "completed"
    assert len(researcher.harness.control.posts) == 1


async def test_a_process_that_ends_well_hands_its_runs_over_at_once(
    researcher: ResearchClient,
) -> None:
    other = await researcher.harness.connect()
    started = await researcher.start()
    await researcher.client.disconnect()

    await watch(other)
    said = await ResearchClient(researcher.harness, other).ended(started.id)

    assert said.status == "completed"


async def test_a_server_that_is_asked_nothing_takes_over_what_another_left(
    researcher: ResearchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LATEST_START", 0.01)
    await researcher.start()
    await researcher.client.disconnect()

    other = await researcher.harness.connect()

    await until(lambda: running_count(other) == 1)


async def watch(client: McpClient) -> None:
    """One round of what a process does every few seconds."""
    await client.app.bridge()
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()
