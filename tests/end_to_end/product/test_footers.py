"""Tokens that are shown add up, and small amounts show their digits."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gemini_interactions.bridge.usage.usage_budget import amount, dollars
from tests.support.app_harness import AppHarness, McpClient

USAGES: list[dict[str, int]] = [
    {"total_input_tokens": 8, "total_output_tokens": 4, "total_tokens": 12},
    {
        "total_input_tokens": 8,
        "total_output_tokens": 4,
        "total_thought_tokens": 64,
        "total_tool_use_tokens": 1200,
        "total_tokens": 1276,
    },
    {"total_input_tokens": 8, "total_output_tokens": 4, "total_tokens": 100},
]


@pytest.mark.parametrize("usage", USAGES, ids=["plain", "tool use", "a rest nobody names"])
async def test_the_parts_of_the_tokens_add_up(
    harness: AppHarness, client: McpClient, usage: dict[str, Any]
) -> None:
    harness.control.answer_next({"steps": [], "text": "Fine.", "usage": usage})

    said = await client.ask("Hello.")

    shown = re.search(r"([\d,]+) tokens \(([^)]*)\)", said.footer)
    assert shown, said.footer
    parts = [int(part.split()[0].replace(",", "")) for part in shown[2].split(", ")]
    assert sum(parts) == int(shown[1].replace(",", ""))
    assert ("tool use" in shown[2]) == ("total_tool_use_tokens" in usage)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        (0.0, "$0"),
        (0.0000021, "$0.0000021"),
        (0.00003, "$0.00003"),
        (0.0004, "$0.0004"),
        (0.0123, "$0.0123"),
        (0.9999, "$1.00"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
    ],
)
def test_an_amount_shows_that_it_is_not_nothing(usd: float, shown: str) -> None:
    assert amount(usd) == shown
    assert dollars(usd) == f"~{shown}"
