"""Service tiers: what is asked for, what Google gave, and what flex means for waiting."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_emulator import Answer
from tests.support.app_harness import AppHarness, McpClient

USAGE = {"total_input_tokens": 1_000_000, "total_output_tokens": 0, "total_tokens": 1_000_000}


async def test_a_tier_goes_upstream_as_it_is_and_is_remembered(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("Hello.", service_tier="priority")
    await client.follow("And?", conversation_id=first.conversation)
    await client.follow("Once more.", conversation_id=first.conversation, service_tier="standard")

    assert [body.get("service_tier") for body in harness.bodies] == [
        "priority",
        "priority",
        "standard",
    ]


async def test_no_tier_is_sent_where_none_is_named(harness: AppHarness, client: McpClient) -> None:
    said = await client.ask("Hello.")

    assert "service_tier" not in harness.last
    assert "tier" not in said.footer
    assert "service_tier" not in said.facts


async def test_the_default_tier_can_be_set(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_SERVICE_TIER="priority")
    client = await harness.connect()

    said = await client.ask("Hello.")

    assert harness.last["service_tier"] == "priority"
    assert said.facts["service_tier"] == "priority"


async def test_the_footer_names_the_tier_that_google_gave(
    harness: AppHarness, client: McpClient
) -> None:
    given = {"service_tier": "standard"}
    harness.control.answer_next(Answer("Yes.", usage=USAGE, fields=given))

    said = await client.ask("Hello.", service_tier="priority")

    assert "tier" not in said.footer
    assert "~$0.75" in said.footer


async def test_flex_is_made_in_the_background_and_costs_half(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next(Answer("Yes.", usage=USAGE))

    said = await client.ask("Hello.", service_tier="flex")

    assert (said.status, said.piece) == ("completed", "Yes.")
    assert (harness.last["service_tier"], harness.last["background"]) == ("flex", True)
    assert "stream" not in harness.last
    assert said.footer.endswith("~$0.3750 · flex tier")


async def test_flex_that_keeps_nothing_at_google_is_made_in_the_foreground(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.ask("Hello.", service_tier="flex", store=False)

    assert said.status == "completed"
    assert harness.last["stream"] is True
    assert "background" not in harness.last


async def test_flex_answers_running_with_its_id_and_is_collected_later(
    harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_interactions.bridge.turns.submission.FLEX_WAIT", 0.2)
    client = await harness.connect()
    harness.control.hold_background()

    first = await client.ask("Hello.", service_tier="flex")
    harness.control.finish(first.interaction, "At last.")
    said = await client.result(first.id, wait_seconds=30)

    assert first.status == "running"
    assert first.interaction.startswith("v1_")
    assert (said.status, said.piece) == ("completed", "At last.")
    assert len(harness.bodies) == 1


@pytest.mark.parametrize("status", [503, 429])
async def test_a_full_flex_tier_is_told_at_once_with_the_standard_price(
    harness: AppHarness, client: McpClient, status: int
) -> None:
    more: dict[str, Any] = {"retry_after": 1} if status == 429 else {}
    harness.control.fail_next(status, **more)

    said = await client.ask("Hello.", service_tier="flex")

    assert said.status == "failed"
    assert "no room in the flex tier" in said.text
    assert "$0.75 in and $3.75 out" in said.text
    assert len(harness.bodies) == 1


async def test_research_takes_a_tier(harness: AppHarness, client: McpClient) -> None:
    await client.call("start_deep_research", question="Why?", service_tier="flex")

    assert harness.last["service_tier"] == "flex"


async def test_cached_input_is_counted_at_its_price(harness: AppHarness, client: McpClient) -> None:
    first = await client.ask("Long. " * 1000)

    said = await client.follow("And?", conversation_id=first.conversation)

    assert said.facts["usage"]["cached_tokens"] >= 1024
