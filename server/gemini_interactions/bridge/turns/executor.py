"""The workshop makes turns: it queues them, settles them, and picks up what others dropped.

Everything here runs in the server's lifespan, whatever becomes of the request that asked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import anyio
import anyio.abc

from ... import telemetry
from ...domain.errors import Garbled, Gone, NoKey, NotKept, Refused, UpstreamError, WrongKey
from ...domain.types import CHAINABLE, CreateRequest, Interaction, Turn, TurnSettings, Usage
from .. import source_links
from ..artifact_repository import ArtifactRepository
from ..ports import Gemini, Store
from ..source_links import Resolve
from ..usage_budget import UsageBudget
from . import outcomes, structured_output
from .outcomes import Outcome
from .retry_policy import Policy
from .running_turns import Progress, RunningTurn, RunningTurns, no_progress
from .upstream_call import FIRST_LOOK, UpstreamCaller

log = logging.getLogger(__name__)

NO_WORDS = (
    "Its words are not kept here (GEMINI_MCP_TRANSCRIPTS) and could not be read from Google just "
    "now: call gemini_result again in a moment. Google forgets them in the end."
)
WORDS_NOWHERE = (
    "Its words were told once and are kept nowhere: not here (GEMINI_MCP_TRANSCRIPTS), and with "
    "store=false not at Google."
)
LAST_NAMES = 0.5
"""Seconds a process that ends still waits for the ids of background runs it has just started:
without its id, a run that costs dollars is lost."""


Plan = Callable[[RunningTurn], Awaitable[CreateRequest]]
"""Waits for what a turn follows and says what to send; may refuse."""

Making = Callable[[RunningTurn], Awaitable[Outcome | None]]
"""Makes a turn and says how it ended; None leaves it running for whoever looks next."""


class Follower(Protocol):
    """Knows how turns of one kind go on at Google, long after the request that began them."""

    async def watched(self, work: RunningTurn) -> Outcome | None:
        """Follow one whose Google id is known to its end."""

    async def attended(self, work: RunningTurn) -> None:
        """What is done besides while somebody waits for one; cancelled when they leave."""

    async def judged(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What became of one Google is done with."""


class LeaseLost(Exception):
    """Another process took the turn over: it is theirs to finish, and nothing may be sent."""


class TurnExecutor:
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
        costs: UsageBudget,
        gallery: ArtifactRepository,
        resolve: Resolve | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.store = store
        self.gemini = gemini
        self.policy = policy
        self.holder = holder
        self.now = now
        self.works = RunningTurns()
        self._costs = costs
        self._gallery = gallery
        self._resolve = resolve
        self.sleep = sleep
        self._tasks = tasks
        self._closing = False
        self.exchange = UpstreamCaller(store, gemini, policy, holder=holder, now=now, sleep=sleep)
        self.followers: dict[str, Follower] = {}
        """Who follows turns of some other kind than a question."""

    @property
    def lease_until(self) -> float:
        return self.now() + self.policy.lease

    def streamed(self, plan: Plan) -> Making:
        """Makes a turn by one foreground stream, as `plan` says."""

        async def made(work: RunningTurn) -> Outcome:
            interaction = await self.exchange.ask(work, await plan(work))
            return await self.judged(work.turn, interaction)

        return made

    async def sending(
        self,
        work: RunningTurn,
        settings: TurnSettings,
        good: Turn | None,
        notes: tuple[str, ...],
        input: list[dict[str, Any]] | None = None,
    ) -> None:
        """Write down what is about to be sent, and after which turn; LeaseLost forbids it."""
        turn = work.turn
        chained = good.n if good else None
        sent = self.now()
        work.turn = replace(
            turn,
            settings=settings,
            notes=notes,
            sent=sent,
            chained=chained,
            input=turn.input if input is None else input,
        )
        if good is not None and good.n:
            work.young_until = (good.finished or good.created) + self.policy.store_lag
        work.changed()
        held = await self.store.sending(
            turn,
            holder=self.holder,
            now=sent,
            chained=chained,
            settings=settings,
            notes=notes,
            input=input,
        )
        if not held:
            raise LeaseLost()

    def admit(self, owner: str) -> None:
        """Refuse more work for an owner who has very much of it waiting already."""
        works = (work for work in self.works if work.turn.owner == owner)
        self.exchange.admit(owner, sum(work.turn.sent is None for work in works))

    def undertake(self, turn: Turn, outcome: Making) -> RunningTurn:
        """Set this process to a turn it holds."""
        work = RunningTurn(turn)
        if self._closing:
            work.end("shutdown")
        self.works.add(work)
        self._tasks.start_soon(self._make, work, outcome, name=f"turn {turn.id}")
        return work

    async def rescue(self, turn: Turn) -> Turn:
        """Take over a running turn whose process is gone, or say how it stands.

        One whose Google id is known is looked up and finished; one without is interrupted,
        its prompt kept, and never sent again by itself.
        """

        async def outcome(work: RunningTurn) -> Outcome | None:
            if not turn.interaction_id:
                return outcomes.interrupted()
            left = turn.created + self.policy.upstream_timeout - self.now()
            try:
                with anyio.fail_after(max(left, self.policy.store_lag / 4)):
                    found = await self.exchange.look(turn)
            except (TimeoutError, Gone):
                return outcomes.interrupted()
            except (NoKey, WrongKey):
                return None  # Google still has it: look again when there is a key
            return await self.judged(turn, found)

        # Whoever wants to know may go away meanwhile: a lease that is taken is also used.
        with anyio.CancelScope(shield=True):
            if not await self.store.take_over(turn, self.holder, self.lease_until):
                return await self._again(turn)
            follower = self.followers.get(turn.kind) if turn.interaction_id else None
            work = self.undertake(turn, follower.watched if follower else outcome)
            if not turn.interaction_id:
                await work.done.wait()
        return work.turn

    async def predecessor(self, turn: Turn) -> Turn | None:
        """The turn this one was written behind, once it is final; a running research is none.

        One that was aborted or interrupted while it waited in its own queue leaves its place
        to those after it: they wait for the turn that it was written behind.
        """
        before = found = await self._before(turn)
        while found is not None and found.status not in CHAINABLE:
            found = await self._before(found)
        return before

    async def _before(self, turn: Turn) -> Turn | None:
        if turn.parent is None:
            return None
        before = await self.store.turn(turn.owner, turn.conversation_id, turn.parent)
        while before is not None and not before.is_final and before.kind != "research":
            before = await self.until_final(before, 3600.0, no_progress)
        return before

    async def look_again(self, turn: Turn, seconds: float | None = None) -> Turn:
        """One look at Google for a turn that was given up; a real outcome beats "interrupted"."""
        seconds = self.policy.max_wait if seconds is None else max(seconds, 0.0)
        try:
            with anyio.fail_after(seconds):
                interaction = await self.gemini.get(turn.interaction_id)
                if not outcomes.is_over(interaction):
                    return turn
                outcome = await self.judged(turn, interaction)
            # Whoever asked may go away meanwhile: what was found is also kept, and booked.
            with anyio.CancelScope(shield=True):
                turn = await self.settle(turn, outcome)
        except (TimeoutError, UpstreamError, Refused):
            pass
        except Exception:  # a fault of our own must not hide what is known of the turn
            log.exception("what Google has of turn %s could not be read", turn.id)
        return turn

    async def with_words(self, turn: Turn, seconds: float | None = None) -> Turn:
        """The turn as it was answered; where only ids are kept, its words are read from Google."""
        kept = self.policy.transcripts or turn.steps or turn.error is not None
        if kept or not turn.is_final:
            return turn
        if not turn.interaction_id:
            nowhere = turn.status in CHAINABLE
            return replace(turn, notes=(*turn.notes, WORDS_NOWHERE)) if nowhere else turn
        found = await self.look_again(turn, seconds)
        return replace(turn, notes=(*turn.notes, NO_WORDS)) if found is turn else found

    async def until_final(self, turn: Turn, seconds: float, progress: Progress) -> Turn:
        """The turn once it is final, or as it stands after `seconds`."""
        work = self.works.of(turn)
        if work is not None:
            work.nudge()
            async with self._attended(work, seconds):
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
            await self.sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)
            doing = str(turn.extra.get("doing") or "Another process works on this turn")
            await progress(anyio.current_time() - start, doing)
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

    async def conclude(self, turn: Turn, outcome: Outcome) -> Turn:
        """End a turn this way, whoever works on it."""
        work = self.works.of(turn)
        if work is None:
            return await self.settle(turn, outcome)
        work.decided = outcome
        work.scope.cancel()
        await work.done.wait()
        return work.turn

    async def close(self) -> None:
        """The process ends: commit what there is, give up the leases."""
        self._closing = True
        with anyio.move_on_after(LAST_NAMES):
            for work in self.works:
                if work.turn.extra.get("background") and work.turn.sent is not None:
                    await work.until_named(LAST_NAMES)
        for work in self.works:
            work.end("shutdown")
        for work in self.works:
            await work.done.wait()
        await self._write_again()
        await self.store.release(self.holder)

    async def keep_leases(self) -> None:
        if len(self.works):
            await self.store.renew(self.holder, self.lease_until)

    async def catch_up(self) -> None:
        """Write down what could not be before; take over what processes that are gone left."""
        await self._write_again()
        for turn in await self.store.expired(self.now(), 100):
            if self.works.of(turn) is None:
                await self.rescue(turn)

    # -- one turn -------------------------------------------------------------

    async def _make(self, work: RunningTurn, outcome: Making) -> None:
        telemetry.conversation.set(work.turn.conversation_id)
        ended: Outcome | None = None
        try:
            with work.scope:
                ended = await outcome(work)
        except LeaseLost:
            log.warning("turn %s is another process's now, or over", work.turn.id)
        except Refused as refusal:
            ended = outcomes.refused(type(refusal).__name__, str(refusal))
        except UpstreamError as problem:
            ended = outcomes.failed(problem, work.draft.interaction())
        except Exception:
            log.exception("turn %s failed inside this server", work.turn.id)
            ended = outcomes.refused("Internal", "This server failed while making the turn.")
            if work.turn.extra.get("background") and work.turn.interaction_id:
                ended = outcomes.interrupted()  # Google still has it: a later look may do better
        with anyio.CancelScope(shield=True):
            ended = ended or work.decided
            if ended is None and work.ended_by == "abort":
                await self.exchange.cancel(work)
                ended = outcomes.cancelled(work.draft.interaction())
            elif ended is None and not work.turn.interaction_id:
                ended = outcomes.interrupted(work.draft.interaction())
            # Without an outcome Google still has the answer: whoever looks next finds it.
            if ended is None:
                await self._let_go(work)
            else:
                await self._write_down(work, ended)

    async def _write_down(self, work: RunningTurn, outcome: Outcome) -> None:
        """Write down how the work ended. Where the store fails, the answer still reaches those
        who wait for it, and the work stays in hand, to be read there, until it is written."""
        if work.passed:
            outcome = replace(outcome, extra={**outcome.extra, "passed": work.passed})
        try:
            turn = await self.settle(work.turn, outcome)
        except Exception:
            log.exception("the end of turn %s could not be written down", work.turn.id)
            work.unwritten = outcome
            turn = outcomes.told(work.turn, outcome, self.now())
        else:
            self.works.drop(work)
        work.finished(turn)

    async def _write_again(self) -> None:
        for work in self.works:
            if work.unwritten is not None:
                await self._write_down(work, work.unwritten)

    async def _let_go(self, work: RunningTurn) -> None:
        try:
            if not self._closing:  # which gives up every lease at once
                await self.store.let_go(work.turn, holder=self.holder)
                work.turn = await self._again(work.turn)
        except Exception:
            log.exception("the lease of turn %s could not be let go", work.turn.id)
        self.works.drop(work)
        work.finished(work.turn)

    async def settle(self, turn: Turn, outcome: Outcome) -> Turn:
        """Write down how a turn ended, book what it used; the turn as it now stands."""
        kept = outcome if self.policy.transcripts else outcome.without_words()
        took = await self.store.finish(
            turn,
            status=outcome.status,
            now=self.now(),
            steps=kept.steps,
            usage=outcome.usage,
            model=outcome.model,
            text=kept.text,
            notes=(*turn.notes, *outcome.notes),
            error=kept.error,
            interaction_id=outcome.interaction_id or None,
            extra=kept.remarks,
        )
        if not took:
            log.info("turn %s had been finished elsewhere", turn.id)
        elif outcome.usage not in (None, turn.usage):  # what was found later had been paid before
            await self._book(turn, outcome.model, outcome.usage)
        turn = await self._again(outcomes.told(turn, outcome, self.now()))
        if not self.policy.transcripts:
            extra = {**turn.extra, **outcome.remarks}
            turn = replace(
                turn, steps=outcome.steps, text=outcome.text, error=outcome.error, extra=extra
            )
        return turn

    async def _book(self, turn: Turn, model: str, usage: Usage) -> None:
        try:
            await self._costs.book(turn.owner, model or turn.settings.model, usage)
        except Exception:  # an answer is worth more than its line in the accounts
            log.exception("what turn %s used could not be booked", turn.id)

    async def judged(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What became of an interaction Google is done with, as this turn wanted it."""
        follower = self.followers.get(turn.kind)
        if follower is not None:
            return await follower.judged(turn, interaction)
        lost: tuple[str, ...] = ()
        try:
            await self._gallery.keep(turn, interaction)
        except NotKept as problem:
            if turn.kind == "image":
                return outcomes.unkept(interaction, problem)
            lost = (f"A picture of this answer is missing. {problem}",)
        except Garbled:
            lost = (outcomes.DAMAGED,)
        outcome = outcomes.of(interaction, await self.targets(interaction))
        outcome = replace(outcome, notes=(*outcome.notes, *lost))
        schema = turn.extra.get("response_schema")
        if schema:
            outcome = await structured_output.checked(outcome, schema)
        return outcome

    async def targets(self, interaction: Interaction) -> Mapping[str, str]:
        """Where the redirects in its sources lead."""
        return await source_links.targets(interaction.steps, self._resolve)

    async def _again(self, turn: Turn) -> Turn:
        return await self.store.turn(turn.owner, turn.conversation_id, turn.n) or turn

    @asynccontextmanager
    async def _attended(self, work: RunningTurn, seconds: float) -> AsyncIterator[None]:
        follower = self.followers.get(work.turn.kind)
        if follower is None or seconds <= 0:
            yield
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.attended, work)
            yield
            tasks.cancel_scope.cancel()
