"""The workshop makes turns: it queues, sends, listens, settles, and picks up what others dropped.

Everything here runs in the server's lifespan. A create is sent once: it is repeated only
when it surely never reached the model.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.abc

from ..draft import Draft
from ..errors import (
    ConnectionLost,
    Gone,
    NoKey,
    RateLimited,
    Refused,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
    WrongKey,
)
from ..interactions import Call, Interaction, Turn
from . import functions, outcomes, structured
from .costs import Costs
from .outcomes import Outcome
from .ports import Gemini, Store
from .work import Progress, Work, Works

log = logging.getLogger(__name__)

FIRST_LOOK = 0.3
LONGEST_LOOK = 5.0
TRIES_TO_CONNECT = 3
TRIES_AT_THE_LIMIT = 3
GOOGLES_OWN_CALLS = 3
"""How often a turn that stops for one of Google's own functions is told to go on."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the bridge is. Times in seconds, sizes in bytes."""

    model: str = ""
    max_wait: float = 45.0
    lease: float = 30.0
    store_lag: float = 120.0
    upstream_timeout: float = 600.0
    max_concurrent: int = 8
    max_prompt_bytes: int = 4 * 1024 * 1024
    transcripts: bool = True
    authenticated: bool = False
    remote_hosts: tuple[str, ...] = ()


Plan = Callable[[Work], Awaitable[Call]]
"""Waits for what a turn follows and says what to send; may refuse."""


class Workshop:
    """Makes turns and keeps their leases; `holder` names this process in the store."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        policy: Policy,
        tasks: anyio.abc.TaskGroup,
        *,
        holder: str,
        now: Callable[[], float],
        costs: Costs,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.store = store
        self.gemini = gemini
        self.policy = policy
        self.holder = holder
        self.now = now
        self.works = Works()
        self._costs = costs
        self._sleep = sleep
        self._tasks = tasks
        self._places: dict[str, anyio.CapacityLimiter] = {}

    @property
    def lease_until(self) -> float:
        return self.now() + self.policy.lease

    def start(self, turn: Turn, plan: Plan) -> Work:
        """Make a turn that this process has just written down."""

        async def outcome(work: Work) -> Outcome:
            call = await plan(work)
            async with self._place(turn.owner):
                return await self._send(work, call)

        return self._begin(turn, outcome)

    async def rescue(self, turn: Turn) -> Turn:
        """Take over a running turn whose process is gone, or say how it stands.

        One whose Google id is known is looked up and finished; one without is interrupted,
        its prompt kept, and never sent again by itself.
        """
        if not await self.store.take_over(turn, self.holder, self.lease_until):
            return await self._again(turn)
        if not turn.interaction_id:
            return await self._finish(turn, outcomes.interrupted())

        async def outcome(work: Work) -> Outcome | None:
            left = turn.created + self.policy.upstream_timeout - self.now()
            try:
                with anyio.fail_after(max(left, self.policy.store_lag / 4)):
                    return await self._judged(turn, await self._look(turn))
            except (TimeoutError, Gone):
                return outcomes.interrupted()
            except (NoKey, WrongKey):
                return None  # Google still has it: look again when there is a key

        self._begin(turn, outcome)
        return turn

    async def look_again(self, turn: Turn) -> Turn:
        """One look at Google for a turn that was given up; a real outcome beats "interrupted"."""
        try:
            interaction = await self.gemini.get(turn.interaction_id)
        except (UpstreamError, Refused):
            return turn
        if not outcomes.is_over(interaction):
            return turn
        return await self._finish(turn, await self._judged(turn, interaction))

    async def with_words(self, turn: Turn) -> Turn:
        """The turn as it was answered; where only ids are kept, its words are read from Google."""
        kept = self.policy.transcripts or turn.steps or turn.error is not None
        if kept or not turn.is_final or not turn.interaction_id:
            return turn
        return await self.look_again(turn)

    async def until_final(self, turn: Turn, seconds: float, progress: Progress) -> Turn:
        """The turn once it is final, or as it stands after `seconds`."""
        work = self.works.of(turn)
        if work is not None:
            await work.wait(seconds, progress)
            return work.turn
        turn = await self._again(turn)
        start = anyio.current_time()
        pause = FIRST_LOOK
        while not turn.is_final:
            if turn.lease_until < self.now():
                turn = await self.rescue(turn)
                left = start + seconds - anyio.current_time()
                return turn if turn.is_final else await self.until_final(turn, left, progress)
            left = start + seconds - anyio.current_time()
            if left <= 0:
                return turn
            await self._sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)
            await progress(anyio.current_time() - start, "Another process works on this turn")
            turn = await self._again(turn)
        return turn

    async def stop(self, turn: Turn) -> Turn:
        """Somebody aborted: end the work, reach Google, keep what had arrived."""
        work = self.works.of(turn)
        if work is None:
            return await self._again(turn)
        work.end("abort")
        await work.done.wait()
        return work.turn

    async def close(self) -> None:
        """The process ends: commit what there is, give up the leases."""
        for work in self.works:
            work.end("shutdown")
        for work in self.works:
            await work.done.wait()
        await self.store.release(self.holder)

    async def keep_leases(self) -> None:
        if len(self.works):
            await self.store.renew(self.holder, self.lease_until)

    async def catch_up(self) -> None:
        """Take over what processes that are gone have left running."""
        for turn in await self.store.expired(self.now(), 100):
            if self.works.of(turn) is None:
                await self.rescue(turn)

    # -- one turn -------------------------------------------------------------

    def _begin(self, turn: Turn, outcome: Callable[[Work], Awaitable[Outcome | None]]) -> Work:
        work = Work(turn)
        self.works.add(work)
        self._tasks.start_soon(self._make, work, outcome, name=f"turn {turn.id}")
        return work

    async def _make(self, work: Work, outcome: Callable[[Work], Awaitable[Outcome | None]]) -> None:
        ended: Outcome | None = None
        try:
            with work.scope:
                ended = await outcome(work)
        except Refused as refusal:
            ended = outcomes.refused(type(refusal).__name__, str(refusal))
        except UpstreamError as problem:
            ended = outcomes.failed(problem, work.draft.interaction())
        except Exception:
            log.exception("turn %s failed inside this server", work.turn.id)
            ended = outcomes.refused("Internal", "This server failed while making the turn.")
        with anyio.CancelScope(shield=True):
            try:
                await self._end(work, ended)
            finally:
                self.works.drop(work)

    async def _end(self, work: Work, ended: Outcome | None) -> None:
        turn = work.turn
        try:
            if ended is None and work.ended_by == "abort":
                await self._cancel_upstream(work)
                ended = outcomes.cancelled(work.draft.interaction())
            elif ended is None and not work.turn.interaction_id:
                ended = outcomes.interrupted(work.draft.interaction())
            # An answer Google still has is left running: the next process looks it up.
            if ended is not None:
                turn = await self._finish(turn, ended)
        except Exception:
            log.exception("the end of turn %s could not be written down", turn.id)
        finally:
            work.finished(turn)

    async def _finish(self, turn: Turn, outcome: Outcome) -> Turn:
        kept = outcome if self.policy.transcripts else replace(outcome, steps=(), text="")
        took = await self.store.finish(
            turn,
            status=outcome.status,
            now=self.now(),
            steps=kept.steps,
            usage=outcome.usage,
            model=outcome.model,
            text=kept.text,
            notes=(*turn.notes, *outcome.notes),
            error=outcome.error,
            interaction_id=outcome.interaction_id or None,
        )
        if not took:
            log.info("turn %s had been finished elsewhere", turn.id)
        elif outcome.usage is not None:
            model = outcome.model or turn.settings.model
            await self._costs.book(turn.owner, model, outcome.usage)
        turn = await self._again(turn)
        if not self.policy.transcripts:
            turn = replace(turn, steps=outcome.steps, text=outcome.text)
        return turn

    async def _judged(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What became of an interaction Google is done with, as this turn wanted it."""
        outcome = outcomes.of(interaction)
        schema = turn.extra.get("response_schema")
        if schema:
            outcome = await anyio.to_thread.run_sync(structured.checked, outcome, schema)
        return outcome

    async def _again(self, turn: Turn) -> Turn:
        return await self.store.turn(turn.owner, turn.conversation_id, turn.n) or turn

    @asynccontextmanager
    async def _place(self, owner: str) -> AsyncIterator[None]:
        """One of the owner's places upstream; more wait."""
        places = self._places.setdefault(owner, anyio.CapacityLimiter(self.policy.max_concurrent))
        async with places:
            yield

    # -- Google ---------------------------------------------------------------

    async def _send(self, work: Work, call: Call) -> Outcome:
        try:
            with anyio.fail_after(call.timeout):
                interaction = await self._exchanged(work, call)
                for _ in range(GOOGLES_OWN_CALLS):
                    results = functions.for_google(interaction)
                    if not results:
                        break
                    work.draft = Draft()
                    call = replace(call, input=results, previous_interaction_id=interaction.id)
                    later = await self._exchanged(work, call)
                    interaction = outcomes.joined(interaction, results, later)
                return await self._judged(work.turn, interaction)
        except TimeoutError:
            raise TimedOut() from None

    async def _listen(self, work: Work, call: Call) -> None:
        """Send the create and take in its stream until it ends, well or not."""
        patience = Patience(self.policy, anyio.current_time())
        while True:
            try:
                async with self.gemini.stream(call) as events:
                    async for event in events:
                        await self._hear(work, event)
                return
            except ConnectionLost:
                if work.turn.interaction_id:
                    return  # Google has it: ask there
                raise
            except UpstreamError as problem:
                if work.draft.changes:
                    raise
                pause = patience.before_repeating(problem, work, self.now())
                if pause is not None:
                    await self._sleep(pause)
                elif isinstance(problem, Gone) and work.rebuild and not problem.is_model:
                    call = await work.rebuild()
                    work.rebuild = None
                else:
                    raise

    async def _hear(self, work: Work, event: Mapping[str, Any]) -> None:
        work.draft.add(event)
        if work.draft.id and work.draft.id != work.turn.interaction_id:
            await self.store.named(work.turn, work.draft.id, holder=self.holder)
            work.turn = replace(work.turn, interaction_id=work.draft.id)
        work.changed()

    async def _exchanged(self, work: Work, call: Call) -> Interaction:
        """One create, sent and listened to; Google is asked where its stream did not say all."""
        await self._listen(work, call)
        interaction = work.draft.interaction()
        if work.draft.error is not None:
            errors = (work.draft.error, *interaction.errors)
            return replace(interaction, status="failed", errors=errors)
        if work.draft.finished and outcomes.is_over(interaction):
            return interaction
        if not work.turn.interaction_id:
            raise ConnectionLost()
        try:
            return await self._look(work.turn)
        except Gone:
            raise ConnectionLost() from None

    async def _look(self, turn: Turn) -> Interaction:
        """Ask Google for the interaction until it is over; the caller bounds the time.

        A 404 may be Google's store lagging, and a poll in flight may answer 403: both are
        believed only once the id is older than the lag.
        """
        pause = FIRST_LOOK
        young_until = (turn.sent or turn.created) + self.policy.store_lag
        while True:
            try:
                interaction = await self.gemini.get(turn.interaction_id)
                if outcomes.is_over(interaction):
                    return interaction
            except (Gone, WrongKey):
                if self.now() > young_until:
                    raise
            except (Unreachable, Unavailable, RateLimited, TimedOut, ConnectionLost):
                pass
            await self._sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 1.6, LONGEST_LOOK)

    async def _cancel_upstream(self, work: Work) -> None:
        """A foreground stream was closed with its scope; a background run is told."""
        if work.turn.extra.get("background") and work.turn.interaction_id:
            try:
                with anyio.move_on_after(10):
                    await self.gemini.cancel(work.turn.interaction_id)
            except (UpstreamError, NoKey):
                log.warning("turn %s could not be cancelled at Google", work.turn.id)


class Patience:
    """Whether a create that failed may be sent again, and after how long."""

    def __init__(self, policy: Policy, start: float) -> None:
        self._policy = policy
        self._start = start
        self._refusals = 0
        self._limits = 0
        self._lag = 0

    def before_repeating(self, problem: UpstreamError, work: Work, now: float) -> float | None:
        """Seconds to wait before the next try; None when it must not be repeated."""
        match problem:
            case Unreachable() if self._refusals < TRIES_TO_CONNECT:
                self._refusals += 1
                return float(0.25 * 2**self._refusals)
            case RateLimited(retry_after=float() | int() as wish) if not problem.needs_paid_key:
                pause = max(float(wish), 0.0)
                self._limits += 1
                spent = anyio.current_time() - self._start
                fits = spent + wish <= self._policy.max_wait
                return pause if fits and self._limits <= TRIES_AT_THE_LIMIT else None
            case Gone() if now < work.young_until:
                self._lag += 1
                return float(min(0.5 * 2**self._lag, 10.0))
            case _:
                return None
