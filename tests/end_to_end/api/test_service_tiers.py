"""Service tiers: what is asked for, what Google gave, and what flex means for waiting."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_emulator import Answer
from tests.support.app_harness import AppHarness, McpClient

USAGE = {"total_input_tokens": 1_000_000, "total_output_tokens": 0, "total_tokens": 1_000_000}


async def test_a_tier_goes_upstream_as_it_is_and_is_remembered(
    house: AppHarness, guest: McpClient
) -> None:
    first = await guest.ask("Hello.", service_tier="priority")
    await guest.follow("And?", conversation_id=first.conversation)
    await guest.follow("Once more.", conversation_id=first.conversation, service_tier="standard")

    assert [body.get("service_tier") for body in house.bodies] == [
        "priority",
        "priority",
        "standard",
    ]


async def test_no_tier_is_sent_where_none_is_named(house: AppHarness, guest: McpClient) -> None:
    said = await guest.ask("Hello.")

    assert "service_tier" not in house.last
    assert "tier" not in said.footer
    assert "service_tier" not in said.facts


async def test_the_default_tier_can_be_set(house: AppHarness) -> None:
    house.set(GEMINI_MCP_SERVICE_TIER="priority")
    guest = await house.connect()

    said = await guest.ask("Hello.")

    assert house.last["service_tier"] == "priority"
    assert said.facts["service_tier"] == "priority"


async def test_the_footer_names_the_tier_that_google_gave(
    house: AppHarness, guest: McpClient
) -> None:
    given = {"service_tier": "standard"}
    house.brain.answer_next(Answer("Yes.", usage=USAGE, fields=given))

    said = await guest.ask("Hello.", service_tier="priority")

    assert "tier" not in said.footer
    assert "~$0.75" in said.footer


async def test_flex_is_made_in_the_background_and_costs_half(
    house: AppHarness, guest: McpClient
) -> None:
    house.brain.answer_next(Answer("Yes.", usage=USAGE))

    said = await guest.ask("Hello.", service_tier="flex")

    assert (said.status, said.piece) == ("completed", "Yes.")
    assert (house.last["service_tier"], house.last["background"]) == ("flex", True)
    assert "stream" not in house.last
    assert said.footer.endswith("~$0.3750 · flex tier")


async def test_flex_that_keeps_nothing_at_google_is_made_in_the_foreground(
    house: AppHarness, guest: McpClient
) -> None:
    said = await guest.ask("Hello.", service_tier="flex", store=False)

    assert said.status == "completed"
    assert house.last["stream"] is True
    assert "background" not in house.last


async def test_flex_answers_running_with_its_id_and_is_collected_later(
    house: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_interactions.bridge.turns.submission.FLEX_WAIT", 0.2)
    guest = await house.connect()
    house.brain.hold_background()

    first = await guest.ask("Hello.", service_tier="flex")
    house.brain.finish(first.interaction, "At last.")
    said = await guest.result(first.id, wait_seconds=30)

    assert first.status == "running"
    assert first.interaction.startswith("v1_")
    assert (said.status, said.piece) == ("completed", "At last.")
    assert len(house.bodies) == 1


@pytest.mark.parametrize("status", [503, 429])
async def test_a_full_flex_tier_is_told_at_once_with_the_standard_price(
    house: AppHarness, guest: McpClient, status: int
) -> None:
    more: dict[str, Any] = {"retry_after": 1} if status == 429 else {}
    house.brain.fail_next(status, **more)

    said = await guest.ask("Hello.", service_tier="flex")

    assert said.status == "failed"
    assert "no room in the flex tier" in said.text
    assert "$0.75 in and $3.75 out" in said.text
    assert len(house.bodies) == 1


async def test_research_takes_a_tier(house: AppHarness, guest: McpClient) -> None:
    await guest.call("start_deep_research", question="Why?", service_tier="flex")

    assert house.last["service_tier"] == "flex"


async def test_cached_input_is_counted_at_its_price(house: AppHarness, guest: McpClient) -> None:
    first = await guest.ask("Long. " * 1000)

    said = await guest.follow("And?", conversation_id=first.conversation)

    assert said.facts["usage"]["cached_tokens"] >= 1024
