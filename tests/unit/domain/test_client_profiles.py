"""What is known of the clients that call."""

import pytest

from gemini_interactions.domain.client_profiles import (
    NAMELESS_CLIENT,
    OTHER_CLIENT,
    Era,
    client_profile,
)


@pytest.mark.parametrize(
    ("client", "characters"),
    [
        ("codex-mcp-client", 11_000),
        ("copilot-cli", 18_000),
        ("gemini-cli-mcp-client", 35_000),
        ("claude-code", 40_000),
        ("opencode", 40_000),
        ("kimi-code", 40_000),
        ("somebody-new", 20_000),
        (" Claude-Code ", 40_000),
        ("", 11_000),
        (None, 11_000),
    ],
)
def test_each_client_has_the_text_budget_it_was_measured_with(
    client: str | None, characters: int
) -> None:
    assert client_profile(client).text_budget == characters


@pytest.mark.parametrize(
    ("client", "era", "seconds"),
    [
        ("google-adk", "legacy", 3.0),
        ("google-adk", "modern", 3.0),
        ("fastmcp", "legacy", 8.0),
        ("fastmcp", "modern", 45.0),
        ("mcp", "legacy", 25.0),
        ("mcp", "modern", 25.0),
        ("mcporter", "legacy", 45.0),
        ("somebody-new", "modern", 45.0),
        (None, "legacy", 45.0),
    ],
)
def test_each_client_has_a_time_budget_below_its_own_limit(
    client: str | None, era: Era, seconds: float
) -> None:
    assert client_profile(client, era).time_budget == seconds


def test_previews_and_facts_are_kept_from_clients_that_show_them_to_their_model_as_text() -> None:
    assert not client_profile("google-adk").previews
    assert not client_profile("kimi-code").facts
    assert not client_profile("@langchain/mcp-adapters").facts


def test_only_a_client_that_was_seen_to_do_it_is_taken_to_send_a_call_twice() -> None:
    assert client_profile("mcp", "legacy").resends
    assert not client_profile("mcp", "modern").resends
    assert not OTHER_CLIENT.resends
    assert not NAMELESS_CLIENT.resends
