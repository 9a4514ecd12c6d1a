"""Finalizing: write down how a turn ended, and book what it used."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from ....domain.status import STATUSES
from ....domain.types import Turn
from ...runtime import Runtime
from .. import outcomes
from ..outcomes import Outcome

log = logging.getLogger(__name__)


class TurnFinalizer:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def finalize(self, turn: Turn, outcome: Outcome, *, is_read: bool = False) -> Turn:
        """Write down how a turn ended, book what it used; the turn as it now stands.

        `is_read` where a call waits for the outcome, which is then delivered."""
        transcripts = self._runtime.config.transcripts
        kept = outcome if transcripts else outcome.without_words()
        status = STATUSES[outcome.status]
        usage, booking, books_estimate = self._runtime.budget.settlement(
            turn,
            outcome.model,
            outcome.usage,
            tier=str(outcome.extra.get("service_tier") or turn.settings.service_tier),
            is_answer=status.is_chainable or status.is_given_up,
        )
        outcome = replace(outcome, usage=usage)
        finish = partial(
            self._runtime.store.finish_and_read,
            turn,
            status=outcome.status,
            now=self._runtime.now(),
            steps=kept.steps,
            usage=outcome.usage,
            model=outcome.model,
            text=kept.text,
            notes=(*turn.notes, *outcome.notes),
            error=kept.error,
            interaction_id=outcome.interaction_id or None,
            extra=kept.remarks,
            is_read=is_read,
        )
        try:
            took, stored = await finish(booking=booking, books_estimate=books_estimate)
        except Exception:
            # An answer is worth more than its line in the accounts.
            log.exception("could not finish turn %s with its booking", turn.id)
            took, stored = await finish()
        if not took:
            log.info("turn %s had been finished elsewhere", turn.id)
        elif booking is not None:
            self._runtime.budget.count(booking)
        turn = stored or outcomes.apply(turn, outcome, self._runtime.now())
        if not transcripts:
            extra = {**turn.extra, **outcome.remarks}
            turn = replace(
                turn, steps=outcome.steps, text=outcome.text, error=outcome.error, extra=extra
            )
        return turn

    async def reload(self, turn: Turn) -> Turn:
        """The turn as the store has it now."""
        found = await self._runtime.store.turn(turn.owner, turn.conversation_id, turn.n)
        return found or turn
