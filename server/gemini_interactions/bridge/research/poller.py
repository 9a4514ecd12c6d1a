"""Research poller: follows a run until Google is done with it, by whoever holds its lease.

Looks are the source of truth. The event stream only tells those who wait what a run is doing:
Google cuts it, replays of it hang, and its end means nothing.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import anyio

from ...domain.errors import (
    ForeignSchema,
    Gone,
    NoKey,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    UpstreamError,
    WrongKey,
)
from ...domain.types import Interaction, Turn
from ..runtime import Runtime
from ..turns import outcomes
from ..turns.execution.lease import LeaseLost
from ..turns.execution.running_turns import RunningTurn
from ..turns.outcomes import Outcome
from .progress import ResearchProgress

log = logging.getLogger(__name__)

SLOWEST_LOOK = 60.0
HASTE = 2.0
"""Seconds between two looks at one run, however often somebody asks."""
LATE_LOOKS = 4
"""How often a finished run is looked at again for its tokens, which Google counts seconds later."""
TROUBLE = "Google does not say how it stands just now; it is asked again"
FORGOTTEN = "Google no longer has this research: it was deleted there, or has expired."


class LookRateLimit:
    """Lets callers go one by one: those somebody asks about first, then the most overdue one, for
    they come when they are due."""

    # A little less than ten: what leaves at the same distance may arrive closer together.
    def __init__(self, rate: float = 9.5) -> None:
        self._gap = 1 / rate
        self._free = 0.0
        self._waiting: dict[anyio.Event, Callable[[], bool]] = {}
        self._is_taken = False

    async def go(self, is_asked: Callable[[], bool] = lambda: False) -> None:
        """Wait for a place; `is_asked` says whether somebody wants to know by now."""
        await self._first(is_asked)
        try:
            # A place given out ahead would be worth nothing where the loop was busy meanwhile: all
            # whose time had come would leave at once.
            await anyio.sleep(max(0.0, self._free - anyio.current_time()))
            self._free = anyio.current_time() + self._gap
        finally:
            self._leave()

    async def _first(self, is_asked: Callable[[], bool]) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        mine = anyio.Event()
        self._waiting[mine] = is_asked
        try:
            await mine.wait()
        except BaseException:
            if self._waiting.pop(mine, None) is None:  # it was given the place meanwhile
                self._leave()
            raise

    def _leave(self) -> None:
        waiting = self._waiting
        following = next((each for each, is_asked in waiting.items() if is_asked()), None)
        following = following or next(iter(waiting), None)
        self._is_taken = following is not None
        if following is not None:
            del waiting[following]
            following.set()


class Interpreter(Protocol):
    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome: ...


class ResearchPoller:
    """Looks at runs in growing intervals until Google is done with them; what else goes on there,
    such as agents and videos, is followed in the same way."""

    def __init__(
        self,
        runtime: Runtime,
        interpreter: Interpreter,
        *,
        interval: float | None = None,
        forgotten: str = "",
        is_whole: Callable[[Interaction], bool] | None = None,
        progress: type[ResearchProgress] = ResearchProgress,
    ) -> None:
        self._runtime = runtime
        self._gemini = runtime.gemini
        self._interpreter = interpreter
        self._interval = interval or runtime.config.research_poll_seconds
        self._forgotten = forgotten or FORGOTTEN
        self._is_whole = is_whole or _is_whole
        self._progress = progress
        self._rate_limit = LookRateLimit()

    # -- following a run ------------------------------------------------------------

    async def follow(self, running: RunningTurn) -> Outcome | None:
        """Look until Google is done with the run, or it counts as stalled."""
        turn = running.turn
        if not turn.interaction_id:
            return outcomes.interrupted()
        began = turn.sent or turn.created
        first = self._interval
        pause = min(max(began + first - self._runtime.now(), 0.0), first)
        over: Interaction | None = None
        late_looks = 0
        missing_since: float | None = None
        while True:
            await self._until_due(running, pause)
            is_late = self._runtime.now() > began + self._runtime.config.research_deadline_seconds
            try:
                found = await self._gemini.get(turn.interaction_id, api_version=turn.api_version)
            except NoKey:
                return None  # Google still has it: whoever has a key looks next
            except ForeignSchema as problem:
                if outcomes.is_over(problem.partial):
                    return outcomes.failed(problem, problem.partial)
                pause = _grown(max(pause, first), 1.5)
            except UpstreamError as problem:
                if over is not None:
                    return await self._interpreter.interpret(turn, over)
                if isinstance(problem, Gone):
                    missing_since = self._runtime.now() if missing_since is None else missing_since
                    if self._runtime.now() > missing_since + self._runtime.config.store_lag_seconds:
                        return outcomes.refused(problem.kind, self._forgotten)
                elif is_late and isinstance(problem, WrongKey | Rejected):
                    return _stalled(turn)  # answered, and it will be the same again
                running.tell(TROUBLE)
                wish = problem.retry_after if isinstance(problem, RateLimited) else None
                pause = _grown(max(pause, first), 1.5, wish or 0.0)
            else:
                missing_since = None
                if outcomes.is_over(found):
                    if self._is_whole(found) or late_looks == LATE_LOOKS:
                        return await self._interpreter.interpret(turn, found)
                    over, late_looks, pause = found, late_looks + 1, min(first, HASTE)
                    continue
                if is_late:
                    return _stalled(turn)
                doings = self._progress.of(found)
                # Google may show no steps before the end: that unsays nothing its stream told.
                if doings.line or running.doing == TROUBLE:
                    running.tell(doings.line, doings.known)
                pause = _grown(max(pause, first), 1.3)
            await self._publish(running)

    async def attend(self, running: RunningTurn) -> None:
        """While somebody waits: what the stream tells as long as it lives, and more looks."""
        await running.until_named(math.inf)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, running)
            while True:
                await self._runtime.sleep(self._interval)
                running.look_soon()

    async def _until_due(self, running: RunningTurn, pause: float) -> None:
        """Until the next look is due, or somebody wants to know, and there is a place for it."""
        pause *= random.uniform(0.8, 1.2)
        least = min(pause, self._interval, HASTE)
        await self._runtime.sleep(least)
        await running.until_look_due(pause - least, self._runtime.sleep)
        # Looks that waited for the SDK to be imported would all leave at once.
        with suppress(Exception):  # which the look itself will tell
            await self._gemini.warm()
        await self._rate_limit.go(lambda: running.is_look_wanted)
        running.looked()

    async def _listen(self, running: RunningTurn) -> None:
        doings = self._progress()
        try:
            async with self._gemini.follow(
                running.turn.interaction_id, api_version=running.turn.api_version
            ) as events:
                async for event in events:
                    doings.add(event)
                    if doings.is_over:
                        break
                    if doings.line:
                        running.tell_replayed(doings.line, doings.known)
        except (UpstreamError, Refused):
            return
        if doings.is_over:
            running.look_soon()

    async def _publish(self, running: RunningTurn) -> None:
        """Let other processes know what it is doing, and notice if it is theirs by now."""
        doing = running.doing if self._runtime.config.transcripts else ""
        try:
            held = await self._runtime.store.remark(
                running.turn, {"doing": doing}, holder=self._runtime.holder
            )
        except Exception:  # a database that is away for a moment must not end the watching
            log.warning(
                "could not write down what turn %s is doing", running.turn.id, exc_info=True
            )
            return
        if not held:
            raise LeaseLost()

    # -- ending a run -----------------------------------------------------------------

    async def stop(self, turn: Turn, seconds: float) -> Outcome:
        """End a run at Google. One that was over already keeps what it had become."""
        try:
            with anyio.fail_after(max(seconds, 0.0)):
                try:
                    found = await self._cancel(turn)
                except Rejected:  # as Google says when there is nothing left to stop
                    found = await self._gemini.get(
                        turn.interaction_id, api_version=turn.api_version
                    )
                    if not outcomes.is_over(found):
                        raise
                except Gone:
                    found = Interaction(turn.interaction_id, "cancelled")
        except TimeoutError:
            raise TimedOut() from None
        # Google may show a cancel only after a while.
        is_over = outcomes.is_over(found)
        return (
            await self._interpreter.interpret(turn, found) if is_over else outcomes.cancelled(found)
        )

    async def _cancel(self, turn: Turn) -> Interaction:
        young_until = (turn.sent or turn.created) + self._runtime.config.store_lag_seconds
        pause = 0.5
        while True:
            try:
                return await self._gemini.cancel(turn.interaction_id, api_version=turn.api_version)
            except (Gone, WrongKey):  # Google's store may not have it yet
                if self._runtime.now() > young_until:
                    raise
            await self._runtime.sleep(pause)
            pause = min(pause * 2, 5.0)


def _stalled(turn: Turn) -> Outcome:
    return Outcome(status="stalled", interaction_id=turn.interaction_id)


def _is_whole(interaction: Interaction) -> bool:
    """Whether everything is there that comes a little later: the tokens, perhaps the text."""
    if interaction.status in ("failed", "cancelled"):
        return True
    said = any(step.get("type") == "model_output" for step in interaction.steps)
    return said and interaction.usage is not None


def _grown(pause: float, by: float, at_least: float = 0.0) -> float:
    return min(max(pause * by, at_least), max(SLOWEST_LOOK, pause))
