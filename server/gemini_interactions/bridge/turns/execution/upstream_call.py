"""Upstream calls: what is sent to Google for a turn, and what comes back.

A create is sent once: it is repeated only when it surely never reached the model. Looking
is free, and what a stream did not say is asked for.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

import anyio

from ....domain.errors import (
    ConnectionLost,
    Garbled,
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
from ....domain.types import CONTENTS, CreateRequest, Interaction, Step, Turn
from ....interactions.json_values import type_of
from ....interactions.stream_accumulator import InteractionAccumulator
from ...runtime import Runtime
from .. import function_calls, outcomes
from ..turn_handler import TurnHandlers
from .lease import LeaseProof, claim_send
from .retry_policy import RetryPolicy
from .running_turns import RunningTurn

log = logging.getLogger(__name__)

CONFIRMED = 60.0
"""Seconds Google may take to confirm what it does in the background."""
FIRST_LOOK = 0.3
LONGEST_LOOK = 5.0
MOST_WAITING = 100
"""How many of an owner's turns may stand before Google's door in one process."""
HANDED_OVER = 1.0
"""Seconds within which a process that took a turn over has written down what became of it."""
GOOGLES_OWN_CALLS = 3
"""How often a turn that stops for one of Google's own functions is told to go on."""


class UpstreamCaller:
    """Sends to Google, with retries, and looks there."""

    def __init__(self, runtime: Runtime, handlers: TurnHandlers) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._gemini = runtime.gemini
        self._places: dict[str, anyio.CapacityLimiter] = {}
        config = runtime.config
        # Workers of one address count an owner's places together, in the store.
        self._shared_places = config.max_concurrent if config.workers > 1 else 0

    def admit(self, owner: str, queued: int) -> None:
        """Refuse more running for an owner who has very much of it waiting already; `queued` of it
        stands behind turns of its own and will want a place too."""
        places = self._places.get(owner)
        waiting = places.statistics().tasks_waiting if places else 0
        waiting += queued
        if waiting >= MOST_WAITING:
            raise Refused(
                f"{waiting} calls are waiting for Gemini already, and "
                f"{self._runtime.config.max_concurrent} run at a time; nothing was sent. Wait "
                "until some of them have ended, then call again."
            )

    async def send(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """Send the request of a turn, in the way of its kind; the interaction as Google has it."""
        match self._handlers.of(running.turn).sends:
            case "stream" if call.background:
                return await self._in_background(running, call)
            case "stream":
                return await self._stream(running, call)
            case "unary":
                return await self._in_one_piece(running, call)
            case "background":
                interaction = await self._create(running, call)
                if not interaction.id:
                    raise Garbled()
            case unknown:
                assert_never(unknown)
        if interaction.id:
            where = interaction.environment_id
            await self._named(running, interaction.id, interaction.api_version, environment=where)
        return interaction

    async def _in_one_piece(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """A create that is answered once it is over. One that is not is Google's to finish, and
        is paid for: it is looked at there."""
        interaction = await self._create(running, call)
        if not interaction.id:
            return interaction
        await self._named(running, interaction.id, interaction.api_version)
        if outcomes.is_over(interaction):
            return interaction
        try:
            with anyio.fail_after(call.timeout):
                return await self.look(running.turn)
        except Gone:
            return interaction
        except TimeoutError:
            raise TimedOut() from None

    async def _in_background(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """A turn that Google may take its time for: its id is known at once, then it is looked
        at until it is over."""
        try:
            with anyio.fail_after(call.timeout):
                created = await self._create(running, replace(call, timeout=CONFIRMED))
                if not created.id:
                    raise Garbled()
                version = created.api_version
                await self._named(running, created.id, version, is_background=True)
                return created if outcomes.is_over(created) else await self.look(running.turn)
        except TimeoutError:
            raise TimedOut() from None

    async def _stream(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """One foreground turn: a stream, and the answers Google's own functions wait for."""
        async with self._place(running.turn.owner):
            try:
                with anyio.fail_after(call.timeout):
                    return await self._asked(running, call)
            except TimeoutError:
                raise TimedOut() from None

    async def _asked(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        whole = latest = await self._exchanged(running, call)
        for _ in range(GOOGLES_OWN_CALLS):
            results = function_calls.for_google(latest)
            if not results:
                break
            running.draft = InteractionAccumulator()
            # A 404 on what came a moment ago is the store lagging, and no chain to tell again.
            running.young_until = self._runtime.now() + self._runtime.config.store_lag_seconds
            running.may_rebuild = False
            call = _going_on(call, latest, results)
            latest = await self._exchanged(running, call)
            whole = outcomes.joined(whole, results, latest)
        return whole

    async def _listen(self, running: RunningTurn, call: CreateRequest) -> None:
        """Send the create and take in its stream until it ends, well or not."""
        retries = RetryPolicy(self._runtime.max_wait, anyio.current_time())
        proof = LeaseProof(partial(claim_send, self._runtime, running, self._shared_places))
        while True:
            try:
                await proof.renew()
                async with self._gemini.stream(call, before_send=proof.check) as events:
                    async for event in events:
                        await self._hear(running, event)
                return
            except ConnectionLost:
                if running.draft.id:
                    return  # Google has it: ask there
                raise
            except UpstreamError as problem:
                if running.draft.changes:
                    raise
                call = await self._once_more(problem, running, call, retries)

    async def _once_more(
        self,
        problem: UpstreamError,
        running: RunningTurn,
        call: CreateRequest,
        retries: RetryPolicy,
    ) -> CreateRequest:
        """What to send after this problem, once it may be sent; raises where it must not."""
        pause = retries.before_repeating(problem, running, self._runtime.now())
        if pause is not None:
            await self._runtime.sleep(pause)
            return call
        may_rebuild = running.may_rebuild and running.good and running.plan and running.plan.words
        if isinstance(problem, Gone) and may_rebuild and not problem.is_model:
            running.may_rebuild = False
            return await self._handlers.of(running.turn).rebuild(running, call)
        raise problem

    async def _hear(self, running: RunningTurn, event: Mapping[str, Any]) -> None:
        running.draft.add(event)
        if running.draft.id and running.draft.id != running.turn.interaction_id:
            await self._named(running, running.draft.id, running.draft.api_version)
        running.changed()

    async def _named(
        self,
        running: RunningTurn,
        interaction_id: str,
        api_version: str = "",
        *,
        is_background: bool = False,
        environment: str = "",
    ) -> None:
        """Google's id, stored the moment it is known, and the version of the API that knows it
        where that is not the usual one; `environment` is where an agent works."""
        if running.turn.interaction_id:
            running.passed.append(running.turn.interaction_id)
        running.turn = replace(running.turn, interaction_id=interaction_id)
        try:
            held = await self._runtime.store.named(
                running.turn, interaction_id, holder=self._runtime.holder
            )
            if not held:
                log.warning("turn %s is no longer held by this process", running.turn.id)
                # Who took it over calls it interrupted for want of this id, which it takes then.
                await self._runtime.sleep(HANDED_OVER)
                await self._runtime.store.named(
                    running.turn, interaction_id, holder=self._runtime.holder
                )
            facts: dict[str, Any] = {"api_version": api_version} if api_version else {}
            facts |= {"background": True} if is_background else {}
            facts |= {"environment_id": environment} if environment else {}
            if facts:
                running.turn = replace(running.turn, extra={**running.turn.extra, **facts})
                await self._runtime.store.remark(running.turn, facts, holder=self._runtime.holder)
        except Exception:  # an answer that is paid for is not thrown away; its end brings the id
            log.exception("could not write down Google's id of turn %s", running.turn.id)
        running.changed()

    async def _exchanged(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """One create, sent and listened to; Google is asked where its stream did not say all."""
        await self._listen(running, call)
        interaction = running.draft.interaction()
        if running.draft.error is not None:
            errors = (running.draft.error, *interaction.errors)
            return replace(interaction, status="failed", errors=errors)
        if running.draft.finished and outcomes.is_over(interaction):
            return interaction
        if not running.draft.id:
            raise ConnectionLost()
        try:
            found = await self.look(running.turn)
        except Gone:
            raise ConnectionLost() from None
        # Google's record of an answer that came in parts is that of the last part.
        is_part = found.status == "requires_continuation"
        return replace(running.draft.interaction(), status=found.status) if is_part else found

    async def look(self, turn: Turn) -> Interaction:
        """Ask Google for the interaction until it is over; the caller bounds the time.

        A 404 may be Google's store lagging, and a poll in flight may answer 403: both are
        believed only once the id is older than the lag.
        """
        pause = FIRST_LOOK
        young_until = (turn.sent or turn.created) + self._runtime.config.store_lag_seconds
        while True:
            try:
                interaction = await self._gemini.get(
                    turn.interaction_id, api_version=turn.api_version
                )
                if outcomes.is_over(interaction):
                    return interaction
            except (Gone, WrongKey):
                if self._runtime.now() > young_until:
                    raise
            except (Unreachable, Unavailable, RateLimited, TimedOut, ConnectionLost):
                pass
            await self._runtime.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 1.6, LONGEST_LOOK)

    async def cancel(self, running: RunningTurn) -> None:
        """A foreground stream was closed with its scope; a background run is told."""
        if running.turn.extra.get("background") and running.turn.interaction_id:
            try:
                with anyio.move_on_after(10):
                    await self._gemini.cancel(
                        running.turn.interaction_id, api_version=running.turn.api_version
                    )
            except (UpstreamError, NoKey):
                log.warning("could not cancel turn %s at Google", running.turn.id)

    async def _create(self, running: RunningTurn, call: CreateRequest) -> Interaction:
        """One create answered in one piece; repeated only when it surely never arrived."""
        retries = RetryPolicy(self._runtime.max_wait, anyio.current_time())
        proof = LeaseProof(partial(claim_send, self._runtime, running, self._shared_places))
        async with self._place(running.turn.owner):
            while True:
                try:
                    await proof.renew()
                    return await self._gemini.create(call, before_send=proof.check)
                except UpstreamError as problem:
                    call = await self._once_more(problem, running, call, retries)

    @asynccontextmanager
    async def _place(self, owner: str) -> AsyncIterator[None]:
        """One of the owner's places upstream; more wait."""
        places = self._places.setdefault(
            owner, anyio.CapacityLimiter(self._runtime.config.max_concurrent)
        )
        async with places:
            yield


def _going_on(call: CreateRequest, latest: Interaction, results: list[Step]) -> CreateRequest:
    """The call that answers what Google stopped for, right after it."""
    if call.store:
        return replace(call, input=results, previous_interaction_id=latest.id)
    asked = call.input if isinstance(call.input, list) else [{"type": "text", "text": call.input}]
    if all(type_of(each) in CONTENTS for each in asked):
        asked = [{"type": "user_input", "content": asked}]
    return replace(call, input=[*asked, *latest.steps, *results])
