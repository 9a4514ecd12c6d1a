"""Interactions made elsewhere: continued by Google's own id, and conversations from then on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.app_harness import AppHarness, McpClient, settings
from tests.support.server_process import spawn


@pytest.fixture
def foreign(house: AppHarness) -> str:
    """An interaction somebody made with another program."""
    body = {"model": "gemini-3.8-flash", "input": "My name is Grace."}
    with house.brain.service.lock:
        interaction = house.brain.service.create(body)
        interaction.conclude(house.brain.service.now())
    return interaction.id


async def test_an_interaction_made_elsewhere_becomes_a_conversation(
    house: AppHarness, guest: McpClient, foreign: str
) -> None:
    said = await guest.follow("What is my name?", conversation_id=foreign)

    assert said.piece == "Your name is Grace."
    assert said.turn == 1
    assert house.last["previous_interaction_id"] == foreign


@pytest.mark.processes
async def test_the_tokens_of_a_gateway_close_nothing_on_stdio(
    house: AppHarness, foreign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MCP_TOKENS_FILE", str(tmp_path / "tokens"))
    server = await spawn(tmp_path)

    await server.hello()
    said = await server.call("gemini_continue", prompt="What is my name?", conversation_id=foreign)
    server.hang_up()
    await server.ended()

    assert said.piece == "Your name is Grace."


async def test_what_was_made_elsewhere_brings_no_settings_along(
    house: AppHarness, guest: McpClient, foreign: str
) -> None:
    await guest.ask("one", system_instruction="Be brief.", tools=["google_search"])

    await guest.follow("two", conversation_id=foreign)

    assert settings(house.last) == {"model": "gemini-3.8-flash"}


async def test_a_conversation_adopted_from_elsewhere_goes_on(
    house: AppHarness, guest: McpClient, foreign: str
) -> None:
    first = await guest.follow("The secret word is fig.", conversation_id=foreign)

    second = await guest.follow("What is the secret word?")
    third = await guest.follow("What is my name?", conversation_id=first.conversation, turn=1)

    assert (second.piece, third.piece) == ("The secret word is fig.", "Your name is Grace.")
    assert house.brain.chain(second.interaction) == [
        foreign,
        first.interaction,
        second.interaction,
    ]


async def test_each_use_of_a_foreign_id_starts_a_conversation_of_its_own(
    guest: McpClient, foreign: str
) -> None:
    first = await guest.follow("one", conversation_id=foreign)
    second = await guest.follow("two", conversation_id=foreign)

    assert first.conversation != second.conversation


async def test_after_a_failure_an_adopted_conversation_starts_again_from_where_it_came(
    house: AppHarness, guest: McpClient, foreign: str
) -> None:
    house.brain.fail_next(500)
    failed = await guest.follow("one", conversation_id=foreign)

    said = await guest.follow("What is my name?", conversation_id=failed.conversation)

    assert said.piece == "Your name is Grace."
    assert said.tail.startswith(
        "Turn 1 failed: this continues from the interaction this conversation began from.\n"
    )


async def test_an_id_google_does_not_know_says_to_start_again(
    house: AppHarness, guest: McpClient
) -> None:
    said = await guest.follow("one", conversation_id=house.brain.unknown_id())

    assert said.is_error
    assert said.text.startswith(
        "Google no longer has what this builds on. Start again with gemini_ask.\n"
    )


async def test_googles_id_of_a_turn_of_ours_is_the_same_as_naming_the_turn(
    house: AppHarness, guest: McpClient
) -> None:
    first = await guest.ask("one", system_instruction="Be brief.")
    await guest.follow("two", system_instruction="Be long.")

    said = await guest.follow("three", conversation_id=first.interaction)

    assert said.id == f"{first.conversation}/3"
    assert house.last["previous_interaction_id"] == first.interaction
    assert house.last["system_instruction"] == "Be brief."


async def test_only_continue_takes_googles_id_even_of_a_turn_of_ours(
    house: AppHarness, guest: McpClient
) -> None:
    asked = await guest.ask("Hello.")
    place = {"conversation_id": asked.interaction}

    picture = await guest.call("gemini_generate_image", prompt="A stork", **place)
    research = await guest.call("start_deep_research", question="Storks?", **place)

    assert picture.is_error
    assert picture.text == research.text
    assert "only gemini_continue takes Google's own ids" in picture.text
    assert len(house.bodies) == 1


async def test_googles_id_and_turn_together_are_refused(
    house: AppHarness, guest: McpClient, foreign: str
) -> None:
    said = await guest.follow("one", conversation_id=foreign, turn=1)

    assert said.is_error
    assert said.text.startswith("`turn` was given, but v1_")
    assert house.bodies == []
