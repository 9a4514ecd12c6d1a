"""Turn executor: runs turns in the server's lifespan, and keeps their leases.

A turn goes on whatever becomes of the call that asked for it. Leases that expired are
taken over here; what Google has of such turns is the business of `recovery`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import anyio
import anyio.abc

from .... import telemetry
from ....domain.errors import ForeignSchema, Refused, UpstreamError
from ....domain.types import CreateRequest, Interaction, Preparation, Turn
from ...requests import Progress, no_progress
from ...runtime import Runtime
from .. import outcomes
from ..history_chain import passed_over
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandlers
from .finalizer import TurnFinalizer
from .lease import GapDetector, LeaseLost
from .recovery import TurnRecovery
from .running_turns import RunningTurn, RunningTurns
from .upstream_call import FIRST_LOOK, UpstreamCaller

log = logging.getLogger(__name__)

LAST_NAMES = 0.5
"""Seconds a process that ends still waits for the ids of background runs it has just started:
without its id, a run that costs dollars is lost."""


class TurnExecutor:
    def __init__(
        self, runtime: Runtime, handlers: TurnHandlers, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._tasks = tasks
        self._upstream = UpstreamCaller(runtime, handlers)
        self._finalizer = TurnFinalizer(runtime)
        self.recovery = TurnRecovery(runtime, handlers, self._upstream, self._finalizer)
        self.running = RunningTurns()
        self._closing = False
        self._gaps = GapDetector(runtime.now, runtime.config.lease_seconds / 3)
        self._file_seen = runtime.now()
        """When the database's file was last known to be in its place (epoch seconds)."""

    def admit(self, owner: str) -> None:
        """Refuse more work for an owner who has very much of it waiting already."""
        theirs = (running for running in self.running if running.turn.owner == owner)
        self._upstream.admit(owner, sum(running.is_queued for running in theirs))

    @property
    def waiting(self) -> int:
        """Turns that wait for a place at Google, or for the turns before them."""
        return sum(each.turn.sent is None for each in self.running)

    def start(self, turn: Turn, new: NewTurn[Any]) -> RunningTurn:
        """Execute a turn that this process holds the lease of."""
        return self._start(RunningTurn(turn, new))

    def _start(self, running: RunningTurn) -> RunningTurn:
        if self._closing:
            running.end("shutdown")
        self.running.add(running)
        self._tasks.start_soon(self._run, running, name=f"turn {running.turn.id}")
        return running

    async def take_over(self, turn: Turn) -> Turn:
        """Take over a running turn whose process is gone, or say how it stands."""
        # Whoever wants to know may go away meanwhile: a lease that is taken is also used.
        with anyio.CancelScope(shield=True):
            holder, until = self._runtime.holder, self._runtime.lease_until
            now = self._runtime.now()
            if not await self._runtime.store.take_over(turn, holder, until, now):
                return await self._finalizer.reload(turn)
            running = self._start(RunningTurn(turn))
            if not turn.interaction_id:
                await running.done.wait()
        return running.turn

    async def until_final(self, turn: Turn, seconds: float, progress: Progress) -> Turn:
        """The turn once it is final, or as it stands after `seconds`."""
        running = self.running.of(turn)
        if running is not None:
            running.look_soon()
            async with self._attended(running, seconds):
                await running.wait(seconds, progress)
            return running.turn
        turn = await self._finalizer.reload(turn)
        start = anyio.current_time()
        pause = FIRST_LOOK
        while not turn.is_final:
            if await self._is_abandoned(turn):
                turn = await self.take_over(turn)
                left = start + seconds - anyio.current_time()
                return turn if turn.is_final else await self.until_final(turn, left, progress)
            left = start + seconds - anyio.current_time()
            if left <= 0:
                return turn
            await self._runtime.sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)
            doing = str(turn.extra.get("doing") or "Another process works on this turn")
            await progress(anyio.current_time() - start, doing)
            turn = await self._finalizer.reload(turn)
        return turn

    @contextmanager
    def reading(self, turn: Turn) -> Iterator[None]:
        """Somebody waits for the outcome: if it comes within the block, it is delivered."""
        running = self.running.of(turn)
        if running is None:
            yield
            return
        running.readers += 1
        try:
            yield
        finally:
            running.readers -= 1

    @asynccontextmanager
    async def _attended(self, running: RunningTurn, seconds: float) -> AsyncIterator[None]:
        handler = self._handlers.of(running.turn)
        if handler.sends != "background" or seconds <= 0:
            yield
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(handler.attend, running)
            yield
            tasks.cancel_scope.cancel()

    async def stop(self, turn: Turn) -> Turn:
        """Somebody aborted: end the work, reach Google, keep what had arrived."""
        running = self.running.of(turn)
        if running is None:
            return await self._finalizer.reload(turn)
        running.end("abort")
        await running.done.wait()
        return running.turn

    async def conclude(self, turn: Turn, outcome: Outcome) -> Turn:
        """End a turn this way, whoever works on it."""
        running = self.running.of(turn)
        if running is None:
            return await self._finalizer.finalize(turn, outcome)
        running.decided = outcome
        running.scope.cancel()
        await running.done.wait()
        return running.turn

    async def close(self) -> None:
        """The process ends: commit what there is, give up the leases."""
        self._closing = True
        with anyio.move_on_after(LAST_NAMES):
            for running in self.running:
                if running.turn.extra.get("background") and running.turn.sent is not None:
                    await running.until_named(LAST_NAMES)
        for running in self.running:
            running.end("shutdown")
        for running in self.running:
            await running.done.wait()
        await self._write_again()
        await self._runtime.store.release(self._runtime.holder)

    async def keep_leases(self) -> None:
        """Renew the leases of this process; where that is overdue, spare those of others."""
        runtime, is_overdue = self._runtime, self._gaps.is_overdue
        await self._keep_file()
        if len(self.running):
            await runtime.store.renew(runtime.holder, runtime.lease_until, runtime.now())
            await self._end_cancelled()
        self._gaps.renewed()
        if is_overdue:
            log.info("this process was held up or its clock was set: others are not judged yet")
            self._gaps.spare_others()

    async def _end_cancelled(self) -> None:
        """End the turns of this process whose tasks were cancelled by way of another one."""
        cancelled = set(await self._runtime.store.with_cancelled_task(self._runtime.holder))
        for running in self.running:
            if running.turn.id in cancelled:
                running.end("abort")

    async def catch_up(self) -> None:
        """Write down what could not be before; take over what processes that are gone left."""
        await self._write_again()
        for turn in await self._runtime.store.expired(self._runtime.now(), 100):
            if self.running.of(turn) is None and await self._may_judge(turn):
                await self.take_over(turn)

    async def _is_abandoned(self, turn: Turn) -> bool:
        """Whether the process that ran this turn is gone."""
        is_expired = await self._runtime.store.is_expired(turn, self._runtime.now())
        return is_expired and await self._may_judge(turn)

    async def _may_judge(self, turn: Turn) -> bool:
        """Whether an expired lease of another process means that it is gone."""
        if not turn.lease_until:  # given up by its holder
            return True
        if self._gaps.is_overdue:
            await self.keep_leases()
        return self._gaps.may_judge()

    async def _keep_file(self) -> None:
        """Where the database's file was removed or replaced, go on in the one at its place."""
        runtime = self._runtime
        if runtime.store.is_in_place():
            self._file_seen = runtime.now()
            return
        try:
            carried = await runtime.store.reopen(holder=runtime.holder, since=self._file_seen - 1)
        except Exception:
            log.exception("the database file is gone, and none can be opened in its place")
            return
        log.warning("the database file was replaced; %s conversations were carried over", carried)
        self._file_seen = runtime.now()

    # -- one turn -------------------------------------------------------------

    async def _execute(self, running: RunningTurn) -> Outcome | None:
        """Send the request of a new turn, and read or follow what comes of it; None leaves it to
        whoever looks next."""
        handler, new = self._handlers.of(running.turn), running.new
        if new is None:
            return await self.recovery.recover(running)
        interaction = await self._send(running, new)
        if handler.sends == "background":
            # It may hold the bytes of files, and the run takes an hour.
            running.new = running.plan = new = None
            return await handler.follow(running)
        outcome = await handler.read(running.turn, interaction)
        return await handler.deliver(running.turn, new, outcome)

    async def _send(self, running: RunningTurn, new: NewTurn[Any]) -> Interaction:
        if new.attached.waiting:
            attached = await self._runtime.attachments.sent(
                running.turn.owner, new.attached, running.tell
            )
            new = replace(new, attached=attached)
        after = await self._predecessor(running.turn, stored=new.stored)
        handler = self._handlers.of(running.turn)
        plan = await handler.build_request(running.turn, new, after)
        request = self._planned(running, plan, after)
        try:
            return await self._upstream.send(running, request)
        except UpstreamError as problem:
            raise handler.explain(problem, running) from None

    async def _predecessor(self, turn: Turn, *, stored: bool) -> Predecessor:
        """The turn this one was written behind, once it is final; a running research is none.

        One that was aborted or interrupted while it waited in its own queue leaves its place
        to those after it: they wait for the turn that it was written behind.
        """
        before = found = await self._before(turn)
        while found is not None and not found.is_chainable:
            found = await self._before(found)
        history = self._runtime.history
        good = await history.last_good(before, stored=stored) if before else None
        if good is not None and good.status == "requires_action":
            good = await self.recovery.with_words(good)
        return Predecessor(before, good)

    async def _before(self, turn: Turn) -> Turn | None:
        if turn.parent is None:
            return None
        before = await self._runtime.store.turn(turn.owner, turn.conversation_id, turn.parent)
        while before is not None and not before.is_final and not self._is_background(before):
            before = await self.until_final(before, 3600.0, no_progress)
        return before

    def _is_background(self, turn: Turn) -> bool:
        return self._handlers.of(turn).sends == "background"

    def _planned(
        self, running: RunningTurn, plan: RequestPlan, after: Predecessor
    ) -> CreateRequest:
        """What is about to be sent, and after which turn: written down with the proof of the lease
        that comes right before it, or with the turn's end."""
        turn, good = running.turn, after.good
        chained = good.n if good else None
        notes = (*passed_over(after.before, good), *plan.notes)
        running.plan, running.good = plan, good
        running.turn = replace(
            turn,
            settings=plan.settings,
            notes=notes,
            chained=chained,
            input=turn.input if plan.input is None else plan.input,
        )
        if good is not None and good.n:
            lag = self._runtime.config.store_lag_seconds
            running.young_until = (good.finished or good.created) + lag
        running.reservation = self._runtime.budget.reservation(
            turn.owner,
            plan.settings.model,
            turn.prompt,
            turn.extra,
            settings=plan.settings,
            input=running.turn.input,
            before=good,
        )
        running.preparation = Preparation(chained, plan.settings, notes, plan.input)
        running.changed()
        return plan.request

    async def _run(self, running: RunningTurn) -> None:
        telemetry.conversation.set(running.turn.conversation_id)
        ended: Outcome | None = None
        try:
            with running.scope:
                ended = await self._execute(running)
        except LeaseLost:
            log.warning("turn %s is another process's now, or over", running.turn.id)
            with anyio.CancelScope(shield=True):
                await self._let_go(running)
            return
        except Refused as refusal:
            ended = outcomes.refused(type(refusal).__name__, str(refusal))
        except ForeignSchema as problem:
            ended = outcomes.failed(problem, problem.partial or running.draft.interaction())
        except UpstreamError as problem:
            ended = outcomes.failed(problem, running.draft.interaction())
        except Exception:
            log.exception("turn %s failed inside this server", running.turn.id)
            ended = outcomes.failed_inside(running.draft.interaction())
            if running.turn.extra.get("background") and running.turn.interaction_id:
                ended = outcomes.interrupted()  # Google still has it: a later look may do better
        with anyio.CancelScope(shield=True):
            ended = ended or running.decided
            if ended is None and running.ended_by == "abort":
                await self._upstream.cancel(running)
                ended = outcomes.cancelled(running.draft.interaction())
            elif ended is None and not running.turn.interaction_id:
                ended = outcomes.interrupted(running.draft.interaction())
            # Without an outcome Google still has the answer: whoever looks next finds it.
            if ended is None:
                await self._let_go(running)
            else:
                await self._finish(running, ended)

    async def _finish(self, running: RunningTurn, outcome: Outcome) -> None:
        """Write down how the turn ended. Where the store fails, the answer still reaches those
        who wait for it, and the turn stays in hand, to be read there, until it is written."""
        if running.passed:
            outcome = replace(outcome, extra={**outcome.extra, "passed": running.passed})
        try:
            await self._write_preparation(running)
            turn = await self._finalizer.finalize(
                running.turn, outcome, is_read=running.readers > 0
            )
        except Exception:
            log.exception("could not write down the end of turn %s", running.turn.id)
            running.unwritten = outcome
            turn = outcomes.apply(running.turn, outcome, self._runtime.now())
        else:
            self.running.drop(running)
        running.finished(turn)

    async def _write_preparation(self, running: RunningTurn) -> None:
        """Of a turn that ends before anything was sent for it: what comes next may need it."""
        if (planned := running.preparation) is not None:
            running.preparation = None
            await self._runtime.store.prepare(
                running.turn,
                holder=self._runtime.holder,
                chained=planned.chained,
                settings=planned.settings,
                notes=planned.notes,
                input=planned.input,
            )

    async def _write_again(self) -> None:
        for running in self.running:
            if running.unwritten is not None:
                await self._finish(running, running.unwritten)

    async def _let_go(self, running: RunningTurn) -> None:
        try:
            if not self._closing:  # which gives up every lease at once
                await self._runtime.store.let_go(running.turn, holder=self._runtime.holder)
                running.turn = await self._finalizer.reload(running.turn)
        except Exception:
            log.exception("could not release the lease of turn %s", running.turn.id)
        self.running.drop(running)
        running.finished(running.turn)
