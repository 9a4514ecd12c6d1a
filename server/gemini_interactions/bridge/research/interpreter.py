"""Research interpreter: from what Google has of a run to a plan to show or a report to read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ...domain.errors import Garbled, NotKept
from ...domain.types import Artifact, Interaction, Turn
from ...interactions import answer_text
from ..runtime import Runtime
from ..turns import outcomes
from ..turns.outcomes import Outcome
from . import report

log = logging.getLogger(__name__)

NO_REASON = "Gemini ended this research without a result and gave no reason."
NOTHING_YET = (
    "Gemini reached its limit before it had written anything. Start a research with a narrower "
    "question."
)
NO_CHART = "A chart could not be kept: this server's data folder cannot be written to."
BAD_CHART = "A chart could not be kept: it came from Google as no image that can be read."
FAR_CHART = "A chart could not be kept: it could not be fetched from Google."


class ResearchInterpreter:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        """A plan to show, or a report worth reading, kept as a file too.

        It is paid for: a fault of our own in reading it costs no more than what it concerns.
        """
        try:
            return await self._interpret(turn, interaction)
        except Exception:
            log.exception("could not make the report of turn %s", turn.id)
            # Google still has it: a later look, perhaps by a later version, may do better.
            return replace(outcomes.misread(interaction), status="interrupted", error=None)

    async def _interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        took = {"seconds": report.seconds(turn, interaction.updated, self._runtime.now())}
        if interaction.status == "cancelled":
            return replace(outcomes.cancelled(interaction), extra=took)
        steps = report.written(interaction.steps, interaction.status)
        written = replace(interaction, steps=steps)
        outcome = await self._runtime.outcome(written)
        outcome = replace(
            outcome,
            steps=answer_text.strip_media(interaction.steps),
            model=interaction.model or interaction.agent,
            extra={**outcome.extra, **took},
        )
        if outcome.error is not None and outcome.error["kind"] == "Empty":
            outcome = replace(outcome, error={**outcome.error, "message": NO_REASON})
        if outcome.status == "incomplete" and not outcome.text:
            return replace(outcome, notes=(NOTHING_YET,))
        if turn.extra.get("plan"):
            done = outcome.status == "completed"
            return replace(outcome, status="plan_ready") if done else outcome
        if outcome.status not in ("completed", "incomplete") or not outcome.text:
            return outcome
        charts, notes = await self._charts(turn, written)
        text = report.report(outcome.text, report.question(turn), charts)
        outcome = replace(outcome, text=text, notes=(*outcome.notes, *notes))
        return await self._kept(turn, outcome) if self._runtime.config.transcripts else outcome

    async def _charts(
        self, turn: Turn, written: Interaction
    ) -> tuple[Sequence[Artifact], tuple[str, ...]]:
        """The charts as files. A full disk may cost a chart, never the report."""
        try:
            return await self._runtime.artifacts.keep(turn, written), ()
        except Exception as problem:
            log.exception("could not keep a chart of turn %s", turn.id)
            # Where it is our folder's fault, it is a kind of NotKept of its own.
            reasons = {Garbled: BAD_CHART, NotKept: FAR_CHART}
            return await self._runtime.artifacts.of(turn), (reasons.get(type(problem), NO_CHART),)

    async def _kept(self, turn: Turn, outcome: Outcome) -> Outcome:
        """The report as a file, whose path goes with it."""
        handles = await self._runtime.store.handles_of(turn)
        name = next((each.id for each in handles if each.kind == "research"), turn.conversation_id)
        closing = report.closing(turn, outcome)
        try:
            path = await self._runtime.files.keep_report(
                f"{outcome.text}\n\n---\n{closing}\n",
                report.title(outcome.text, report.question(turn)),
                name,
            )
        except Exception:
            log.exception("could not write the report of turn %s to a file", turn.id)
            return outcome
        return replace(outcome, extra={**outcome.extra, "path": path})
