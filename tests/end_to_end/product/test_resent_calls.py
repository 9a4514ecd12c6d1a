"""Calls that a client sends again without having cancelled the first, and what they join.

CrewAI's three attempts share one process and session; where it starts a new client for a call,
they come from another process.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from gemini_emulator.scripting.fault_injection import Gate
from tests.support.app_harness import AppHarness, McpClient, ToolResult

CREWAI: dict[str, Any] = {"name": "mcp", "legacy": True}
JOINED = "nothing was sent twice"


class Attempts:
    """Identical calls, of which the first is held at Google."""

    def __init__(self, harness: AppHarness) -> None:
        self.harness = harness
        self.said: dict[int, ToolResult] = {}
        self._gate: Gate | None = None

    async def begin(
        self, number: int, client: McpClient, tool: str = "gemini_ask", /, **arguments: Any
    ) -> None:
        """One attempt, sent elsewhere and waited for by the server when this returns."""
        gate = self._gate or self.harness.control.hold_next(point="before_completed")
        is_joined_or_sent = anyio.Event()

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            is_joined_or_sent.set()

        async def call() -> None:
            said = await client.sdk_client.call_tool(tool, arguments, progress_callback=hear)
            self.said[number] = ToolResult.of(said)
            is_joined_or_sent.set()

        self.harness.tasks.start_soon(call)
        if self._gate is None:
            self._gate = gate
            assert await gate.reached()
        with anyio.fail_after(60):
            await is_joined_or_sent.wait()

    async def finish(self, *numbers: int) -> list[ToolResult]:
        assert self._gate is not None
        self._gate.release()
        with anyio.fail_after(60):
            while not set(numbers) <= self.said.keys():
                await anyio.sleep(0.01)
        return [self.said[number] for number in numbers]


@pytest.fixture
def attempts(harness: AppHarness) -> Attempts:
    return Attempts(harness)


@pytest.mark.parametrize("same_process", [True, False], ids=["same process", "another process"])
@pytest.mark.parametrize(
    ("client", "waited", "joins"),
    [
        (CREWAI, 30.0, True),
        (CREWAI, 5.0, True),
        (CREWAI, 4.0, False),
        ({"name": "mcp", "legacy": False}, 30.0, False),
        ({"name": "claude-code", "legacy": True}, 30.0, False),
    ],
    ids=["crewai", "just given up", "too soon", "another era", "another client"],
)
async def test_a_call_sent_again_joins_the_one_that_is_waited_for(
    harness: AppHarness,
    attempts: Attempts,
    client: dict[str, Any],
    waited: float,
    joins: bool,
    same_process: bool,
) -> None:
    first = await harness.connect(**client)
    second = first if same_process else await harness.connect(**client)
    await attempts.begin(1, first, prompt="the same")
    harness.clock.advance(waited)

    await attempts.begin(2, second, prompt="the same")
    one, two = await attempts.finish(1, 2)

    assert len(harness.bodies) == (1 if joins else 2)
    assert (JOINED in two.text) == joins
    assert (one.id == two.id) == joins
    assert one.status == two.status == "completed"


async def test_three_attempts_are_one_question(harness: AppHarness, attempts: Attempts) -> None:
    client = await harness.connect(**CREWAI)
    for number in (1, 2, 3):
        await attempts.begin(number, client, prompt="the same")
        harness.clock.advance(31)

    said = await attempts.finish(1, 2, 3)

    assert len(harness.bodies) == 1
    assert len({each.id for each in said}) == 1


async def test_an_attempt_whose_process_ended_is_joined_from_the_next(
    harness: AppHarness, attempts: Attempts
) -> None:
    first = await harness.connect(**CREWAI, max_wait_seconds=0.001)
    gate = harness.control.hold_next(point="before_completed")
    running = await first.ask("the same")
    assert await gate.reached()
    await first.disconnect()
    second = await harness.connect(**CREWAI)
    gate.release()

    said = await second.ask("the same")

    assert running.status == "running"
    assert said.id == running.id
    assert said.status == "completed"
    assert len(harness.bodies) == 1


async def test_another_question_is_another(harness: AppHarness, attempts: Attempts) -> None:
    client = await harness.connect(**CREWAI)
    await attempts.begin(1, client, prompt="the same")
    harness.clock.advance(30)

    other = await client.ask("another")
    await attempts.finish(1)

    assert JOINED not in other.text
    assert len(harness.bodies) == 2


async def test_two_that_are_waited_for_are_a_pool_and_join_nothing(
    harness: AppHarness, attempts: Attempts
) -> None:
    client = await harness.connect(**CREWAI)
    await attempts.begin(1, client, prompt="the same")
    held = harness.control.hold_next(point="before_completed")
    await attempts.begin(2, client, prompt="the same")
    assert await held.reached()
    harness.clock.advance(30)

    third = await client.ask("the same")
    held.release()
    await attempts.finish(1, 2)

    assert JOINED not in third.text
    assert len(harness.bodies) == 3


async def test_pictures_join_none_that_is_waited_for(
    harness: AppHarness, attempts: Attempts
) -> None:
    client = await harness.connect(**CREWAI)
    gate = harness.control.hold_next(point="before_response")
    said: list[ToolResult] = []

    async def draw() -> None:
        said.append(await client.call("gemini_generate_image", prompt="the same"))

    harness.tasks.start_soon(draw)
    assert await gate.reached()
    harness.clock.advance(30)
    await draw()
    gate.release()
    with anyio.fail_after(60):
        while len(said) < 2:
            await anyio.sleep(0.01)

    assert len(harness.bodies) == 2
    assert len({each.facts["image_id"] for each in said}) == 2


@pytest.mark.parametrize("is_edited", [True, False], ids=["edited", "only written anew"])
async def test_identical_means_identical_contents_of_files(
    harness: AppHarness,
    attempts: Attempts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_edited: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "draft.txt"
    file.write_text("first words")
    client = await harness.connect(**CREWAI)
    await attempts.begin(1, client, prompt="Better?", files=["draft.txt"])
    harness.clock.advance(30)
    file.write_text("other words" if is_edited else "first words")

    await attempts.begin(2, client, prompt="Better?", files=["draft.txt"])
    _, again = await attempts.finish(1, 2)

    assert (JOINED in again.text) != is_edited
    assert len(harness.bodies) == (2 if is_edited else 1)


async def test_a_call_that_went_away_is_not_joined_once_its_file_was_edited(
    harness: AppHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "draft.txt"
    file.write_text("first words")
    client = await harness.connect()
    gate = harness.control.hold_next(point="before_completed")
    async with anyio.create_task_group() as caller:
        caller.start_soon(partial(client.ask, "Better?", files=["draft.txt"]))
        assert await gate.reached()
        caller.cancel_scope.cancel()
    file.write_text("other words")
    edited = await client.ask("Better?", files=["draft.txt"])
    file.write_text("first words")
    gate.release()

    joined = await client.ask("Better?", files=["draft.txt"])

    assert JOINED not in edited.text
    assert JOINED in joined.text
    assert edited.id != joined.id
    assert len(harness.bodies) == 2


async def test_what_goes_on_in_a_session_is_not_joined_from_another(
    harness: AppHarness, attempts: Attempts
) -> None:
    first, second = await harness.connect(**CREWAI), await harness.connect(**CREWAI)
    mine, theirs = await first.ask("one"), await second.ask("two")
    await attempts.begin(1, first, "gemini_continue", prompt="Go on.")
    harness.clock.advance(30)

    other = await second.follow("Go on.")
    await attempts.finish(1)

    assert other.conversation == theirs.conversation != mine.conversation
