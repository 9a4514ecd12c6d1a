"""Watching: a research run followed until Google is done with it, by whoever holds its lease."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from .. import answers
from ..draft import Draft
from ..errors import Gone, NoKey, RateLimited, Refused, UpstreamError, WrongKey
from ..interactions import Interaction, Turn
from . import outcomes, reports
from .gallery import Gallery
from .outcomes import Outcome
from .pace import Pace
from .ports import Gemini, Store
from .shelf import Shelf
from .work import Work
from .workshop import Policy, Workshop

SLOWEST_LOOK = 60.0
LATE_USAGE_LOOKS = 2
"""How often a finished run is looked at again for its tokens, which Google counts later."""


class Watching:
    """Looks at runs in growing intervals, and makes reports of them; `now` is the wall clock."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: Workshop,
        gallery: Gallery,
        shelf: Shelf,
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
        self._pace = Pace(sleep=workshop.sleep)
        workshop.rescuers["research"] = self.watched

    async def watched(self, work: Work) -> Outcome | None:
        """Look until Google is done with the run, or it counts as stalled."""
        turn = work.turn
        if not turn.interaction_id:
            return outcomes.interrupted()
        pause = self._policy.research_poll
        young_until = (turn.sent or turn.created) + self._policy.store_lag
        usage_looks = 0
        while True:
            await work.until_nudged(pause * random.uniform(0.8, 1.2), self._workshop.sleep)
            await self._pace.go()
            try:
                interaction = await self._gemini.get(turn.interaction_id)
            except (Gone, WrongKey):
                if self._now() > young_until:
                    raise
                continue
            except NoKey:
                return None  # Google still has it: whoever has a key looks next
            except UpstreamError as problem:
                wish = problem.retry_after if isinstance(problem, RateLimited) else None
                pause = min(max(pause * 1.5, wish or 0.0), SLOWEST_LOOK)
                continue
            if outcomes.is_over(interaction):
                if interaction.usage is None and usage_looks < LATE_USAGE_LOOKS:
                    usage_looks += 1
                    pause = min(self._policy.research_poll, 2.0)
                    continue
                return await self.finished(turn, interaction)
            if self._now() > turn.created + self._policy.research_deadline:
                return Outcome(status="stalled", interaction_id=turn.interaction_id)
            work.hear(Draft.of(interaction), reports.done_so_far(interaction.steps))
            await self._store.remark(turn, {"doing": work.doing}, holder=self._workshop.holder)
            pause = min(pause * 1.3, max(SLOWEST_LOOK, self._policy.research_poll))

    async def look_again(self, turn: Turn) -> Turn:
        """One more look at a run that was given up."""
        try:
            interaction = await self._gemini.get(turn.interaction_id)
        except (UpstreamError, Refused):
            return turn
        if not outcomes.is_over(interaction):
            return turn
        return await self._workshop.settle(turn, await self.finished(turn, interaction))

    async def listen(self, work: Work) -> None:
        """What Google tells while somebody waits; its end, or its silence, means nothing."""
        try:
            async with self._gemini.follow(work.turn.interaction_id) as events:
                draft = Draft()
                async for event in events:
                    draft.add(event)
                    work.hear(draft)
                    if draft.finished:
                        work.nudge()
                        return
        except (UpstreamError, Refused):
            return

    async def finished(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What became of a run: a plan to show, or a report worth reading, kept as a file too."""
        outcome = await self._workshop.judged(turn, interaction)
        if turn.extra.get("plan"):
            done = outcome.status == "completed"
            return replace(outcome, status="plan_ready") if done else outcome
        if not outcome.text:
            return outcome
        charts = await self._gallery.of(turn)
        names = [str(chart.facts["path"]).rsplit("/", 1)[-1] for chart in charts]
        text = reports.report(outcome.text, turn.prompt, names)
        model = outcome.model or interaction.agent
        if self._policy.transcripts:
            made = replace(turn, model=model, usage=outcome.usage, finished=self._now())
            path = await self._shelf.keep_report(
                f"{text}\n\n---\n{reports.closing(made)}\n",
                reports.title(text, turn.prompt),
                turn.id.replace("/", "-"),
            )
            outcome = replace(outcome, extra={"path": path})
        return replace(outcome, text=text, model=model, steps=answers.strip_media(outcome.steps))
