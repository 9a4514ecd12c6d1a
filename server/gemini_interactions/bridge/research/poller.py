"""Watching: a research run followed until Google is done with it, by whoever holds its lease.

Looks are the source of truth. The event stream only tells those who wait what a run is doing:
Google cuts it, replays of it hang, and its end means nothing.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import anyio

from ...domain.errors import (
    Garbled,
    Gone,
    NoKey,
    NotKept,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    UpstreamError,
    WrongKey,
)
from ...domain.types import Artifact, Interaction, Turn
from ...interactions import answer_text
from ..artifact_repository import ArtifactRepository
from ..file_store import FileStore
from ..ports import Gemini, Store
from ..turns import outcomes
from ..turns.executor import LeaseLost, TurnExecutor
from ..turns.outcomes import Outcome
from ..turns.retry_policy import Policy
from ..turns.running_turns import RunningTurn
from . import report
from .progress import ResearchProgress
from .rate_limit import LookRateLimit

log = logging.getLogger(__name__)

SLOWEST_LOOK = 60.0
HASTE = 2.0
"""Seconds between two looks at one run, however often somebody asks."""
LATE_LOOKS = 4
"""How often a finished run is looked at again for its tokens, which Google counts seconds later."""
TROUBLE = "Google does not say how it stands just now; it is asked again"
FORGOTTEN = "Google no longer has this research: it was deleted there, or has expired."

NO_REASON = "Gemini ended this research without a result and gave no reason."
NO_CHART = "A chart could not be kept: this server's data folder cannot be written to."
BAD_CHART = "A chart could not be kept: it came from Google as no image that can be read."
FAR_CHART = "A chart could not be kept: it could not be fetched from Google."


class ResearchPoller:
    """Looks at runs in growing intervals, and makes reports of them; `now` is the wall clock."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: TurnExecutor,
        gallery: ArtifactRepository,
        shelf: FileStore,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._workshop = workshop
        self._gallery = gallery
        self._shelf = shelf
        self._policy = policy
        self._now = now
        self._pace = LookRateLimit()
        workshop.followers["research"] = self

    # -- following a run ------------------------------------------------------------

    async def watched(self, work: RunningTurn) -> Outcome | None:
        """Look until Google is done with the run, or it counts as stalled."""
        turn = work.turn
        if not turn.interaction_id:
            return outcomes.interrupted()
        began = turn.sent or turn.created
        first = self._policy.research_poll
        pause = min(max(began + first - self._now(), 0.0), first)
        over: Interaction | None = None
        late_looks = 0
        missing_since: float | None = None
        while True:
            await self._until_due(work, pause)
            is_late = self._now() > began + self._policy.research_deadline
            try:
                found = await self._gemini.get(turn.interaction_id)
            except NoKey:
                return None  # Google still has it: whoever has a key looks next
            except UpstreamError as problem:
                if over is not None:
                    return await self.judged(turn, over)
                if isinstance(problem, Gone):
                    missing_since = self._now() if missing_since is None else missing_since
                    if self._now() > missing_since + self._policy.store_lag:
                        return outcomes.refused(problem.kind, FORGOTTEN)
                elif is_late and isinstance(problem, WrongKey | Rejected):
                    return _stalled(turn)  # answered, and it will be the same again
                work.tell(TROUBLE)
                wish = problem.retry_after if isinstance(problem, RateLimited) else None
                pause = _grown(max(pause, first), 1.5, wish or 0.0)
            else:
                missing_since = None
                if outcomes.is_over(found):
                    if _is_whole(found) or late_looks == LATE_LOOKS:
                        return await self.judged(turn, found)
                    over, late_looks, pause = found, late_looks + 1, min(first, HASTE)
                    continue
                if is_late:
                    return _stalled(turn)
                doings = ResearchProgress.of(found)
                # Google may show no steps before the end: that unsays nothing its stream told.
                if doings.line or work.doing == TROUBLE:
                    work.tell(doings.line, doings.known)
                pause = _grown(max(pause, first), 1.3)
            await self._remark(work)

    async def attended(self, work: RunningTurn) -> None:
        """While somebody waits: what the stream tells as long as it lives, and more looks."""
        await work.until_named(math.inf)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, work)
            while True:
                await self._workshop.sleep(self._policy.research_poll)
                work.nudge()

    async def _until_due(self, work: RunningTurn, pause: float) -> None:
        """Until the next look is due, or somebody wants to know, and there is a place for it."""
        pause *= random.uniform(0.8, 1.2)
        least = min(pause, self._policy.research_poll, HASTE)
        await self._workshop.sleep(least)
        await work.until_nudged(pause - least, self._workshop.sleep)
        # Looks that waited for the SDK to be imported would all leave at once.
        with suppress(Exception):  # which the look itself will tell
            await self._gemini.warm()
        await self._pace.go()

    async def _listen(self, work: RunningTurn) -> None:
        doings = ResearchProgress()
        try:
            async with self._gemini.follow(work.turn.interaction_id) as events:
                async for event in events:
                    doings.add(event)
                    if doings.is_over:
                        break
                    if doings.line:
                        work.tell_again(doings.line, doings.known)
        except (UpstreamError, Refused):
            return
        if doings.is_over:
            work.nudge()

    async def _remark(self, work: RunningTurn) -> None:
        """Let other processes know what it is doing, and notice if it is theirs by now."""
        doing = work.doing if self._policy.transcripts else ""
        try:
            held = await self._store.remark(
                work.turn, {"doing": doing}, holder=self._workshop.holder
            )
        except Exception:  # a database that is away for a moment must not end the watching
            log.warning("what turn %s does could not be written down", work.turn.id, exc_info=True)
            return
        if not held:
            raise LeaseLost()

    # -- ending a run -----------------------------------------------------------------

    async def stopped(self, turn: Turn, seconds: float) -> Outcome:
        """End a run at Google. One that was over already keeps what it had become."""
        try:
            with anyio.fail_after(max(seconds, 0.0)):
                try:
                    found = await self._told_to_stop(turn)
                except Rejected:  # as Google says when there is nothing left to stop
                    found = await self._gemini.get(turn.interaction_id)
                    if not outcomes.is_over(found):
                        raise
                except Gone:
                    found = Interaction(turn.interaction_id, "cancelled")
        except TimeoutError:
            raise TimedOut() from None
        # Google may show a cancel only after a while.
        is_over = outcomes.is_over(found)
        return await self.judged(turn, found) if is_over else outcomes.cancelled(found)

    async def _told_to_stop(self, turn: Turn) -> Interaction:
        young_until = (turn.sent or turn.created) + self._policy.store_lag
        pause = 0.5
        while True:
            try:
                return await self._gemini.cancel(turn.interaction_id)
            except (Gone, WrongKey):  # Google's store may not have it yet
                if self._now() > young_until:
                    raise
            await self._workshop.sleep(pause)
            pause = min(pause * 2, 5.0)

    # -- what became of it --------------------------------------------------------------

    async def judged(self, turn: Turn, interaction: Interaction) -> Outcome:
        """A plan to show, or a report worth reading, kept as a file too."""
        took = {"seconds": report.seconds(turn, interaction.updated, self._now())}
        if interaction.status == "cancelled":
            return replace(outcomes.cancelled(interaction), extra=took)
        targets = await self._workshop.targets(interaction)
        steps = report.written(interaction.steps, interaction.status)
        written = replace(interaction, steps=steps)
        outcome = replace(
            outcomes.of(written, targets),
            steps=answer_text.strip_media(interaction.steps),
            model=interaction.model or interaction.agent,
            extra=took,
        )
        if outcome.error is not None and outcome.error["kind"] == "Empty":
            outcome = replace(outcome, error={**outcome.error, "message": NO_REASON})
        if turn.extra.get("plan"):
            done = outcome.status == "completed"
            return replace(outcome, status="plan_ready") if done else outcome
        if outcome.status not in ("completed", "incomplete") or not outcome.text:
            return outcome
        charts, notes = await self._charts(turn, written)
        text = report.report(outcome.text, report.question(turn), charts)
        outcome = replace(outcome, text=text, notes=(*outcome.notes, *notes))
        return await self._kept(turn, outcome) if self._policy.transcripts else outcome

    async def _charts(
        self, turn: Turn, written: Interaction
    ) -> tuple[Sequence[Artifact], tuple[str, ...]]:
        """The charts as files. A full disk may cost a chart, never the report."""
        try:
            return await self._gallery.keep(turn, written), ()
        except Exception as problem:
            log.exception("a chart of turn %s could not be kept", turn.id)
            # Where it is our folder's fault, it is a kind of NotKept of its own.
            reasons = {Garbled: BAD_CHART, NotKept: FAR_CHART}
            return await self._gallery.of(turn), (reasons.get(type(problem), NO_CHART),)

    async def _kept(self, turn: Turn, outcome: Outcome) -> Outcome:
        """The report as a file, whose path goes with it."""
        handles = await self._store.handles_of(turn)
        name = next((each.id for each in handles if each.kind == "research"), turn.conversation_id)
        closing = report.closing(turn, outcome)
        try:
            path = await self._shelf.keep_report(
                f"{outcome.text}\n\n---\n{closing}\n",
                report.title(outcome.text, report.question(turn)),
                name,
            )
        except Exception:
            log.exception("the report of turn %s could not be written to a file", turn.id)
            return outcome
        return replace(outcome, extra={**outcome.extra, "path": path})


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
