"""Running turns: those this process is executing right now.

They belong to the server's lifespan, not to the request that asked for them. A request
waits for its turn, may go away, and may come back; the turn goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal

import anyio

from ....domain.daily_limits import Reservation
from ....domain.types import Preparation, Turn
from ....interactions.stream_accumulator import InteractionAccumulator
from ...requests import Progress, no_progress
from ..new_turn import NewTurn, RequestPlan
from ..outcomes import Outcome

HEARTBEAT = 4.0
"""Longest silence towards a waiting client, in seconds; hosts are promised one word every 5."""
SMALLEST_GAP = 0.25
"""Shortest time between two words of progress."""


class RunningTurn:
    """One turn being executed: what has arrived, how to stop it, and when it is done."""

    def __init__(self, turn: Turn, new: NewTurn[Any] | None = None) -> None:
        self.turn = turn
        self.new = new
        """What the call wanted, for one that begins here; None for one that was taken over."""
        self.plan: RequestPlan | None = None
        """What is sent for it, once that is known."""
        self.good: Turn | None = None
        """The turn whose interaction it continues, once that is known."""
        self.may_rebuild = True
        """Whether its request may be built anew where Google has forgotten the conversation."""
        self.draft = InteractionAccumulator()
        self.done = anyio.Event()
        # Nothing but `end` ends it: where the server itself is cancelled, `TurnExecutor.close`
        # still has to write down what there is.
        self.scope = anyio.CancelScope(shield=True)
        self.ended_by: Literal["", "abort", "shutdown"] = ""
        self.unwritten: Outcome | None = None
        """How it ended, where the store has not taken that yet."""
        self.passed: list[str] = []
        """Interactions at Google that were stations on the way to the one that is the answer."""
        self.young_until = 0.0
        """Until when a 404 on what it chains to is Google's store lagging (epoch seconds)."""
        self.reservation: Reservation | None = None
        """What it is estimated to use, once it is known what is sent."""
        self.preparation: Preparation | None = None
        """What is about to be sent, until that is written down with the first proof of the lease
        before a request."""
        self.readers = 0
        """Calls that wait for the outcome and will have read it once it is there."""
        self.decided: Outcome | None = None
        """How it is to end, where that was settled outside, such as by a cancel."""
        # Of one that was taken over, the process before may have told something.
        self._news, self._known = str(turn.extra.get("doing", "")), 0
        self._next_change: anyio.Event | None = None
        """Set at the next change; made by who waits for it, since most changes nobody waits for."""
        self._wanted = anyio.Event()

    @property
    def is_queued(self) -> bool:
        """Whether it still waits for the turn before it."""
        return self.turn.sent is None and self.plan is None

    @property
    def doing(self) -> str:
        if self.is_queued and self.turn.parent is not None:
            return "Waiting for the turn before it"
        return self._news or self.draft.doing or "Waiting for Gemini"

    def changed(self) -> None:
        if self._next_change is not None:
            self._next_change.set()
            self._next_change = None

    async def _until_changed(self) -> None:
        if self._next_change is None:
            self._next_change = anyio.Event()
        await self._next_change.wait()

    def finished(self, turn: Turn) -> None:
        self.turn = turn
        self.done.set()
        self.changed()

    def tell(self, news: str, known: int = 0) -> None:
        """What a run that goes on elsewhere lets know of itself; `known` is how much of it."""
        self._news, self._known = news, known
        self.changed()

    def tell_replayed(self, news: str, known: int) -> None:
        """The same from the run's stream, which begins with what was told before."""
        if known >= self._known:
            self.tell(news, known)

    def look_soon(self) -> None:
        """Somebody wants to know: look soon."""
        self._wanted.set()

    @property
    def is_look_wanted(self) -> bool:
        """Whether somebody wants to know, and has not been looked for since."""
        return self._wanted.is_set()

    def looked(self) -> None:
        """A look begins, for all who wanted to know."""
        if self._wanted.is_set():
            self._wanted = anyio.Event()

    async def until_look_due(
        self, seconds: float, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> None:
        """After `seconds`, or as soon as somebody wants to know."""
        async with anyio.create_task_group() as tasks:

            async def sleep_out() -> None:
                await sleep(seconds)
                tasks.cancel_scope.cancel()

            tasks.start_soon(sleep_out)
            await self._wanted.wait()
            tasks.cancel_scope.cancel()

    async def until_named(self, seconds: float, progress: Progress = no_progress) -> None:
        """Until Google's id is known, the work is over, or `seconds` have passed."""
        await self.wait(seconds, progress, lambda: bool(self.turn.interaction_id))

    def end(self, by: Literal["abort", "shutdown"]) -> None:
        self.ended_by = self.ended_by or by
        self.scope.cancel()

    async def wait(
        self, seconds: float, progress: Progress, enough: Callable[[], bool] | None = None
    ) -> None:
        """Until the work is done, this is enough or `seconds` have passed, telling the client
        what happens."""
        start = last = anyio.current_time()
        deadline = start + seconds
        told = ""

        def is_over() -> bool:
            return self.done.is_set() or (enough is not None and enough())

        while not is_over() and anyio.current_time() < deadline:
            with anyio.move_on_at(min(deadline, last + HEARTBEAT)):
                while self.doing == told and not is_over():
                    await self._until_changed()
            last = anyio.current_time()
            if is_over() or last >= deadline:
                return
            told = self.doing
            await progress(last - start, told)
            with anyio.move_on_at(min(deadline, last + SMALLEST_GAP)):
                if enough is None:
                    # Nothing that changes in between is told: who waits need not wake up for it.
                    await self.done.wait()
                while not is_over():
                    await self._until_changed()


class RunningTurns:
    """By the ids of their turns."""

    def __init__(self) -> None:
        self._running: dict[str, RunningTurn] = {}

    def __iter__(self) -> Iterator[RunningTurn]:
        return iter(list(self._running.values()))

    def __len__(self) -> int:
        return len(self._running)

    def of(self, turn: Turn) -> RunningTurn | None:
        return self._running.get(turn.id)

    def add(self, running: RunningTurn) -> None:
        self._running[running.turn.id] = running

    def drop(self, running: RunningTurn) -> None:
        self._running.pop(running.turn.id, None)
