"""The time budget: "running" in time, collected later, never paid for twice meanwhile."""

from __future__ import annotations

import anyio
import pytest

from gemini_emulator import Answer, Gate
from tests.resilience.lifecycle.conftest import Connect
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.protocol import ERAS, Era

WAIT = 0.1


def hold_next(harness: AppHarness) -> Gate:
    """From now on the next answer is held back at its end."""
    harness.control.answer_next(
        Answer(text="Worth waiting for.", thought="**Thinking it over**\n\n")
    )
    return harness.control.hold_next("create", "before_completed")


@pytest.fixture
async def hasty(harness: AppHarness) -> McpClient:
    """A client that gives a call little time."""
    return await harness.connect(max_wait_seconds=WAIT)


async def over(client: McpClient) -> None:
    """Waits until nothing runs any more, and collects nothing."""
    with anyio.fail_after(60):
        while "last turn running" in (await client.history()).text:
            await anyio.sleep(0.01)


async def collect(client: McpClient, said: ToolResult) -> ToolResult:
    found = said
    while found.status == "running":
        found = await client.result(said.id, wait_seconds=40)
    return found


@pytest.mark.parametrize("era", ERAS)
async def test_a_slow_answer_is_running_in_time_and_collected_later(
    harness: AppHarness, connect: Connect, era: Era
) -> None:
    wire = await connect(era, max_wait_seconds=WAIT)
    gate = hold_next(harness)

    call = await wire.begin_call("gemini_ask", prompt="slow")
    running = await wire.result(call)
    early = await wire.call("gemini_result", id=running.id)
    waiting = await wire.begin_call("gemini_result", id=running.id, wait_seconds=40)
    await wire.until(lambda: bool(wire.progress(waiting)))
    gate.release()
    found = await wire.result(waiting)
    while found.status == "running":
        found = await wire.call("gemini_result", id=running.id, wait_seconds=40)

    assert running.status == early.status == "running"
    assert not running.is_error
    assert f'gemini_result with id "{running.id}"' in running.text
    assert found.status == "completed"
    assert found.text.startswith("Worth waiting for.")
    assert found.id == running.id
    assert len(harness.bodies) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_who_waits_hears_what_gemini_is_doing(
    harness: AppHarness, connect: Connect, era: Era
) -> None:
    wire = await connect(era, max_wait_seconds=60.0)
    gate = hold_next(harness)

    call = await wire.begin_call("gemini_ask", prompt="slow")
    await wire.until(lambda: "Writing: Worth waiting for." in words(wire.progress(call)))
    told = wire.progress(call)
    gate.release()
    await wire.answer(call)

    assert told[0][1] == "Waiting for Gemini"
    assert [seconds for seconds, _ in told] == sorted({seconds for seconds, _ in told})


def words(told: list[tuple[float, str]]) -> list[str]:
    return [word for _, word in told]


async def test_nobody_waits_longer_than_the_budget_for_a_result(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")

    again = await hasty.result(running.id, wait_seconds=3600)

    assert again.status == "running"
    gate.release()


async def test_a_queued_continue_says_running_too(harness: AppHarness, hasty: McpClient) -> None:
    gate = hold_next(harness)
    first = await hasty.ask("slow")

    queued = await hasty.follow("and then?")

    assert queued.status == "running"
    assert queued.turn == 2
    assert len(harness.bodies) == 1
    gate.release()
    last = await collect(hasty, queued)
    assert last.status == "completed"
    assert harness.last["previous_interaction_id"] == (await hasty.result(first.id)).interaction


# -------------------------------------------------------------------------------- repeats


async def test_an_identical_call_joins_what_still_runs_and_says_so(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow", thinking="low")

    again = await hasty.ask("slow", thinking="low")
    gate.release()
    last = await collect(hasty, again)

    assert again.status == "running"
    assert again.id == last.id == running.id
    assert "An identical earlier call had started this; nothing was sent twice." in again.tail
    assert last.status == "completed"
    assert len(harness.bodies) == 1


async def test_what_finished_uncollected_is_handed_to_the_repeat(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")
    gate.release()
    await over(hasty)

    again = await collect(hasty, await hasty.ask("slow"))

    assert (again.id, again.status) == (running.id, "completed")
    assert len(harness.bodies) == 1


async def test_once_collected_a_repeat_is_a_new_call(harness: AppHarness, hasty: McpClient) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")
    gate.release()
    await collect(hasty, running)

    again = await collect(hasty, await hasty.ask("slow"))

    assert again.id != running.id
    assert len(harness.bodies) == 2


async def test_once_a_repeat_has_collected_the_next_is_a_new_call(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")
    gate.release()
    joined = await collect(hasty, await hasty.ask("slow"))

    again = await collect(hasty, await hasty.ask("slow"))

    assert joined.id == running.id
    assert again.id != running.id
    assert len(harness.bodies) == 2


async def test_arguments_in_another_order_are_the_same_call(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect(max_wait_seconds=WAIT)
    gate = hold_next(harness)
    running = await wire.call("gemini_ask", prompt="slow", thinking="low")

    again = await wire.call("gemini_ask", thinking="low", prompt="slow")

    assert again.id == running.id
    gate.release()


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "slow."},
        {"prompt": "slow", "thinking": "high"},
        {"prompt": "slow", "store": False},
        {"prompt": "slow", "tools": ["google_search"]},
    ],
    ids=str,
)
async def test_another_argument_is_another_call(
    harness: AppHarness, hasty: McpClient, other: dict[str, object]
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")

    again = await hasty.call("gemini_ask", **other)

    gate.release()
    assert again.id != running.id
    await over(hasty)
    assert len(harness.bodies) == 2


async def test_calls_that_wait_at_once_never_join(harness: AppHarness, client: McpClient) -> None:
    gates = [hold_next(harness) for _ in range(4)]
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await client.ask("four variants"))

    async with anyio.create_task_group() as tasks:
        for gate in gates:
            tasks.start_soon(ask)
            assert await gate.reached()
        for gate in gates:
            gate.release()

    assert len({each.id for each in answers}) == 4
    assert len(harness.bodies) == 4


async def test_only_one_of_two_repeats_joins(harness: AppHarness, hasty: McpClient) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")
    other = hold_next(harness)
    answers: list[ToolResult] = []

    async def ask() -> None:
        answers.append(await hasty.ask("slow"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)

    assert sorted(each.id == running.id for each in answers) == [False, True]
    assert len(harness.bodies) == 2
    gate.release()
    other.release()


async def test_two_repeats_at_once_join_the_two_calls_that_are_owed(
    harness: AppHarness, connect: Connect
) -> None:
    gates = [hold_next(harness) for _ in range(2)]
    wire = await connect(max_wait_seconds=WAIT)
    first = [await wire.begin_call("gemini_ask", prompt="slow") for _ in gates]
    owed = [(await wire.result(call)).id for call in first]

    again = [await wire.begin_call("gemini_ask", prompt="slow") for _ in gates]
    joined = [(await wire.result(call)).id for call in again]

    assert sorted(joined) == sorted(owed)
    assert len(harness.bodies) == 2
    for gate in gates:
        gate.release()


async def test_a_repeat_in_another_session_is_a_new_call(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    one = await hasty.call_in("one", "gemini_ask", prompt="slow")

    other = await hasty.call_in("other", "gemini_ask", prompt="slow")
    same = await hasty.call_in("one", "gemini_ask", prompt="slow")

    assert other.id != one.id
    assert same.id == one.id
    assert len(harness.bodies) == 2
    gate.release()


async def test_a_repeat_in_another_process_of_the_same_session_joins(
    harness: AppHarness, hasty: McpClient
) -> None:
    gate = hold_next(harness)
    one = await hasty.call_in("thread", "gemini_ask", prompt="slow")
    elsewhere = await harness.connect(max_wait_seconds=WAIT)

    again = await elsewhere.call_in("thread", "gemini_ask", prompt="slow")
    gate.release()
    last = await collect(elsewhere, again)

    assert again.id == one.id
    assert last.status == "completed"
    assert len(harness.bodies) == 1


@pytest.mark.parametrize(("minutes", "joins"), [(9.9, True), (10.1, False)])
async def test_a_repeat_joins_for_ten_minutes(
    harness: AppHarness, hasty: McpClient, minutes: float, joins: bool
) -> None:
    gate = hold_next(harness)
    running = await hasty.ask("slow")
    gate.release()
    await over(hasty)
    harness.clock.advance(minutes * 60)

    again = await hasty.ask("slow")

    assert (again.id == running.id) == joins


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_a_call_that_failed_is_paid_anew(
    harness: AppHarness, hasty: McpClient, status: str
) -> None:
    errors = [{"code": "api_error", "message": "Oops."}]
    harness.control.answer_next(Answer(steps=[], status=status, errors=errors))
    gate = harness.control.hold_next("create", "before_completed")
    running = await hasty.ask("slow")
    gate.release()
    await over(hasty)

    again = await collect(hasty, await hasty.ask("slow"))

    assert again.id != running.id
    assert again.status == "completed"
    assert len(harness.bodies) == 2
