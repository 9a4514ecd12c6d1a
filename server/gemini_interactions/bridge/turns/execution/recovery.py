"""Recovery: what Google has of turns that were given up, or whose process is gone."""

from __future__ import annotations

import logging
from dataclasses import replace

import anyio

from ....domain.errors import Gone, NoKey, Refused, UpstreamError, WrongKey
from ....domain.types import Turn
from ...runtime import Runtime
from .. import outcomes, service_tiers
from ..outcomes import Outcome
from ..turn_handler import TurnHandlers
from .finalizer import TurnFinalizer
from .running_turns import RunningTurn
from .upstream_call import UpstreamCaller

log = logging.getLogger(__name__)

NO_WORDS = (
    "Its words are not kept here (GEMINI_MCP_TRANSCRIPTS) and could not be read from Google just "
    "now: call gemini_result again in a moment. Google forgets them in the end."
)
WORDS_NOWHERE = (
    "Its words were told once and are kept nowhere: not here (GEMINI_MCP_TRANSCRIPTS), and with "
    "store=false not at Google."
)


class TurnRecovery:
    def __init__(
        self,
        runtime: Runtime,
        handlers: TurnHandlers,
        upstream: UpstreamCaller,
        finalizer: TurnFinalizer,
    ) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._upstream = upstream
        self._finalizer = finalizer

    async def recover(self, running: RunningTurn) -> Outcome | None:
        """The outcome of a turn whose process is gone.

        One whose Google id is known is looked up there; one without is interrupted, its
        prompt kept, and never sent again by itself.
        """
        turn = running.turn
        if not turn.interaction_id:
            return outcomes.interrupted()
        handler = self._handlers.of(turn)
        if handler.sends == "background":
            return await handler.follow(running)
        config = self._runtime.config
        left = turn.created + service_tiers.longest(turn, config.upstream_timeout_seconds)
        left -= self._runtime.now()
        try:
            with anyio.fail_after(max(left, config.store_lag_seconds / 4)):
                found = await self._upstream.look(turn)
        except (TimeoutError, Gone):
            return outcomes.interrupted()
        except (NoKey, WrongKey):
            return None  # Google still has it: look again when there is a key
        return await handler.read(turn, found)

    async def look_again(self, turn: Turn, seconds: float | None = None) -> Turn:
        """One look at Google for a turn that was given up; a real outcome beats "interrupted"."""
        longest = self._runtime.max_wait
        seconds = longest if seconds is None else max(seconds, 0.0)
        try:
            with anyio.fail_after(seconds):
                interaction = await self._runtime.gemini.get(
                    turn.interaction_id, api_version=turn.api_version
                )
                if not outcomes.is_over(interaction):
                    return turn
                outcome = await self._handlers.of(turn).read(turn, interaction)
            # Whoever asked may go away meanwhile: what was found is also kept, and booked.
            with anyio.CancelScope(shield=True):
                turn = await self._finalizer.finalize(turn, outcome)
        except (TimeoutError, UpstreamError, Refused):
            pass
        except Exception:  # a fault of our own must not hide what is known of the turn
            log.exception("could not read what Google has of turn %s", turn.id)
        return turn

    async def with_words(self, turn: Turn, seconds: float | None = None) -> Turn:
        """The turn as it was answered; where only ids are kept, its words are read from Google."""
        kept = self._runtime.config.transcripts or turn.steps or turn.error is not None
        if kept or not turn.is_final:
            return turn
        if not turn.interaction_id:
            nowhere = turn.is_chainable
            return replace(turn, notes=(*turn.notes, WORDS_NOWHERE)) if nowhere else turn
        found = await self.look_again(turn, seconds)
        return replace(turn, notes=(*turn.notes, NO_WORDS)) if found is turn else found
