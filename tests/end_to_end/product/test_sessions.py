"""Sessions: which conversation a continue means when it names none."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from tests.support.app_harness import AppHarness, McpClient, ToolResult

NONE_YET = "There is no conversation in this session yet. Start one with gemini_ask"
NO_DEFAULT = "Several conversations of this session ran side by side, so there is no default. "


async def side_by_side(
    harness: AppHarness, *calls: tuple[McpClient, str, dict[str, str]]
) -> list[ToolResult]:
    """All these calls at Google at once, ending in the order they are given."""
    gates = [harness.control.hold_next(point="before_completed") for _ in calls]
    said: dict[int, ToolResult] = {}
    done = [anyio.Event() for _ in calls]

    async def make(place: int) -> None:
        client, tool, arguments = calls[place]
        said[place] = await client.call(tool, **arguments)
        done[place].set()

    async with anyio.create_task_group() as tasks:
        for place, gate in enumerate(gates):
            tasks.start_soon(make, place)
            assert await gate.reached()
            harness.clock.advance(1)
        for place, gate in enumerate(gates):
            gate.release()
            with anyio.fail_after(60):
                await done[place].wait()
            harness.clock.advance(1)
    return [said[place] for place in range(len(calls))]


# ------------------------------------------------------------------------ one after the other


async def test_the_conversation_of_the_last_answer_is_the_default(client: McpClient) -> None:
    first = await client.ask("My name is Ada.")
    second = await client.ask("My name is Grace.")

    by_default = await client.follow("What is my name?")
    await client.follow("back", conversation_id=first.conversation)
    after_naming_one = await client.follow("What is my name?")

    assert (by_default.conversation, by_default.piece) == (
        second.conversation,
        "Your name is Grace.",
    )
    assert (after_naming_one.conversation, after_naming_one.piece) == (
        first.conversation,
        "Your name is Ada.",
    )


async def test_two_conversations_of_one_session_know_nothing_of_each_other(
    client: McpClient,
) -> None:
    ada = await client.ask("My name is Ada.")
    grace = await client.ask("My name is Grace.")

    said = [
        await client.follow("What is my name?", conversation_id=each.conversation)
        for each in (ada, grace, ada)
    ]

    assert [each.piece for each in said] == [
        "Your name is Ada.",
        "Your name is Grace.",
        "Your name is Ada.",
    ]
    assert [each.turn for each in said] == [2, 2, 3]


async def test_reading_results_and_history_does_not_change_the_default(client: McpClient) -> None:
    first = await client.ask("one")
    second = await client.ask("two")
    await client.result(first.id)
    await client.history(id=first.conversation)

    said = await client.follow("three")

    assert said.conversation == second.conversation


async def test_a_refused_call_does_not_change_the_default(client: McpClient) -> None:
    first = await client.ask("one")
    await client.ask("", model="pro")
    await client.follow("two", conversation_id="c_0000000000")

    said = await client.follow("three")

    assert said.conversation == first.conversation


async def test_a_session_without_conversations_says_to_start_one(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.follow("one")

    assert said.is_error
    assert said.text.startswith(NONE_YET)
    assert harness.bodies == []


async def test_a_turn_without_a_conversation_branches_the_default_one(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    await client.follow("two")

    said = await client.follow("three", turn=1)

    assert said.id == f"{first.conversation}/3"
    assert harness.last["previous_interaction_id"] == first.interaction


# ------------------------------------------------------------------------------- side by side


async def test_conversations_side_by_side_leave_no_default_and_are_both_listed(
    harness: AppHarness, client: McpClient
) -> None:
    one, two = await side_by_side(
        harness,
        (client, "gemini_ask", {"prompt": "one"}),
        (client, "gemini_ask", {"prompt": "two"}),
    )

    said = await client.follow("three")

    assert said.is_error
    assert said.text.startswith(NO_DEFAULT)
    assert one.conversation in said.text
    assert two.conversation in said.text
    assert len(harness.bodies) == 2


async def test_side_by_side_conversations_can_be_continued_by_name(
    harness: AppHarness, client: McpClient
) -> None:
    one, two = await side_by_side(
        harness,
        (client, "gemini_ask", {"prompt": "My name is Ada."}),
        (client, "gemini_ask", {"prompt": "My name is Grace."}),
    )

    said = [
        await client.follow("What is my name?", conversation_id=each.conversation)
        for each in (one, two)
    ]

    assert [each.piece for each in said] == ["Your name is Ada.", "Your name is Grace."]


async def test_conversations_side_by_side_leave_no_default_after_a_restart_either(
    harness: AppHarness,
) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client = await harness.connect()
    one, two = await side_by_side(
        harness,
        (client, "gemini_ask", {"prompt": "one"}),
        (client, "gemini_ask", {"prompt": "two"}),
    )
    await client.disconnect()
    again = await harness.connect()

    refused = await again.follow("three")
    harness.clock.advance(600)
    said = await again.follow("four")

    assert refused.text.startswith(NO_DEFAULT)
    assert one.conversation in refused.text
    assert said.conversation == two.conversation


async def test_processes_of_one_session_know_of_each_others_conversations(
    harness: AppHarness,
) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client, other = await harness.connect(), await harness.connect()
    one, two = await side_by_side(
        harness,
        (client, "gemini_ask", {"prompt": "one"}),
        (other, "gemini_ask", {"prompt": "two"}),
    )

    for each in (client, other):
        said = await each.follow("three")
        assert said.text.startswith(NO_DEFAULT)
        assert one.conversation in said.text
        assert two.conversation in said.text


async def test_one_conversation_after_the_other_leaves_the_last_whoever_served_them(
    harness: AppHarness,
) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client, other = await harness.connect(), await harness.connect()
    gate = harness.control.hold_next(point="before_completed")
    hasty = await harness.connect(max_wait_seconds=0.05)
    running = await hasty.ask("one")
    assert await gate.reached()
    harness.clock.advance(1)
    two = await other.ask("two")

    said = await client.follow("three")
    gate.release()

    assert running.status == "running"
    assert said.conversation == two.conversation


async def test_ten_minutes_later_there_is_a_default_again(
    harness: AppHarness, client: McpClient
) -> None:
    _, two = await side_by_side(
        harness,
        (client, "gemini_ask", {"prompt": "one"}),
        (client, "gemini_ask", {"prompt": "two"}),
    )
    harness.clock.advance(590)
    too_early = await client.follow("three")
    harness.clock.advance(15)

    said = await client.follow("four")

    assert too_early.text.startswith(NO_DEFAULT)
    assert said.conversation == two.conversation


async def test_calls_side_by_side_in_one_conversation_leave_the_default(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("one")
    harness.clock.advance(1)
    gate = harness.control.hold_next(point="before_completed")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.follow, "two")
        assert await gate.reached()
        tasks.start_soon(client.follow, "three")
        gate.release()

    said = await client.follow("four")

    assert said.id == f"{first.conversation}/4"


async def test_calls_of_different_threads_side_by_side_each_keep_their_default(
    harness: AppHarness, client: McpClient
) -> None:
    gates = [harness.control.hold_next(point="before_completed") for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        for thread, gate in zip(("a", "b"), gates, strict=True):
            prompt = f"The thread is {thread}."
            tasks.start_soon(partial(client.call_in, thread, "gemini_ask", prompt=prompt))
            assert await gate.reached()
        for gate in gates:
            gate.release()

    said = [
        await client.call_in(thread, "gemini_continue", prompt="What is the thread?")
        for thread in ("a", "b")
    ]

    assert [each.piece for each in said] == ["The thread is a.", "The thread is b."]


# ------------------------------------------------------------------------------------- hints


async def test_a_new_process_has_no_default(harness: AppHarness, client: McpClient) -> None:
    first = await client.ask("one")
    await client.disconnect()
    again = await harness.connect()

    said = await again.follow("two")
    named = await again.follow("two", conversation_id=first.conversation)

    assert said.is_error
    assert said.text.startswith(NONE_YET)
    assert named.id == f"{first.conversation}/2"


@pytest.mark.parametrize("hint", ["CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID"])
async def test_a_session_its_host_names_goes_on_after_a_restart(
    harness: AppHarness, hint: str
) -> None:
    harness.set(**{hint: "session-1"})
    client = await harness.connect()
    first = await client.ask("My name is Ada.")
    await client.disconnect()
    again = await harness.connect()

    said = await again.follow("What is my name?")

    assert (said.id, said.piece) == (f"{first.conversation}/2", "Your name is Ada.")


@pytest.mark.parametrize("hint", ["CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID"])
async def test_a_session_its_host_did_not_fill_in_is_none(harness: AppHarness, hint: str) -> None:
    harness.set(**{hint: f"${{{hint}}}"})
    client = await harness.connect()
    await client.ask("one")
    again = await harness.connect()

    said = await again.follow("two")

    assert said.text.startswith(NONE_YET)


async def test_another_session_of_the_same_host_has_no_default(harness: AppHarness) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client = await harness.connect()
    await client.ask("one")
    await client.disconnect()
    harness.set(CLAUDE_CODE_SESSION_ID="session-2")
    other = await harness.connect()

    said = await other.follow("two")

    assert said.text.startswith(NONE_YET)


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_thread_named_in_a_call_goes_on_after_a_restart(
    harness: AppHarness, legacy: bool
) -> None:
    client = await harness.connect(legacy=legacy, name="codex-mcp-client")
    first = await client.call_in("thread-1", "gemini_ask", prompt="My name is Ada.")
    await client.disconnect()
    again = await harness.connect(legacy=legacy, name="codex-mcp-client")

    said = await again.call_in("thread-1", "gemini_continue", prompt="What is my name?")
    other = await again.call_in("thread-2", "gemini_continue", prompt="What is my name?")
    none = await again.follow("What is my name?")

    assert (said.id, said.piece) == (f"{first.conversation}/2", "Your name is Ada.")
    assert other.text.startswith(NONE_YET)
    assert none.text.startswith(NONE_YET)


async def test_a_thread_named_in_a_call_beats_the_session_of_the_process(
    harness: AppHarness,
) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client = await harness.connect()
    of_session = await client.ask("one")
    of_thread = await client.call_in("thread-1", "gemini_ask", prompt="two")

    in_session = await client.follow("three")
    in_thread = await client.call_in("thread-1", "gemini_continue", prompt="four")

    assert in_session.conversation == of_session.conversation
    assert in_thread.conversation == of_thread.conversation


async def test_a_hint_is_no_authority_over_what_others_may_name(harness: AppHarness) -> None:
    harness.set(CLAUDE_CODE_SESSION_ID="session-1")
    client = await harness.connect()
    first = await client.ask("My name is Ada.")
    harness.set(CLAUDE_CODE_SESSION_ID="session-2")
    other = await harness.connect()

    said = await other.follow("What is my name?", conversation_id=first.conversation)

    assert said.piece == "Your name is Ada."


@pytest.mark.parametrize("thread", [7, ["t"], {"a": 1}, None, ""])
async def test_a_thread_id_that_is_no_text_is_as_good_as_none(
    client: McpClient, thread: object
) -> None:
    first = await client.call_in(thread, "gemini_ask", prompt="one")

    said = await client.follow("two")

    assert said.id == f"{first.conversation}/2"
