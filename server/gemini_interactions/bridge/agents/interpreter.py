"""Agent interpreter: from what Google has of a run to what it said and did."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from ...domain.types import Interaction, Step, Turn
from ...interactions import answer_text
from ...interactions.json_values import as_text, type_of
from ..runtime import Runtime
from ..turns.outcomes import Outcome

log = logging.getLogger(__name__)

NO_WORDS = "The agent ended without a word of its own; what it did is above."
LOST_PICTURE = "A picture of this answer could not be kept here."


class AgentInterpreter:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What the agent said, and what it did on the way. A run that hit its budget is
        `incomplete`, with what there is; calls of its own functions are done, never pending."""
        done = replace(interaction, steps=tuple(_with_results(interaction.steps)))
        if interaction.status == "requires_action":  # only for functions of its own
            done = replace(done, status="completed")
        notes = await self._kept_pictures(turn, done)
        outcome = await self._runtime.outcome(done)
        outcome = replace(
            outcome,
            steps=answer_text.strip_media(done.steps),
            model=interaction.model or interaction.agent,
            notes=(*outcome.notes, *notes),
        )
        if outcome.status == "incomplete":
            return replace(outcome, notes=(_stopped(turn), *notes))
        is_empty = outcome.error is not None and outcome.error["kind"] == "Empty"
        if outcome.status == "failed" and is_empty and outcome.text:
            return replace(outcome, status="completed", error=None, notes=(NO_WORDS, *notes))
        return outcome

    async def _kept_pictures(self, turn: Turn, interaction: Interaction) -> tuple[str, ...]:
        try:
            await self._runtime.artifacts.keep(turn, interaction)
        except Exception:  # what it said is worth more than a picture
            log.exception("could not keep a picture of turn %s", turn.id)
            return (LOST_PICTURE,)
        return ()


def _with_results(steps: Iterable[Step]) -> list[Step]:
    """The steps with an empty result behind each call of a function that has none: the sandbox
    has run it, whether it says so or not."""
    steps = list(steps)
    answered = [
        as_text(step.get("call_id")) for step in steps if type_of(step) == "function_result"
    ]
    whole: list[Step] = []
    for step in steps:
        whole.append(step)
        id = as_text(step.get("id"))
        if type_of(step) != "function_call":
            continue
        if id in answered:
            answered.remove(id)
            continue
        name = as_text(step.get("name"))
        whole.append({"type": "function_result", "call_id": id, "name": name, "result": ""})
    return whole


def _stopped(turn: Turn) -> str:
    most = turn.extra.get("max_total_tokens")
    budget = f"its budget of {most:,} tokens" if isinstance(most, int) and most else "its limit"
    return (
        f"The run stopped at {budget} before it was done; what it did is above, and its files are "
        "kept."
    )
