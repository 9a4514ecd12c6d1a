"""Interactions made elsewhere: continued by Google's own id, and conversations from then on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.app_harness import AppHarness, McpClient, settings
from tests.support.server_process import spawn


@pytest.fixture
def foreign(harness: AppHarness) -> str:
    """An interaction somebody made with another program."""
    body = {"model": "gemini-3.8-flash", "input": "My name is Grace."}
    with harness.control.service.lock:
        interaction = harness.control.service.create(body)
        interaction.conclude(harness.control.service.now())
    return interaction.id


async def test_an_interaction_made_elsewhere_becomes_a_conversation(
    harness: AppHarness, client: McpClient, foreign: str
) -> None:
    said = await client.follow("What is my name?", conversation_id=foreign)

    assert said.piece == "Your name is Grace."
    assert said.turn == 1
    assert harness.last["previous_interaction_id"] == foreign


@pytest.mark.processes
async def test_the_tokens_of_a_gateway_close_nothing_on_stdio(
    harness: AppHarness, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MCP_TOKENS_FILE", str(tmp_path / "tokens"))
    server = await spawn(tmp_path)

    await server.hello()
    said = await server.call("gemini_continue", prompt="What is my name?", conversation_id=foreign)
    server.hang_up()
    await server.ended()

    assert said.piece == "Your name is Grace."


async def test_what_was_made_elsewhere_brings_no_settings_along(
    harness: AppHarness, client: McpClient, foreign: str
) -> None:
    await client.ask("one", system_instruction="Be brief.", tools=["google_search"])

    await client.follow("two", conversation_id=foreign)

    assert settings(harness.last) == {"model": "gemini-3.8-flash"}


async def test_a_conversation_adopted_from_elsewhere_goes_on(
    harness: AppHarness, client: McpClient, foreign: str
) -> None:
    first = await client.follow("The secret word is fig.", conversation_id=foreign)

    second = await client.follow("What is the secret word?")
    third = await client.follow("What is my name?", conversation_id=first.conversation, turn=1)

    assert (second.piece, third.piece) == ("The secret word is fig.", "Your name is Grace.")
    assert harness.control.chain(second.interaction) == [
        foreign,
        first.interaction,
        second.interaction,
    ]


async def test_each_use_of_a_foreign_id_starts_a_conversation_of_its_own(
    client: McpClient, foreign: str
) -> None:
    first = await client.follow("one", conversation_id=foreign)
    second = await client.follow("two", conversation_id=foreign)

    assert first.conversation != second.conversation


async def test_after_a_failure_an_adopted_conversation_starts_again_from_where_it_came(
    harness: AppHarness, client: McpClient, foreign: str
) -> None:
    harness.control.fail_next(500)
    failed = await client.follow("one", conversation_id=foreign)

    said = await client.follow("What is my name?", conversation_id=failed.conversation)

    assert said.piece == "Your name is Grace."
    assert said.tail.startswith(
        "Turn 1 failed: this continues from the interaction this conversation began from.\n"
    )


async def test_an_id_google_does_not_know_says_to_start_again(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.follow("one", conversation_id=harness.control.unknown_id())

    assert said.is_error
    assert said.text.startswith(
        "Google no longer has what this builds on. Start again with gemini_ask.\n"
    )


async def test_googles_id_of_a_turn_of_ours_is_the_same_as_naming_the_turn(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one", system_instruction="Be brief.")
    await client.follow("two", system_instruction="Be long.")

    said = await client.follow("three", conversation_id=first.interaction)

    assert said.id == f"{first.conversation}/3"
    assert harness.last["previous_interaction_id"] == first.interaction
    assert harness.last["system_instruction"] == "Be brief."


async def test_only_continue_takes_googles_id_even_of_a_turn_of_ours(
    harness: AppHarness, client: McpClient
) -> None:
    asked = await client.ask("Hello.")
    place = {"conversation_id": asked.interaction}

    picture = await client.call("gemini_generate_image", prompt="A stork", **place)
    research = await client.call("start_deep_research", question="Storks?", **place)

    assert picture.is_error
    assert picture.text == research.text
    assert "only gemini_continue takes Google's own ids" in picture.text
    assert len(harness.bodies) == 1


async def test_googles_id_and_turn_together_are_refused(
    harness: AppHarness, client: McpClient, foreign: str
) -> None:
    said = await client.follow("one", conversation_id=foreign, turn=1)

    assert said.is_error
    assert said.text.startswith("`turn` was given, but v1_")
    assert harness.bodies == []
