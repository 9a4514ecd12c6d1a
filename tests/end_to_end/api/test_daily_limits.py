"""Daily limits: new work is refused past them, with the figure and when they end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app_harness import AppHarness, McpClient

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
