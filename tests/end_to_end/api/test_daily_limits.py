"""Daily limits: new work is refused past them, with the figure and when they end."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest

from tests.support.app_harness import AppHarness, McpClient, ToolResult

USED = {"total_input_tokens": 60, "total_output_tokens": 40, "total_tokens": 100}
CALLS: dict[str, dict[str, Any]] = {
    "gemini_ask": {"prompt": "Hello."},
    "gemini_continue": {"prompt": "Hello."},
    "start_deep_research": {"question": "Why?"},
    "gemini_generate_image": {"prompt": "A fig."},
}


async def usage(client: McpClient) -> str:
    (content,) = (await client.sdk_client.read_resource("gemini://usage")).contents
    return str(getattr(content, "text", ""))


@pytest.mark.parametrize("tool", CALLS)
async def test_past_the_limit_of_tokens_new_work_is_refused_with_figure_and_reset(
    harness: AppHarness, tool: str
) -> None:
    client = await harness.connect(daily_token_limit=100)
    harness.control.answer_next({"text": "Hi.", "usage": USED})
    await client.ask("First.")

    said = await client.call(tool, **CALLS[tool])

    assert (said.is_error, said.status) == (True, None)
    assert "limit of 100 tokens is used up (100 so far)" in said.text
    assert "It resets at 00:00 UTC, in 12 h 0 min." in said.text
    assert len(harness.control.posts) == 1


async def test_a_limit_in_dollars_counts_the_estimate(harness: AppHarness) -> None:
    client = await harness.connect(daily_usd_limit=0.01)
    harness.control.answer_next({"text": "Hi.", "usage": {**USED, "total_output_tokens": 10_000}})
    await client.ask("First.")

    said = await client.ask("Second.")

    assert "limit of $0.01 is used up (an estimated $0.04 so far)" in said.text


async def test_the_next_day_work_goes_on_and_what_was_made_stays_readable(
    harness: AppHarness,
) -> None:
    client = await harness.connect(daily_token_limit=100)
    harness.control.answer_next({"text": "Hi.", "usage": USED})
    first = await client.ask("First.")

    read = await client.result(first.id)
    harness.clock.advance(12 * 3600)
    said = await client.follow("Second.")

    assert read.piece == "Hi."
    assert said.status == "completed"


async def test_what_is_left_is_told_before_anything_was_used(harness: AppHarness) -> None:
    client = await harness.connect(daily_token_limit=100)

    assert "Nothing was used." in await usage(client)
    assert "Today's limits: 0 of 100 tokens." in await usage(client)


async def test_asks_at_once_reserve_before_they_are_sent(harness: AppHarness) -> None:
    client = await harness.connect(daily_token_limit=3_000)
    used = {"total_input_tokens": 100, "total_output_tokens": 1_200, "total_tokens": 1_300}
    said: list[ToolResult] = []

    async def ask(number: int) -> None:
        said.append(await client.ask(f"Question {number}?"))

    for _ in range(30):
        harness.control.answer_next({"text": "Hi.", "usage": used})
    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(ask, number)

    sent = len(harness.control.posts)
    refused = [each for each in said if each.is_error]
    assert sent == 2
    assert len(refused) == 30 - sent
    assert all("3,000 tokens has no room" in each.text for each in refused)
    assert all("reserved for work in flight" in each.text for each in refused)
    assert all("It resets at 00:00 UTC" in each.text for each in refused)
    assert "2,600 of 3,000 tokens" in await usage(client)
    assert "Reserved for work in flight: nothing." in await usage(client)


async def test_work_in_flight_shows_as_reserved(harness: AppHarness) -> None:
    client = await harness.connect(max_wait_seconds=0.2)
    gate = harness.control.hold_next("create", "before_completed")

    running = await client.ask("Slowly.")
    during = await usage(client)
    gate.release()
    await client.result(running.id, wait_seconds=30)

    assert re.search(r"Reserved for work in flight: 1,\d\d\d tokens", during)
    assert "Reserved for work in flight: nothing." in await usage(client)


async def test_small_asks_are_not_refused_because_others_may_be_long(harness: AppHarness) -> None:
    client = await harness.connect(daily_token_limit=6_000)
    for _ in range(40):
        harness.control.answer_next({"text": "Hi.", "usage": USED})

    said = [await client.ask(f"Question {number}?") for number in range(40)]

    assert {each.status for each in said} == {"completed"}


async def test_a_queued_turn_that_no_longer_fits_fails_with_its_prompt_kept(
    harness: AppHarness,
) -> None:
    client = await harness.connect(daily_token_limit=8_000, max_wait_seconds=0.2)
    slow = harness.control.hold_next("create", "before_completed")
    harness.control.answer_next({"text": "Long.", "usage": {**USED, "total_tokens": 7_900}})
    first = await client.ask("One.")
    queued = await client.follow("Two.", conversation_id=first.conversation)

    slow.release()
    said = await client.result(queued.id, wait_seconds=30)

    assert (said.status, said.is_error) == ("failed", True)
    assert "has no room for this: 7,900 booked" in said.text
    assert len(harness.control.posts) == 1
    transcript = await client.history(id=first.conversation)
    assert "Two." in transcript.text


async def test_a_single_run_dearer_than_the_limit_says_the_figure_it_needs(
    harness: AppHarness,
) -> None:
    client = await harness.connect(daily_usd_limit=0.5)

    said = await client.call("start_deep_research", question="Why?")

    assert said.is_error
    assert "estimated at $2.00, more than the whole daily limit of $0.50" in said.text
    assert "It needs a limit of at least $2.00." in said.text
    assert harness.control.posts == []


async def test_researches_in_flight_count_with_the_middle_of_what_they_cost(
    harness: AppHarness,
) -> None:
    client = await harness.connect(daily_usd_limit=5)
    harness.control.hold_background()

    said = [await client.call("start_deep_research", question=f"Why {n}?") for n in range(4)]

    assert [each.is_error for each in said] == [False, False, True, True]
    assert "$0.00 booked, $4.00 reserved" in said[-1].text
    assert len(harness.control.posts) == 2


async def test_two_processes_share_what_is_reserved(harness: AppHarness) -> None:
    one = await harness.connect(daily_usd_limit=5)
    other = await harness.connect(daily_usd_limit=5)
    harness.control.hold_background()
    said: list[ToolResult] = []

    async def start(client: McpClient, number: int) -> None:
        said.append(await client.call("start_deep_research", question=f"Why {number}?"))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(start, [one, other][number % 2], number)

    assert sum(not each.is_error for each in said) == len(harness.control.posts) == 2


async def test_an_interrupted_turn_that_was_sent_is_booked_as_estimated(
    harness: AppHarness,
) -> None:
    first = await harness.connect(max_wait_seconds=0.2)
    harness.control.hold_next("create", "before_created")
    running = await first.ask("Hello.")
    await first.disconnect()
    second = await harness.connect()

    said = await second.result(running.id)
    told = await usage(second)

    assert said.status == "interrupted"
    assert "It may have been sent" in said.text
    assert re.search(r"\| 1 \(1 estimated\) \| 1,\d\d\d \|", told)
    assert "booked with what such calls usually use" in told


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_tokens": -5_000, "total_input_tokens": -5_000},
        {"total_tokens": 10**18, "total_output_tokens": 10**18},
        {"total_tokens": 0.5},
    ],
    ids=["negative", "huge", "fractional"],
)
async def test_usage_that_cannot_be_true_neither_opens_nor_fills_a_limit(
    harness: AppHarness, wrong: dict[str, Any]
) -> None:
    client = await harness.connect(daily_token_limit=1_000_000)
    harness.control.answer_next({"text": "Hi.", "usage": wrong})

    said = await client.ask("Hello.")
    again = await client.ask("Hello again.")

    assert said.status == again.status == "completed"
    (tokens,) = re.findall(r"Today's limits: ([\d,]+) of", await usage(client))
    assert 0 < int(tokens.replace(",", "")) < 10_000
