"""Chains: each turn continues the one before it, and says again what Google does not remember."""

from __future__ import annotations

import pytest

from tests.support.app_harness import AppHarness, McpClient, settings

SEARCH = [{"type": "google_search"}]


# ------------------------------------------------------------------------------- five turns


async def test_five_turns_remember_their_settings_and_change_and_clear_them(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask(
        "one",
        model="pro",
        tools=["google_search", "url_context"],
        thinking="high",
        system_instruction="Be brief.",
    )
    await client.follow("two")
    await client.follow("three", model="fast", tools=["code_execution"])
    await client.follow("four", tools=["none"], system_instruction="none")
    last = await client.follow("five", thinking="low", system_instruction="Be kind.")

    pro = "gemini-4-argon"
    assert [settings(body) for body in harness.bodies] == [
        {
            "model": pro,
            "thinking": "high",
            "tools": ["google_search", "url_context"],
            "system_instruction": "Be brief.",
        },
        {
            "model": pro,
            "thinking": "high",
            "tools": ["google_search", "url_context"],
            "system_instruction": "Be brief.",
        },
        {
            "model": "gemini-3.8-flash",
            "thinking": "high",
            "tools": ["code_execution"],
            "system_instruction": "Be brief.",
        },
        {"model": "gemini-3.8-flash", "thinking": "high"},
        {"model": "gemini-3.8-flash", "thinking": "low", "system_instruction": "Be kind."},
    ]
    assert last.id == f"{first.conversation}/5"


async def test_every_turn_builds_on_the_interaction_before_it(
    harness: AppHarness, client: McpClient
) -> None:
    said = [await client.ask("one")]
    said += [await client.follow(word) for word in ("two", "three", "four", "five")]

    assert [body.get("previous_interaction_id") for body in harness.bodies] == [
        None,
        *(each.interaction for each in said[:4]),
    ]
    assert harness.control.chain(said[-1].interaction) == [each.interaction for each in said]
    assert [each.turn for each in said] == [1, 2, 3, 4, 5]
    assert len({each.conversation for each in said}) == 1


async def test_gemini_remembers_what_was_said_turns_ago(client: McpClient) -> None:
    await client.ask("My name is Ada.")
    for word in ("two", "three", "four"):
        await client.follow(word)

    said = await client.follow("What is my name?")

    assert said.piece == "Your name is Ada."


async def test_settings_are_left_out_where_nobody_gave_them(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("plain")

    assert settings(harness.last) == {"model": "gemini-3.8-flash"}
    assert not harness.last.keys() & {"tools", "system_instruction", "previous_interaction_id"}


async def test_what_means_omitted_does_not_clear_what_is_remembered(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", model="pro", tools=["google_search"], system_instruction="Be brief.")

    await client.follow("two", model="", tools=[], system_instruction=None, thinking="")

    assert settings(harness.last) == settings(harness.bodies[0])


async def test_cleared_settings_stay_cleared(harness: AppHarness, client: McpClient) -> None:
    await client.ask("one", tools="google_search", system_instruction="Be brief.")
    await client.follow("two", tools="none", system_instruction="NONE")

    await client.follow("three")

    assert not harness.last.keys() & {"tools", "system_instruction"}


async def test_an_instruction_that_only_contains_none_is_an_instruction(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", system_instruction="None of your answers may rhyme.")

    assert harness.last["system_instruction"] == "None of your answers may rhyme."


async def test_a_tool_named_twice_is_sent_once(harness: AppHarness, client: McpClient) -> None:
    await client.ask("one", tools=["google_search", "google_search"])

    assert harness.last["tools"] == SEARCH


async def test_each_call_is_exactly_one_post(harness: AppHarness, client: McpClient) -> None:
    await client.ask("one")
    await client.follow("two")
    await client.ask("two")
    await client.ask("two")

    assert [body["input"] for body in harness.bodies] == ["one", "two", "two", "two"]
    assert [request.kind for request in harness.control.log] == ["create"] * 4


# --------------------------------------------------------------------------------- branches


async def test_a_branch_continues_the_turn_it_names(harness: AppHarness, client: McpClient) -> None:
    first = await client.ask("The secret word is fig.")
    await client.follow("The secret word is plum.")

    branch = await client.follow("What is the secret word?", turn=1)

    assert branch.piece == "The secret word is fig."
    assert harness.last["previous_interaction_id"] == first.interaction
    assert branch.turn == 3


async def test_a_branch_has_the_settings_of_the_turn_it_continues(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", system_instruction="Be brief.", thinking="low")
    await client.follow("two", system_instruction="Be long.", tools=["google_search"])

    await client.follow("three", turn=1)

    assert settings(harness.last) == settings(harness.bodies[0])


async def test_the_turns_of_a_branch_continue_that_branch(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one", system_instruction="Trunk.")
    await client.follow("two")
    third = await client.follow("three", turn=1, system_instruction="Branch.")
    fourth = await client.follow("four", turn=3)

    fifth = await client.follow("five")

    assert harness.control.chain(fifth.interaction) == [
        each.interaction for each in (first, third, fourth, fifth)
    ]
    assert harness.last["system_instruction"] == "Branch."


async def test_latest_is_the_newest_turn_whatever_branch_it_is_on(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    await client.follow("two")
    branch = await client.follow("three", turn=1)

    said = await client.follow("four", conversation_id=first.conversation)

    assert harness.last["previous_interaction_id"] == branch.interaction
    assert (await client.result(first.conversation)).id == said.id


async def test_a_turn_id_as_conversation_is_the_same_as_giving_turn(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    await client.follow("two")

    by_id = await client.follow("three", conversation_id=f"{first.conversation}/1")
    by_turn = await client.follow("three", conversation_id=first.conversation, turn=1)

    assert [body.get("previous_interaction_id") for body in harness.bodies[2:]] == [
        first.interaction,
        first.interaction,
    ]
    assert (by_id.turn, by_turn.turn) == (3, 4)


async def test_naming_the_newest_turn_continues_it(harness: AppHarness, client: McpClient) -> None:
    await client.ask("one")
    second = await client.follow("two")

    said = await client.follow("three", turn=2)

    assert harness.last["previous_interaction_id"] == second.interaction
    assert said.turn == 3


async def test_a_turn_that_is_still_running_cannot_be_branched_from(harness: AppHarness) -> None:
    client = await harness.connect(max_wait_seconds=0.05)
    gate = harness.control.hold_next(point="before_completed")
    running = await client.ask("My name is Ada.")

    refused = await client.follow("What is my name?", turn=1)
    gate.release()
    patient = await harness.connect()
    said = await patient.result(running.id, wait_seconds=40)

    assert running.status == "running"
    assert refused.is_error
    assert refused.facts == {}
    assert refused.text == (
        f"{running.id} is still running, so nothing can branch from it yet. Call gemini_result "
        f'with id "{running.id}", or leave `turn` out to queue behind it.'
    )
    assert said.status == "completed"
    assert len(harness.bodies) == 1


@pytest.mark.parametrize("written", ["{}", "  {}\n", "C_{}"])
async def test_ids_are_read_as_people_write_them(client: McpClient, written: str) -> None:
    first = await client.ask("My name is Ada.")
    name = first.conversation
    id = written.format(name) if written[0] != "C" else name.upper()

    said = await client.follow("What is my name?", conversation_id=id)

    assert said.id == f"{name}/2"


# ---------------------------------------------------------------- turns that did not work out


async def test_a_continue_chains_past_a_failed_turn_and_says_so(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("My name is Ada.")
    harness.control.fail_next(500)
    failed = await client.follow("two")

    said = await client.follow("What is my name?")

    assert failed.status == "failed"
    assert said.status == "completed"
    assert said.piece == "Your name is Ada."
    assert said.tail.splitlines()[0] == "Turn 2 failed: this continues from turn 1."
    assert harness.last["previous_interaction_id"] == first.interaction


async def test_the_note_about_a_failed_turn_is_not_repeated_later(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one")
    harness.control.fail_next(500)
    await client.follow("two")
    await client.follow("three")

    said = await client.follow("four")

    assert "failed" not in said.text


async def test_several_failed_turns_in_a_row_are_passed_over(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    harness.control.fail_next(500, times=3)
    for word in ("two", "three", "four"):
        await client.follow(word)

    said = await client.follow("five")

    assert harness.last["previous_interaction_id"] == first.interaction
    assert said.tail.splitlines()[0] == "Turn 4 failed: this continues from turn 1."


async def test_after_a_first_turn_that_failed_the_conversation_starts_afresh(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.fail_next(503)
    failed = await client.ask("one", system_instruction="Be brief.")

    said = await client.follow("two", conversation_id=failed.conversation)

    assert said.id == f"{failed.conversation}/2"
    assert said.tail.startswith("Turn 1 failed and nothing before it can be continued: ")
    assert "previous_interaction_id" not in harness.last
    assert harness.last["system_instruction"] == "Be brief."


async def test_settings_given_with_a_turn_that_failed_at_google_still_hold(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one")
    harness.control.fail_next(503)
    await client.follow("two", system_instruction="Be brief.")

    await client.follow("three")

    assert harness.last["system_instruction"] == "Be brief."


async def test_settings_of_a_rejected_turn_are_not_inherited(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", thinking="low")
    harness.control.fail_next(400, message="The tools do not go together.")
    rejected = await client.follow("two", tools=["google_maps"], thinking="high")

    await client.follow("three")

    assert rejected.status == "failed"
    assert settings(harness.last) == settings(harness.bodies[0])


async def test_a_model_that_does_not_exist_is_not_inherited(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", model="pro")
    await client.follow("two", model="gemini-99")

    said = await client.follow("three")

    assert said.status == "completed"
    assert harness.last["model"] == "gemini-4-argon"


async def test_a_branch_from_a_failed_turn_continues_the_good_one_before_it(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    harness.control.fail_next(500)
    await client.follow("two")
    await client.follow("three")

    said = await client.follow("four", turn=2)

    assert harness.last["previous_interaction_id"] == first.interaction
    assert said.tail.splitlines()[0] == "Turn 2 failed: this continues from turn 1."


async def test_an_answer_that_stops_early_can_be_continued(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.answer_next({"text": "It was a dark and", "status": "incomplete"})
    first = await client.ask("Tell me a story.")

    await client.follow("Go on.")

    assert (first.status, first.is_error) == ("incomplete", False)
    assert harness.last["previous_interaction_id"] == first.interaction


# --------------------------------------------------------------------------------- restarts


async def test_a_conversation_goes_on_after_a_restart(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("My name is Ada.", system_instruction="Be brief.", thinking="low")
    await client.disconnect()

    again = await harness.connect()
    said = await again.follow("What is my name?", conversation_id=first.conversation)

    assert said.piece == "Your name is Ada."
    assert said.id == f"{first.conversation}/2"
    assert settings(harness.last) == settings(harness.bodies[0])


async def test_after_a_restart_every_id_still_answers_as_it_did(
    harness: AppHarness, client: McpClient
) -> None:
    said = [await client.ask("one"), await client.follow("two"), await client.ask("three")]
    harness.control.fail_next(500)
    said.append(await client.follow("four"))
    await client.disconnect()

    again = await harness.connect()
    answers = [await again.result(each.id) for each in said]

    assert [each.text for each in answers] == [each.text for each in said]
    assert [each.facts for each in answers] == [each.facts for each in said]
    assert [each.is_error for each in answers] == [False, False, False, True]


async def test_two_servers_on_one_folder_continue_the_same_conversation(
    harness: AppHarness, client: McpClient
) -> None:
    other = await harness.connect(legacy=True)
    first = await client.ask("My name is Ada.")

    second = await other.follow("The secret word is fig.", conversation_id=first.conversation)
    third = await client.follow("What is the secret word?", conversation_id=first.conversation)

    assert third.piece == "The secret word is fig."
    assert harness.control.chain(third.interaction) == [
        each.interaction for each in (first, second, third)
    ]
