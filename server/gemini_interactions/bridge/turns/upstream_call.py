"""The exchange: what is sent to Google for a turn, and what comes back.

A create is sent once: it is repeated only when it surely never reached the model. Looking
is free, and what a stream did not say is asked for.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio

from ...domain.errors import (
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
from ...domain.types import CONTENTS, CreateRequest, Interaction, Step, Turn
from ...interactions.stream_accumulator import InteractionAccumulator
from ..ports import Gemini, Store
from . import function_calls, outcomes
from .retry_policy import Policy, RetryPolicy
from .running_turns import RunningTurn

log = logging.getLogger(__name__)

FIRST_LOOK = 0.3
LONGEST_LOOK = 5.0
MOST_WAITING = 100
"""How many of an owner's turns may stand before Google's door in one process."""
HANDED_OVER = 1.0
"""Seconds within which a process that took a turn over has written down what became of it."""
GOOGLES_OWN_CALLS = 3
"""How often a turn that stops for one of Google's own functions is told to go on."""


class UpstreamCaller:
    """Talks to Google for the workshop; `holder` names this process in the store."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        policy: Policy,
        *,
        holder: str,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._policy = policy
        self._holder = holder
        self._now = now
        self._sleep = sleep
        self._places: dict[str, anyio.CapacityLimiter] = {}

    def admit(self, owner: str, queued: int) -> None:
        """Refuse more work for an owner who has very much of it waiting already; `queued` of it
        stands behind turns of its own and will want a place too."""
        places = self._places.get(owner)
        waiting = places.statistics().tasks_waiting if places else 0
        waiting += queued
        if waiting >= MOST_WAITING:
            raise Refused(
                f"{waiting} calls are waiting for Gemini already, and "
                f"{self._policy.max_concurrent} run at a time; nothing was sent. Wait until some "
                "of them have ended, then call again."
            )

    async def ask(self, work: RunningTurn, call: CreateRequest) -> Interaction:
        """One foreground turn: a stream, and the answers Google's own functions wait for."""
        async with self._place(work.turn.owner):
            try:
                with anyio.fail_after(call.timeout):
                    return await self._asked(work, call)
            except TimeoutError:
                raise TimedOut() from None

    async def _asked(self, work: RunningTurn, call: CreateRequest) -> Interaction:
        whole = latest = await self._exchanged(work, call)
        for _ in range(GOOGLES_OWN_CALLS):
            results = function_calls.for_google(latest)
            if not results:
                break
            work.draft = InteractionAccumulator()
            # A 404 on what came a moment ago is the store lagging, and no chain to tell again.
            work.young_until, work.rebuild = self._now() + self._policy.store_lag, None
            call = _going_on(call, latest, results)
            latest = await self._exchanged(work, call)
            whole = outcomes.joined(whole, results, latest)
        return whole

    async def _listen(self, work: RunningTurn, call: CreateRequest) -> None:
        """Send the create and take in its stream until it ends, well or not."""
        patience = RetryPolicy(self._policy, anyio.current_time())
        while True:
            try:
                async with self._gemini.stream(call) as events:
                    async for event in events:
                        await self._hear(work, event)
                return
            except ConnectionLost:
                if work.draft.id:
                    return  # Google has it: ask there
                raise
            except UpstreamError as problem:
                if work.draft.changes:
                    raise
                call = await self._once_more(problem, work, call, patience)

    async def _once_more(
        self, problem: UpstreamError, work: RunningTurn, call: CreateRequest, patience: RetryPolicy
    ) -> CreateRequest:
        """What to send after this problem, once it may be sent; raises where it must not."""
        pause = patience.before_repeating(problem, work, self._now())
        if pause is not None:
            await self._sleep(pause)
            return call
        if isinstance(problem, Gone) and work.rebuild and not problem.is_model:
            rebuild, work.rebuild = work.rebuild, None
            return await rebuild()
        raise problem

    async def _hear(self, work: RunningTurn, event: Mapping[str, Any]) -> None:
        work.draft.add(event)
        if work.draft.id and work.draft.id != work.turn.interaction_id:
            await self.named(work, work.draft.id)
        work.changed()

    async def named(self, work: RunningTurn, interaction_id: str) -> None:
        """Google's id, stored the moment it is known."""
        if work.turn.interaction_id:
            work.passed.append(work.turn.interaction_id)
        work.turn = replace(work.turn, interaction_id=interaction_id)
        try:
            held = await self._store.named(work.turn, interaction_id, holder=self._holder)
            if not held:
                log.warning("turn %s is no longer held by this process", work.turn.id)
                # Who took it over calls it interrupted for want of this id, which it takes then.
                await self._sleep(HANDED_OVER)
                await self._store.named(work.turn, interaction_id, holder=self._holder)
        except Exception:  # an answer that is paid for is not thrown away; its end brings the id
            log.exception("Google's id of turn %s could not be written down", work.turn.id)
        work.changed()

    async def _exchanged(self, work: RunningTurn, call: CreateRequest) -> Interaction:
        """One create, sent and listened to; Google is asked where its stream did not say all."""
        await self._listen(work, call)
        interaction = work.draft.interaction()
        if work.draft.error is not None:
            errors = (work.draft.error, *interaction.errors)
            return replace(interaction, status="failed", errors=errors)
        if work.draft.finished and outcomes.is_over(interaction):
            return interaction
        if not work.draft.id:
            raise ConnectionLost()
        try:
            return await self.look(work.turn)
        except Gone:
            raise ConnectionLost() from None

    async def look(self, turn: Turn) -> Interaction:
        """Ask Google for the interaction until it is over; the caller bounds the time.

        A 404 may be Google's store lagging, and a poll in flight may answer 403: both are
        believed only once the id is older than the lag.
        """
        pause = FIRST_LOOK
        young_until = (turn.sent or turn.created) + self._policy.store_lag
        while True:
            try:
                interaction = await self._gemini.get(turn.interaction_id)
                if outcomes.is_over(interaction):
                    return interaction
            except (Gone, WrongKey):
                if self._now() > young_until:
                    raise
            except (Unreachable, Unavailable, RateLimited, TimedOut, ConnectionLost):
                pass
            await self._sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 1.6, LONGEST_LOOK)

    async def cancel(self, work: RunningTurn) -> None:
        """A foreground stream was closed with its scope; a background run is told."""
        if work.turn.extra.get("background") and work.turn.interaction_id:
            try:
                with anyio.move_on_after(10):
                    await self._gemini.cancel(work.turn.interaction_id)
            except (UpstreamError, NoKey):
                log.warning("turn %s could not be cancelled at Google", work.turn.id)

    async def create(self, work: RunningTurn, call: CreateRequest) -> Interaction:
        """One create answered in one piece; repeated only when it surely never arrived."""
        patience = RetryPolicy(self._policy, anyio.current_time())
        async with self._place(work.turn.owner):
            while True:
                try:
                    return await self._gemini.create(call)
                except UpstreamError as problem:
                    call = await self._once_more(problem, work, call, patience)

    @asynccontextmanager
    async def _place(self, owner: str) -> AsyncIterator[None]:
        """One of the owner's places upstream; more wait."""
        places = self._places.setdefault(owner, anyio.CapacityLimiter(self._policy.max_concurrent))
        async with places:
            yield


def _going_on(call: CreateRequest, latest: Interaction, results: list[Step]) -> CreateRequest:
    """The call that answers what Google stopped for, right after it."""
    if call.store:
        return replace(call, input=results, previous_interaction_id=latest.id)
    asked = call.input if isinstance(call.input, list) else [{"type": "text", "text": call.input}]
    if all(each.get("type") in CONTENTS for each in asked):
        asked = [{"type": "user_input", "content": asked}]
    return replace(call, input=[*asked, *latest.steps, *results])
