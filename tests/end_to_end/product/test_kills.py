"""kill -9 at fifty moments of a call: nothing that was handed out is lost or paid for twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from gemini_emulator import Gate
from tests.support import kill_counts
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.jsonrpc_client import PATIENCE, tool_result
from tests.support.server_process import ServerProcess, Start

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="servers are forked"),
]

KILLS = int(os.environ.get("GEMINI_TEST_KILLS", "50"))
SEED = 20261122
SOON = {"GEMINI_MCP_LEASE_SECONDS": "0.2"}
"""Leases end soon after a kill."""
HURRY = {**SOON, "GEMINI_MCP_MAX_WAIT_SECONDS": "0.05"}


@dataclass
class KillRecord:
    """What clients were told before their server was killed."""

    told: list[ToolResult] = field(default_factory=list)
    moments: Counter[str] = field(default_factory=Counter)

    def conversations(self) -> list[str]:
        return list(dict.fromkeys(said.conversation for said in self.told))


class Killer:
    """Kills a server once, at a moment of its own; `rng` says when exactly."""

    def __init__(
        self, harness: AppHarness, start: Start, rng: random.Random, record: KillRecord
    ) -> None:
        self._harness = harness
        self._start = start
        self._rng = rng
        self._record = record

    async def strike(self, number: int) -> None:
        moment = MOMENTS[number % len(MOMENTS)]
        self._record.moments[moment.__name__] += 1
        environ = HURRY if moment is Killer.once_told else SOON
        server = await self._start(self._rng.choice(["legacy", "modern"]), **environ)
        await moment(self, server, f"Prompt {number}.")
        server.kill()
        assert await server.ended() == -signal.SIGKILL
        self._harness.control.release()
        self._harness.control.delay(0)
        self._hear_what_came(server)

    # The moments

    async def at_once(self, server: ServerProcess, prompt: str) -> None:
        """While the request is still being read or written down."""
        await self._send(server, prompt)
        await self._moment(0.02)

    async def anywhere(self, server: ServerProcess, prompt: str) -> None:
        self._harness.control.delay(0.08)
        await self._send(server, prompt)
        await self._moment(0.2)

    async def as_google_hears_it(self, server: ServerProcess, prompt: str) -> None:
        await self._held(server, prompt, self._harness.control.hold_next(point="before_created"))

    async def as_google_names_it(self, server: ServerProcess, prompt: str) -> None:
        await self._held(server, prompt, self._harness.control.hold_next(point="after_created"))

    async def in_the_middle_of_the_stream(self, server: ServerProcess, prompt: str) -> None:
        posts = len(self._harness.bodies)
        self._harness.control.delay(0.06)
        await self._send(server, prompt)
        assert await self._harness.control.until(
            lambda: len(self._harness.bodies) > posts, PATIENCE
        )
        await self._moment(0.06)

    async def before_the_last_word(self, server: ServerProcess, prompt: str) -> None:
        await self._held(server, prompt, self._harness.control.hold_next(point="before_completed"))

    async def once_told(self, server: ServerProcess, prompt: str) -> None:
        """After the answer "running"."""
        gate = self._harness.control.hold_next(point="before_completed")
        request = await self._send(server, prompt)
        self._record.told.append(await server.result(request))
        await self._moment(0.02)
        # A turn that queues has not been there yet, and the next prompt must not find the gate.
        assert await gate.reached(PATIENCE)

    async def after_the_answer(self, server: ServerProcess, prompt: str) -> None:
        request = await self._send(server, prompt)
        self._record.told.append(await server.result(request))
        await self._moment(0.005)

    # How

    async def _send(self, server: ServerProcess, prompt: str) -> Any:
        known = self._record.conversations()
        if known and self._rng.random() < 0.6:
            arguments = {"prompt": prompt, "conversation_id": self._rng.choice(known)}
            return await server.begin("tools/call", name="gemini_continue", arguments=arguments)
        return await server.begin("tools/call", name="gemini_ask", arguments={"prompt": prompt})

    async def _held(self, server: ServerProcess, prompt: str, gate: Gate) -> None:
        await self._send(server, prompt)
        assert await gate.reached(PATIENCE)
        await self._moment(0.01)

    async def _moment(self, most: float) -> None:
        await asyncio.sleep(self._rng.uniform(0, most))

    def _hear_what_came(self, server: ServerProcess) -> None:
        """An answer that was on its way when the server died was told as well."""
        answered = (message for message in server.unread if "content" in message.get("result", ()))
        self._record.told += [tool_result(message) for message in answered]


MOMENTS = [
    Killer.at_once,
    Killer.as_google_hears_it,
    Killer.after_the_answer,
    Killer.in_the_middle_of_the_stream,
    Killer.as_google_names_it,
    Killer.once_told,
    Killer.before_the_last_word,
    Killer.anywhere,
]


async def all_turns_of(server: ServerProcess) -> dict[str, list[ToolResult]]:
    """All turns there are, by conversation."""
    names: list[str] = []
    while True:
        listed = await server.call("gemini_history", limit=50, offset=len(names))
        found_now = [each.split(" ")[0] for each in listed.piece.splitlines()]
        names += [each for each in found_now if each.startswith("c_")]
        if len(found_now) < 50:
            break
    found: dict[str, list[ToolResult]] = {}
    for name in names:
        newest = await server.call("gemini_result", id=name, wait_seconds=20)
        found[name] = [
            await server.call("gemini_result", id=f"{name}/{n}", wait_seconds=20)
            for n in range(1, newest.turn + 1)
        ]
    return found


async def test_nothing_is_lost_by_fifty_kills(harness: AppHarness, start: Start) -> None:
    rng, record = random.Random(SEED), KillRecord()
    killer = Killer(harness, start, rng, record)

    for number in range(KILLS):
        await killer.strike(number)

    survivor = await start(**SOON)
    turns = await all_turns_of(survivor)
    all_turns = {said.id: said for each in turns.values() for said in each}

    # Every id that was returned answers, and what was answered once is answered again.
    assert len(record.told) >= KILLS // 4
    for told in record.told:
        assert told.id in all_turns
        if told.status != "running":
            assert (all_turns[told.id].text, all_turns[told.id].facts) == (told.text, told.facts)

    # Every turn has an outcome or was honestly interrupted, with its prompt kept.
    prompts: Counter[str] = Counter()
    for name, each in turns.items():
        transcript = (await survivor.call("gemini_history", id=name)).text
        prompts.update(line for line in transcript.splitlines() if line.startswith("**Prompt:**"))
        for said in each:
            assert said.status in ("completed", "interrupted"), said.text
            assert not said.is_error
    assert {said.status for said in all_turns.values()} == {"completed", "interrupted"}

    # What Google had named was finished by a later process.
    answered = {told.id for told in record.told if told.status == "completed"}
    finished = {said.id for said in all_turns.values() if said.status == "completed"}
    assert len(finished - answered) >= KILLS // 5
    assert {told.id for told in record.told if "interaction_id" in told.facts} <= finished

    # No turn is missing, and exactly one POST was sent for each create.
    posted = Counter(f"**Prompt:** {body['input']}" for body in harness.bodies)
    assert set(posted.values()) == {1}
    assert set(posted) <= set(prompts)
    assert set(prompts.values()) == {1}
    assert sum(prompts.values()) == len(all_turns)

    # The file opens, and every conversation goes on.
    with sqlite3.connect(harness.folder / "gemini.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    for name in turns:
        again = await survivor.call("gemini_continue", prompt=f"Again {name}", conversation_id=name)
        assert again.status == "completed"
        assert again.turn == len(turns[name]) + 1

    kill_counts.add(
        "stdio, kill -9 at a random moment of a call",
        kills=KILLS,
        turns=len(all_turns),
        told=len(record.told),
        lost=sum(told.id not in all_turns for told in record.told),
        doubled=sum(count > 1 for count in posted.values()),
        stuck=sum(said.status == "running" for said in all_turns.values()),
    )

    # The moments were spread over the whole call.
    assert set(record.moments.values()) <= {KILLS // len(MOMENTS), KILLS // len(MOMENTS) + 1}
    assert any(post.closed_early for post in harness.control.posts)


async def test_a_turn_google_had_named_is_finished_by_the_next_process(
    harness: AppHarness, start: Start
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    server = await start(**HURRY)
    told = named = await server.call("gemini_ask", prompt="My name is Ada.")
    while "interaction_id" not in named.facts:
        named = await server.call("gemini_result", id=told.id)
    server.kill()
    await server.ended()
    gate.release()

    said = await (await start(**SOON)).call("gemini_result", id=told.id, wait_seconds=20)

    assert told.status == "running"
    assert said.status == "completed"
    assert said.piece == "Nice to meet you, Ada. I will remember your name."
    assert len(harness.bodies) == 1


async def test_a_turn_google_had_not_named_is_interrupted_and_never_sent_again(
    harness: AppHarness, start: Start
) -> None:
    gate = harness.control.hold_next(point="before_created")
    server = await start(**HURRY)
    told = await server.call("gemini_ask", prompt="My name is Ada.")
    assert await gate.reached(PATIENCE)
    server.kill()
    await server.ended()
    gate.release()

    survivor = await start(**SOON)
    said = await survivor.call("gemini_result", id=told.id, wait_seconds=20)
    then = await survivor.call(
        "gemini_continue", prompt="What is my name?", conversation_id=told.conversation
    )

    assert (said.status, said.is_error) == ("interrupted", False)
    assert 'Its prompt is kept: "My name is Ada."' in said.text
    assert then.status == "completed"
    assert then.tail.startswith("Turn 1 was interrupted and nothing before it can be continued")
    assert [body["input"] for body in harness.bodies] == ["My name is Ada.", "What is my name?"]
