"""Calls that a client sends again without having cancelled the first, and what they join.

CrewAI's three attempts share one process and session; where it starts a new client for a call,
they come from another process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from gemini_emulator.fault_injection import Gate
from tests.support.app_harness import AppHarness, McpClient, ToolResult

CREWAI: dict[str, Any] = {"name": "mcp", "legacy": True}
JOINED = "nothing was sent twice"


class Attempts:
    """Identical calls, of which the first is held at Google."""

    def __init__(self, house: AppHarness) -> None:
        self.house = house
        self.said: dict[int, ToolResult] = {}
        self._gate: Gate | None = None

    async def begin(
        self, number: int, guest: McpClient, tool: str = "gemini_ask", /, **arguments: Any
    ) -> None:
        """One attempt, sent and waited for elsewhere."""
        gate = self._gate or self.house.brain.hold_next(point="before_completed")
        posts = len(self.house.bodies)

        async def call() -> None:
            self.said[number] = await guest.call(tool, **arguments)

        self.house.tasks.start_soon(call)
        if self._gate is None:
            self._gate = gate
            assert await gate.reached()
            assert len(self.house.bodies) == posts + 1

    async def finish(self, *numbers: int) -> list[ToolResult]:
        # A repeat that joins has nothing that could be waited for: it asks Google nothing.
        await anyio.sleep(0.3)
        assert self._gate is not None
        self._gate.release()
        with anyio.fail_after(60):
            while not set(numbers) <= self.said.keys():
                await anyio.sleep(0.01)
        return [self.said[number] for number in numbers]


@pytest.fixture
def attempts(house: AppHarness) -> Attempts:
    return Attempts(house)


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
    house: AppHarness,
    attempts: Attempts,
    client: dict[str, Any],
    waited: float,
    joins: bool,
    same_process: bool,
) -> None:
    first = await house.connect(**client)
    second = first if same_process else await house.connect(**client)
    await attempts.begin(1, first, prompt="the same")
    house.clock.advance(waited)

    await attempts.begin(2, second, prompt="the same")
    one, two = await attempts.finish(1, 2)

    assert len(house.bodies) == (1 if joins else 2)
    assert (JOINED in two.text) == joins
    assert (one.id == two.id) == joins
    assert one.status == two.status == "completed"


async def test_three_attempts_are_one_question(house: AppHarness, attempts: Attempts) -> None:
    guest = await house.connect(**CREWAI)
    for number in (1, 2, 3):
        await attempts.begin(number, guest, prompt="the same")
        await anyio.sleep(0.1)
        house.clock.advance(31)

    said = await attempts.finish(1, 2, 3)

    assert len(house.bodies) == 1
    assert len({each.id for each in said}) == 1


async def test_an_attempt_whose_process_ended_is_joined_from_the_next(
    house: AppHarness, attempts: Attempts
) -> None:
    first = await house.connect(**CREWAI, max_wait_seconds=0.3)
    gate = house.brain.hold_next(point="before_completed")
    running = await first.ask("the same")
    assert await gate.reached()
    await first.leave()
    second = await house.connect(**CREWAI)
    gate.release()

    said = await second.ask("the same")

    assert running.status == "running"
    assert said.id == running.id
    assert said.status == "completed"
    assert len(house.bodies) == 1


async def test_another_question_is_another(house: AppHarness, attempts: Attempts) -> None:
    guest = await house.connect(**CREWAI)
    await attempts.begin(1, guest, prompt="the same")
    house.clock.advance(30)

    other = await guest.ask("another")
    await attempts.finish(1)

    assert JOINED not in other.text
    assert len(house.bodies) == 2


async def test_two_that_are_waited_for_are_a_pool_and_join_nothing(
    house: AppHarness, attempts: Attempts
) -> None:
    guest = await house.connect(**CREWAI)
    await attempts.begin(1, guest, prompt="the same")
    held = house.brain.hold_next(point="before_completed")
    await attempts.begin(2, guest, prompt="the same")
    assert await held.reached()
    house.clock.advance(30)

    third = await guest.ask("the same")
    held.release()
    await attempts.finish(1, 2)

    assert JOINED not in third.text
    assert len(house.bodies) == 3


async def test_pictures_join_none_that_is_waited_for(house: AppHarness, attempts: Attempts) -> None:
    guest = await house.connect(**CREWAI)
    gate = house.brain.hold_next(point="before_response")
    said: list[ToolResult] = []

    async def draw() -> None:
        said.append(await guest.call("gemini_generate_image", prompt="the same"))

    house.tasks.start_soon(draw)
    assert await gate.reached()
    house.clock.advance(30)
    await draw()
    gate.release()
    with anyio.fail_after(60):
        while len(said) < 2:
            await anyio.sleep(0.01)

    assert len(house.bodies) == 2
    assert len({each.facts["image_id"] for each in said}) == 2


@pytest.mark.parametrize("is_edited", [True, False], ids=["edited", "only written anew"])
async def test_identical_means_identical_contents_of_files(
    house: AppHarness,
    attempts: Attempts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_edited: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "draft.txt"
    file.write_text("first words")
    guest = await house.connect(**CREWAI)
    await attempts.begin(1, guest, prompt="Better?", files=["draft.txt"])
    house.clock.advance(30)
    file.write_text("other words" if is_edited else "first words")

    await attempts.begin(2, guest, prompt="Better?", files=["draft.txt"])
    _, again = await attempts.finish(1, 2)

    assert (JOINED in again.text) != is_edited
    assert len(house.bodies) == (2 if is_edited else 1)


async def test_a_running_call_of_any_client_is_not_joined_once_its_file_was_edited(
    house: AppHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "draft.txt"
    file.write_text("first words")
    guest = await house.connect(max_wait_seconds=0.3)
    gate = house.brain.hold_next(point="before_completed")
    running = await guest.ask("Better?", files=["draft.txt"])
    file.write_text("other words")
    edited = await guest.ask("Better?", files=["draft.txt"])
    file.write_text("first words")

    joined = await guest.ask("Better?", files=["draft.txt"])
    gate.release()

    assert edited.id != running.id
    assert joined.id == running.id


async def test_what_goes_on_in_a_session_is_not_joined_from_another(
    house: AppHarness, attempts: Attempts
) -> None:
    first, second = await house.connect(**CREWAI), await house.connect(**CREWAI)
    mine, theirs = await first.ask("one"), await second.ask("two")
    await attempts.begin(1, first, "gemini_continue", prompt="Go on.")
    house.clock.advance(30)

    other = await second.follow("Go on.")
    await attempts.finish(1)

    assert other.conversation == theirs.conversation != mine.conversation
