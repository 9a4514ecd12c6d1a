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


async def usage(guest: McpClient) -> str:
    (content,) = (await guest.client.read_resource("gemini://usage")).contents
    return str(getattr(content, "text", ""))


@pytest.mark.parametrize("tool", CALLS)
async def test_past_the_limit_of_tokens_new_work_is_refused_with_figure_and_reset(
    house: AppHarness, tool: str
) -> None:
    guest = await house.connect(daily_token_limit=100)
    house.brain.answer_next({"text": "Hi.", "usage": USED})
    await guest.ask("First.")

    said = await guest.call(tool, **CALLS[tool])

    assert (said.is_error, said.status) == (True, None)
    assert "limit of 100 tokens is used up (100 so far)" in said.text
    assert "It resets at 00:00 UTC, in 12 h 0 min." in said.text
    assert len(house.brain.posts) == 1


async def test_a_limit_in_dollars_counts_the_estimate(house: AppHarness) -> None:
    guest = await house.connect(daily_usd_limit=0.01)
    house.brain.answer_next({"text": "Hi.", "usage": {**USED, "total_output_tokens": 10_000}})
    await guest.ask("First.")

    said = await guest.ask("Second.")

    assert "limit of $0.01 is used up (an estimated $0.04 so far)" in said.text


async def test_the_next_day_work_goes_on_and_what_was_made_stays_readable(
    house: AppHarness,
) -> None:
    guest = await house.connect(daily_token_limit=100)
    house.brain.answer_next({"text": "Hi.", "usage": USED})
    first = await guest.ask("First.")

    read = await guest.result(first.id)
    house.clock.advance(12 * 3600)
    said = await guest.follow("Second.")

    assert read.piece == "Hi."
    assert said.status == "completed"


async def test_what_is_left_is_told_before_anything_was_used(house: AppHarness) -> None:
    guest = await house.connect(daily_token_limit=100)

    assert "Nothing was used." in await usage(guest)
    assert "Today's limits: 0 of 100 tokens." in await usage(guest)


async def test_asks_at_once_reserve_before_they_are_sent(house: AppHarness) -> None:
    guest = await house.connect(daily_token_limit=3_000)
    used = {"total_input_tokens": 100, "total_output_tokens": 1_200, "total_tokens": 1_300}
    said: list[ToolResult] = []

    async def ask(number: int) -> None:
        said.append(await guest.ask(f"Question {number}?"))

    for _ in range(30):
        house.brain.answer_next({"text": "Hi.", "usage": used})
    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(ask, number)

    sent = len(house.brain.posts)
    refused = [each for each in said if each.is_error]
    assert sent == 2
    assert len(refused) == 30 - sent
    assert all("3,000 tokens has no room" in each.text for each in refused)
    assert all("reserved for work in flight" in each.text for each in refused)
    assert all("It resets at 00:00 UTC" in each.text for each in refused)
    assert "2,600 of 3,000 tokens" in await usage(guest)
    assert "Reserved for work in flight: nothing." in await usage(guest)


async def test_work_in_flight_shows_as_reserved(house: AppHarness) -> None:
    guest = await house.connect(max_wait_seconds=0.2)
    gate = house.brain.hold_next("create", "before_completed")

    running = await guest.ask("Slowly.")
    during = await usage(guest)
    gate.release()
    await guest.result(running.id, wait_seconds=30)

    assert re.search(r"Reserved for work in flight: 1,\d\d\d tokens", during)
    assert "Reserved for work in flight: nothing." in await usage(guest)


async def test_small_asks_are_not_refused_because_others_may_be_long(house: AppHarness) -> None:
    guest = await house.connect(daily_token_limit=6_000)
    for _ in range(40):
        house.brain.answer_next({"text": "Hi.", "usage": USED})

    said = [await guest.ask(f"Question {number}?") for number in range(40)]

    assert {each.status for each in said} == {"completed"}


async def test_a_queued_turn_that_no_longer_fits_fails_with_its_prompt_kept(
    house: AppHarness,
) -> None:
    guest = await house.connect(daily_token_limit=8_000, max_wait_seconds=0.2)
    slow = house.brain.hold_next("create", "before_completed")
    house.brain.answer_next({"text": "Long.", "usage": {**USED, "total_tokens": 7_900}})
    first = await guest.ask("One.")
    queued = await guest.follow("Two.", conversation_id=first.conversation)

    slow.release()
    said = await guest.result(queued.id, wait_seconds=30)

    assert (said.status, said.is_error) == ("failed", True)
    assert "has no room for this: 7,900 booked" in said.text
    assert len(house.brain.posts) == 1
    transcript = await guest.history(id=first.conversation)
    assert "Two." in transcript.text


async def test_a_single_run_dearer_than_the_limit_says_the_figure_it_needs(
    house: AppHarness,
) -> None:
    guest = await house.connect(daily_usd_limit=0.5)

    said = await guest.call("start_deep_research", question="Why?")

    assert said.is_error
    assert "estimated at $2.00, more than the whole daily limit of $0.50" in said.text
    assert "It needs a limit of at least $2.00." in said.text
    assert house.brain.posts == []


async def test_researches_in_flight_count_with_the_middle_of_what_they_cost(
    house: AppHarness,
) -> None:
    guest = await house.connect(daily_usd_limit=5)
    house.brain.hold_background()

    said = [await guest.call("start_deep_research", question=f"Why {n}?") for n in range(4)]

    assert [each.is_error for each in said] == [False, False, True, True]
    assert "$0.00 booked, $4.00 reserved" in said[-1].text
    assert len(house.brain.posts) == 2


async def test_two_processes_share_what_is_reserved(house: AppHarness) -> None:
    one = await house.connect(daily_usd_limit=5)
    other = await house.connect(daily_usd_limit=5)
    house.brain.hold_background()
    said: list[ToolResult] = []

    async def start(guest: McpClient, number: int) -> None:
        said.append(await guest.call("start_deep_research", question=f"Why {number}?"))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(start, [one, other][number % 2], number)

    assert sum(not each.is_error for each in said) == len(house.brain.posts) == 2


async def test_an_interrupted_turn_that_was_sent_is_booked_as_estimated(house: AppHarness) -> None:
    first = await house.connect(max_wait_seconds=0.2)
    house.brain.hold_next("create", "before_created")
    running = await first.ask("Hello.")
    await first.leave()
    second = await house.connect()

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
    house: AppHarness, wrong: dict[str, Any]
) -> None:
    guest = await house.connect(daily_token_limit=1_000_000)
    house.brain.answer_next({"text": "Hi.", "usage": wrong})

    said = await guest.ask("Hello.")
    again = await guest.ask("Hello again.")

    assert said.status == again.status == "completed"
    (tokens,) = re.findall(r"Today's limits: ([\d,]+) of", await usage(guest))
    assert 0 < int(tokens.replace(",", "")) < 10_000
