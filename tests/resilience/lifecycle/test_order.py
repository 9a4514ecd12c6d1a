"""Order: continues queue in the order in which they came, whoever makes the turns before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from gemini_emulator import Answer
from gemini_interactions.domain.types import Turn, TurnSettings
from gemini_interactions.store import Store
from tests.resilience.lifecycle.conftest import Connect
from tests.support.app_harness import AppHarness, McpClient, ToolResult


def chain(harness: AppHarness) -> list[str]:
    """The prompts along the newest interaction's chain, as Google has it, oldest first."""
    prompts = {post.interaction_id: post.body["input"] for post in harness.control.posts}
    newest = harness.control.posts[-1].interaction_id
    assert newest is not None
    return [prompts[each] for each in harness.control.chain(newest)]


@pytest.fixture
async def store(harness: AppHarness, client: McpClient) -> AsyncIterator[Store]:
    """The database of the harness, as some other process has it open."""
    await client.history()
    store = await Store.open(f"sqlite:///{harness.folder}/gemini.db")
    yield store
    await store.close()


async def elsewhere(
    harness: AppHarness, store: Store, conversation: str, *, lease: float = 30, **more: Any
) -> Turn:
    """A turn that another process has begun and makes."""
    turn = await store.follow(
        "local",
        conversation,
        kind="continue",
        prompt="elsewhere",
        settings=TurnSettings(),
        holder="another process",
        lease_until=harness.clock() + lease,
        now=harness.clock(),
        **more,
    )
    assert turn is not None
    return turn


# ------------------------------------------------------------------------------- one process


async def test_continues_chain_in_the_order_in_which_they_came(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    first = harness.control.hold_next("create", "before_completed")
    calls = [await wire.begin_call("gemini_ask", prompt="0")]
    assert await first.reached()
    listed = await wire.call("gemini_history")
    conversation = listed.text.split(" · ")[0]

    for number in range(1, 6):
        calls.append(
            await wire.begin_call(
                "gemini_continue", prompt=str(number), conversation_id=conversation
            )
        )
    first.release()
    said = [await wire.result(call) for call in calls]

    assert [each.turn for each in said] == [1, 2, 3, 4, 5, 6]
    assert chain(harness) == ["0", "1", "2", "3", "4", "5"]


async def test_a_continue_whose_files_take_long_is_not_overtaken(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    conversation = (await wire.call("gemini_ask", prompt="0")).conversation
    there = harness.control.service.files.add(b"words", "text/plain", None)
    looked_up = harness.control.hold_next("file")
    ask = {"conversation_id": conversation, "prompt": "1", "files": [there.name]}

    first = await wire.begin_call("gemini_continue", **ask)
    assert await looked_up.reached()
    second = await wire.begin_call("gemini_continue", conversation_id=conversation, prompt="2")
    drawn = await wire.begin_call("gemini_generate_image", conversation_id=conversation, prompt="3")
    branch = await wire.call("gemini_continue", conversation_id=f"{conversation}/1", prompt="b")
    other = await wire.call("gemini_continue", conversation_id=conversation, turn=1, prompt="c")
    looked_up.release()
    said = [await wire.result(call) for call in (first, second, drawn)]

    assert [branch.turn, other.turn] == [2, 3]
    assert [each.turn for each in said] == [4, 5, 6]


async def test_a_continue_of_the_current_conversation_is_not_overtaken_either(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    await wire.call("gemini_ask", prompt="0")
    there = harness.control.service.files.add(b"words", "text/plain", None)
    looked_up = harness.control.hold_next("file")

    first = await wire.begin_call("gemini_continue", prompt="1", files=[there.name])
    assert await looked_up.reached()
    second = await wire.begin_call("gemini_continue", prompt="2")
    branch = await wire.call("gemini_continue", turn=1, prompt="b")
    looked_up.release()
    said = [await wire.result(call) for call in (first, second)]

    assert branch.turn == 2
    assert [each.turn for each in said] == [3, 4]


async def test_continues_from_two_processes_chain_in_the_order_in_which_they_came(
    harness: AppHarness,
) -> None:
    one, other = await harness.connect(), await harness.connect()
    asked = await one.ask("0")
    gates = [harness.control.hold_next("create", "before_completed") for _ in range(4)]
    answers: dict[str, ToolResult] = {}

    async def follow(client: McpClient, prompt: str) -> None:
        answers[prompt] = await client.follow(prompt, conversation_id=asked.conversation)

    async with anyio.create_task_group() as tasks:
        for number, client in enumerate([one, other, one, other], 1):
            tasks.start_soon(follow, client, str(number))
            with anyio.fail_after(60):
                while f"· {number + 1} turns ·" not in (await one.history()).text:
                    await anyio.sleep(0.01)
        for gate in gates:
            assert await gate.reached()
            gate.release()

    assert chain(harness) == ["0", "1", "2", "3", "4"]
    assert {prompt: said.turn for prompt, said in answers.items()} == {
        str(number): number + 1 for number in range(1, 5)
    }


async def test_a_branch_waits_for_nobody(harness: AppHarness, connect: Connect) -> None:
    wire = await connect()
    first = await wire.call("gemini_ask", prompt="0")
    gate = harness.control.hold_next("create", "before_completed")
    slow = await wire.begin_call("gemini_continue", prompt="slow")
    assert await gate.reached()

    branch = await wire.call(
        "gemini_continue", prompt="branch", conversation_id=first.conversation, turn=1
    )
    gate.release()

    assert branch.status == "completed"
    assert (await wire.result(slow)).status == "completed"
    assert chain(harness) == ["0", "branch"]


@pytest.mark.parametrize("how", ["turn", "conversation_id"])
async def test_a_branch_from_a_turn_that_is_running_is_refused_with_its_id(
    harness: AppHarness, connect: Connect, how: str
) -> None:
    wire = await connect()
    first = await wire.call("gemini_ask", prompt="0")
    gate = harness.control.hold_next("create", "before_completed")
    slow = await wire.begin_call("gemini_continue", prompt="slow")
    assert await gate.reached()
    conversation = first.conversation
    place = (
        {"conversation_id": conversation, "turn": 2}
        if how == "turn"
        else {"conversation_id": f"{conversation}/2"}
    )

    refused = await wire.call("gemini_continue", prompt="branch", **place)
    gate.release()
    await wire.answer(slow)

    assert refused.is_error
    assert "status" not in refused.facts
    assert f'gemini_result with id "{conversation}/2"' in refused.text
    assert len(harness.bodies) == 2


# ------------------------------------------------------------------------- what came before


async def test_what_queues_behind_a_turn_that_fails_continues_the_last_good_one(
    harness: AppHarness, connect: Connect
) -> None:
    wire = await connect()
    first = await wire.call("gemini_ask", prompt="0")
    harness.control.answer_next(
        Answer(steps=[], status="failed", errors=[{"code": "api_error", "message": "Oops."}])
    )
    gate = harness.control.hold_next("create", "before_completed")
    failing = await wire.begin_call("gemini_continue", prompt="fails")
    assert await gate.reached()
    queued = await wire.begin_call("gemini_continue", prompt="queued")
    await wire.until(lambda: bool(wire.progress(queued)))
    gate.release()

    said = await wire.result(queued)

    assert (await wire.result(failing)).status == "failed"
    assert said.status == "completed"
    assert "Turn 2 failed: this continues from turn 1." in said.text
    assert harness.last["previous_interaction_id"] == first.interaction


async def test_what_follows_an_interrupted_turn_continues_the_last_good_one(
    harness: AppHarness, connect: Connect
) -> None:
    one = await connect()
    first = await one.call("gemini_ask", prompt="0")
    gate = harness.control.hold_next("create", "before_created")
    await one.begin_call("gemini_continue", prompt="interrupted")
    assert await gate.reached()
    one.hang_up()
    await one.app.closed.wait()

    other = await connect()
    conversation = first.conversation
    said = await other.call("gemini_continue", prompt="and then?", conversation_id=conversation)

    assert said.status == "completed"
    assert "Turn 2 was interrupted: this continues from turn 1." in said.text
    assert harness.last["previous_interaction_id"] == first.interaction


async def test_a_first_turn_that_failed_leaves_nothing_to_continue(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.fail_next(500)
    failed = await client.ask("0")

    said = await client.follow("again", conversation_id=failed.conversation)

    assert failed.status == "failed"
    assert said.status == "completed"
    assert "Turn 1 failed and nothing before it can be continued: this starts afresh." in said.tail
    assert "previous_interaction_id" not in harness.last


async def test_a_running_research_is_passed_over_and_that_is_said(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("0")
    harness.control.hold_background()
    await client.call("start_deep_research", question="Why?", conversation_id=first.conversation)

    said = await client.follow("meanwhile", conversation_id=first.conversation)

    assert said.status == "completed"
    assert harness.last["previous_interaction_id"] == first.interaction
    assert "Turn 2 is still running: this continues from turn 1." in said.tail


# ------------------------------------------------------------------------ other processes


async def test_a_continue_waits_for_a_turn_of_another_process(
    harness: AppHarness, client: McpClient, store: Store
) -> None:
    first = await client.ask("0")
    other = await elsewhere(harness, store, first.conversation)
    answers: list[ToolResult] = []

    async def follow() -> None:
        answers.append(await client.follow("after that"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        with anyio.fail_after(60):
            while "3 turns" not in (await client.history()).text:
                await anyio.sleep(0.01)
        assert len(harness.bodies) == 1
        # It could as well have been any other interaction that Google knows.
        await store.finish(
            other, status="completed", now=harness.clock(), interaction_id=first.interaction
        )

    assert answers[0].status == "completed"
    assert answers[0].turn == 3
    assert harness.last["previous_interaction_id"] == first.interaction


async def test_a_continue_does_not_wait_for_a_turn_whose_process_is_gone(
    harness: AppHarness, client: McpClient, store: Store
) -> None:
    first = await client.ask("0")
    other = await elsewhere(harness, store, first.conversation)
    harness.clock.advance(31)
    # What looks like a machine that slept is one only if others do not renew their leases.
    await client.history()
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()
    harness.clock.advance(16)

    said = await client.follow("after that")
    found = await client.result(other.id)

    assert said.status == "completed"
    assert "Turn 2 was interrupted: this continues from turn 1." in said.tail
    assert harness.last["previous_interaction_id"] == first.interaction
    assert found.status == "interrupted"
    assert '"elsewhere"' in found.text


async def test_a_turn_that_another_process_took_over_while_it_queued_is_not_sent(
    harness: AppHarness, client: McpClient, store: Store
) -> None:
    first = await client.ask("0")
    other = await elsewhere(harness, store, first.conversation)
    answers: list[ToolResult] = []

    async def follow() -> None:
        answers.append(await client.follow("queued"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        with anyio.fail_after(60):
            while (queued := await store.turn("local", first.conversation, 3)) is None:
                await anyio.sleep(0.01)
        # As after a night's sleep of the machine, when the other process woke up first.
        assert await store.take_over(queued, "another process", harness.clock() + 30)
        await store.finish(queued, status="interrupted", now=harness.clock())
        await store.finish(other, status="failed", now=harness.clock())

    assert answers[0].status == "interrupted"
    assert [body["input"] for body in harness.bodies] == ["0"]
