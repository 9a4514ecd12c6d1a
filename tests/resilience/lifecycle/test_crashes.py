"""Crashes: `kill -9` at every moment that matters, then a new process on the same folder.

One play of three turns (an ask, a slow continue, and one queued behind it) is killed on both
sides of every commit and at every point of every request to Google; then the promises are
checked: every id answers, no turn vanishes, nothing is sent a second time, no lease is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import anyio
import pytest

from gemini_emulator import Emulator, EmulatorControl, Gate
from tests.support import db_inspection
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.fork_server import ForkOrder, ForkServer
from tests.support.jsonrpc_client import ConnectionClosed, tool_result
from tests.support.protocol import Message
from tests.support.server_process import ServerProcess, fork

LATER = 2000.0
"""Seconds by which the clock of a later life is ahead: every lease has run out."""
AT_ONCE = 4

Point = Literal[
    "before_created", "before_response", "after_created", "before_completed", "while_queued"
]
POINTS: Sequence[Point] = (
    "before_created",  # the request has reached Google
    "before_response",  # Google has made the interaction, but not said so
    "after_created",  # its id has arrived
    "before_completed",  # its answer has, but not its end
)

pytestmark = pytest.mark.processes


@dataclass
class Scenario:
    """One folder, one Google, and the lives of the processes that come and go."""

    folder: Path
    emulator: Emulator
    fork_server: ForkServer
    servers: list[ServerProcess] = field(default_factory=list)
    handed_out: dict[str, ToolResult] = field(default_factory=dict)
    """What was answered, by the turn's id."""

    @property
    def control(self) -> EmulatorControl:
        return self.emulator.control

    async def start(self, order: ForkOrder) -> ServerProcess:
        """A server process on this folder."""
        environ = {
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": self.emulator.url,
            "GEMINI_MCP_DATA_DIR": str(self.folder),
            "GEMINI_MCP_LEASE_SECONDS": "1000",
            "GEMINI_MCP_LOG_LEVEL": "error",
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
            "CLAUDE_CODE_SESSION_ID": "the same in every life",
        }
        server = await fork(
            self.fork_server,
            self.folder.parent,
            order=replace(order, environ=environ),
            name="raw",
            wants_progress=True,
        )
        self.servers.append(server)
        return server

    async def close(self) -> None:
        for server in self.servers:
            if server.is_alive:
                await server.killed()

    async def run(
        self, line: ServerProcess, turn: int = 0, point: Point = "before_created"
    ) -> None:
        """The play; the process is killed at that point of that turn's request, if any."""

        def hold(number: int) -> Gate | None:
            return self.control.hold_next("create", point) if number == turn else None  # type: ignore[arg-type]  # never while_queued

        gate = hold(1)
        one = await line.begin_call("gemini_ask", prompt="one")
        await self.die_at(gate, line)
        self.take(await line.answer(one))
        gate = hold(2) if point != "while_queued" else None
        slow = self.control.hold_next("create", "before_completed")
        two = await line.begin_call("gemini_continue", prompt="two")
        await self.die_at(gate, line)
        await line.wait_for(lambda: slow.is_reached)
        gate = hold(3)
        three = await line.begin_call("gemini_continue", prompt="three")
        await line.wait_for(lambda: len(db_inspection.turns(self.folder)) == 3)
        if point == "while_queued":
            line.kill()
        slow.release()
        self.take(await line.answer(two))
        await self.die_at(gate, line)
        self.take(await line.answer(three))

    async def die_at(self, gate: Gate | None, line: ServerProcess) -> None:
        if gate is not None:
            await line.wait_for(lambda: gate.is_reached)
            line.kill()
            await line.ended()
            raise ConnectionClosed

    def take(self, frame: Message) -> None:
        said = tool_result(frame)
        self.handed_out[said.id] = said

    async def recover(self, line: ServerProcess) -> None:
        """A new process finds what is to be done by itself."""
        await line.call("gemini_history")
        await line.wait_for(
            lambda: all(row["status"] != "running" for row in db_inspection.turns(self.folder))
        )

    async def end(self, clock: float) -> None:
        """The last life: every promise is kept."""
        self.control.release()
        before = db_inspection.turns(self.folder)
        line = await self.start(ForkOrder(clock=clock))
        listed = (await line.call("gemini_history")).text
        for row in before:
            assert row["conversation_id"] in listed
            found = await line.call("gemini_result", id=row["id"], wait_seconds=20)
            if row["status"] != "running":
                assert found.status == row["status"]
            elif row["interaction_id"]:
                assert found.status == "completed"
            else:
                assert found.status == "interrupted"
                assert f'"{row["prompt"]}"' in found.text
        for id, said in self.handed_out.items():
            found = await line.call("gemini_result", id=id)
            assert (found.status, found.text) == (said.status, said.text)
        after = db_inspection.turns(self.folder)
        assert {row["id"] for row in before} == {row["id"] for row in after}
        assert {(row["lease_holder"], row["lease_until"]) for row in after} <= {("", 0.0)}
        await self.go_on(line, after)
        sent = Counter(post.body["input"] for post in self.control.posts)
        assert set(sent.values()) <= {1}, sent
        await line.killed()

    async def go_on(self, line: ServerProcess, rows: Sequence[db_inspection.Row]) -> None:
        if not rows:
            return
        said = await line.call(
            "gemini_continue", prompt="four", conversation_id=rows[0]["conversation_id"]
        )
        good = [row["interaction_id"] for row in rows if row["status"] == "completed"]
        assert said.status == "completed"
        assert self.control.posts[-1].body.get("previous_interaction_id") == (
            good[-1] if good else None
        )


@dataclass
class ScenarioRunner:
    """Where plays are given, several at once; what went wrong is kept by its name."""

    fork_server: ForkServer
    folder: Path
    troubles: dict[str, Exception] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    _places: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(AT_ONCE))

    def scenario(self, name: str, emulator: Emulator) -> Scenario:
        return Scenario(self.folder / name.replace(" ", "_"), emulator, self.fork_server)

    async def give(
        self, name: str, turn: int, point: Point, *, again: ForkOrder | None = None
    ) -> None:
        """A play killed at a point of a request; `again` is the order of a life in between."""
        await self._give(name, ForkOrder(), turn, point, again)

    async def give_until(self, name: str, order: ForkOrder) -> None:
        """A play whose process dies at a commit."""
        await self._give(name, order, 0, "before_created", None)

    async def _give(
        self, name: str, order: ForkOrder, turn: int, point: Point, again: ForkOrder | None
    ) -> None:
        async with self._places:
            with Emulator(control=EmulatorControl()) as emulator:
                scenario = self.scenario(name, emulator)
                try:
                    with anyio.fail_after(60):
                        line = await scenario.start(order)
                        with suppress(ConnectionClosed):
                            await scenario.run(line, turn, point)
                        # What is committed together differs: the last commit may not come.
                        await line.killed()
                        if again is not None:
                            line = await scenario.start(again)
                            with suppress(ConnectionClosed):
                                await scenario.recover(line)
                            await line.killed()
                        await scenario.end(2 * LATER)
                except Exception as trouble:
                    self.troubles[name] = trouble
                finally:
                    await scenario.close()
                    self.given.append(name)
                    emulator.control.let_go()

    def raise_troubles(self) -> None:
        if self.troubles:
            raise ExceptionGroup(f"killed {', '.join(self.troubles)}", [*self.troubles.values()])


async def commits(
    runner: ScenarioRunner, name: str, *, after: tuple[int, Point] | None = None
) -> list[str]:
    """The commits of one whole play that nothing happens to, by what they were for."""
    names = runner.folder / "commits"
    with Emulator(control=EmulatorControl()) as emulator:
        scenario = runner.scenario(name, emulator)
        if after is None:
            await scenario.run(await scenario.start(ForkOrder(commits=str(names))))
        else:
            with suppress(ConnectionClosed):
                await scenario.run(await scenario.start(ForkOrder()), *after)
            scenario.control.release()
            await scenario.recover(await scenario.start(ForkOrder(clock=LATER, commits=str(names))))
        await scenario.close()
        emulator.control.let_go()
    return names.read_text("utf-8").splitlines()


async def test_killed_on_either_side_of_any_commit(fork_server: ForkServer, tmp_path: Path) -> None:
    runner = ScenarioRunner(fork_server, tmp_path)
    names = await commits(runner, "rehearsal")
    async with anyio.create_task_group() as scenarios:
        for number, what in enumerate(names, 1):
            for when in ("before", "after"):
                name = f"{when} commit {number} ({what})"
                scenarios.start_soon(runner.give_until, name, ForkOrder(die_at=number, when=when))

    runner.raise_troubles()
    assert len(runner.given) == 2 * len(names) >= 30


async def test_killed_at_any_point_of_any_request(fork_server: ForkServer, tmp_path: Path) -> None:
    runner = ScenarioRunner(fork_server, tmp_path)
    async with anyio.create_task_group() as scenarios:
        for turn in (1, 2, 3):
            for point in POINTS:
                scenarios.start_soon(runner.give, f"{point} of {turn}", turn, point)
        scenarios.start_soon(runner.give, "while three waits for two", 2, "while_queued")

    runner.raise_troubles()
    assert len(runner.given) == 13


async def test_killed_again_on_either_side_of_any_commit_while_it_recovers(
    fork_server: ForkServer, tmp_path: Path
) -> None:
    runner = ScenarioRunner(fork_server, tmp_path)
    names = await commits(runner, "rehearsal", after=(2, "while_queued"))
    async with anyio.create_task_group() as scenarios:
        for number, what in enumerate(names, 1):
            for when in ("before", "after"):
                again = ForkOrder(clock=LATER, die_at=number, when=when)
                name = f"again {when} commit {number} ({what})"
                scenarios.start_soon(
                    lambda name, again: runner.give(name, 2, "while_queued", again=again),
                    name,
                    again,
                )

    runner.raise_troubles()
    assert len(runner.given) == 2 * len(names) >= 8


async def test_what_a_killed_process_had_begun_to_write_is_removed_at_the_next_start(
    harness: AppHarness,
) -> None:
    drafts = []
    for name in ("images", "research"):
        (harness.folder / name).mkdir(parents=True, exist_ok=True)
        drafts.append(harness.folder / name / ".gemini-0123456789ab.part")
        drafts[-1].write_bytes(b"half of a picture")
    ours = harness.folder / "images" / "chapter.md"
    ours.write_text("not ours to remove")

    client = await harness.connect()
    await client.history()
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()
    with anyio.fail_after(30):
        while any(draft.exists() for draft in drafts):
            await anyio.sleep(0.02)

    assert ours.exists()
