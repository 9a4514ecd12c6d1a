"""Planning: what to send for a turn, once the turn before it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from .. import models
from ..errors import BadArgument
from ..interactions import Call, Settings, Turn
from . import functions, structured
from .attachments import Attached
from .chains import Chains, passed_over, said
from .patience import Policy
from .ports import Store
from .requests import Question
from .toolbox import Toolbox
from .work import Work
from .workshop import Workshop


class Planner:
    """Turns a question into a call, in the place the turn has in its conversation."""

    def __init__(
        self,
        store: Store,
        workshop: Workshop,
        chains: Chains,
        toolbox: Toolbox,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._chains = chains
        self._toolbox = toolbox
        self._policy = policy
        self._now = now

    async def plan(self, work: Work, question: Question, attached: Attached, stored: bool) -> Call:
        """Wait for the turn before, write down what is decided, say what to send."""
        turn = work.turn
        before = await self._workshop.predecessor(turn)
        good = await self._chains.last_good(before, stored=stored) if before else None
        if good is not None and good.status == "requires_action":
            good = await self._workshop.with_words(good)
        if question.function_results:
            if good is None:
                raise BadArgument("`function_results`: nothing here waits for any.")
            turn = replace(turn, input=functions.steps(good, question.function_results))
        elif good is not None and good.status == "requires_action":
            raise functions.waits(good)
        settings = await self._chains.settings(before, turn.extra.get("changes", {}))
        call, notes = self._call(turn, settings, question, attached)
        notes = (*passed_over(before, good), *notes, *attached.notes)
        if stored:
            call = replace(call, previous_interaction_id=_after(turn, good))
            if good is not None:
                work.rebuild = lambda: self._rebuilt(work, call, good, attached)
        else:
            call = await self._retold(call, turn, good, attached)
        settings = replace(settings, model=call.model)
        kept = turn.input if self._policy.transcripts else None
        await self._workshop.sending(work, settings, good, notes, kept)
        return call

    def _call(
        self, turn: Turn, settings: Settings, question: Question, attached: Attached
    ) -> tuple[Call, tuple[str, ...]]:
        choice = models.choose(
            settings.model, kind="text", default=self._policy.model, today=self._today()
        )
        thinking, thinking_note = models.level(choice.model, settings.thinking)
        schema = question.response_schema
        call = Call(
            input=_input(turn, attached),
            model=choice.model,
            system_instruction=settings.system_instruction,
            thinking=thinking,
            tools=self._toolbox.with_headers(turn.owner, settings.tools),
            response_format=structured.response_format(schema) if schema else None,
            timeout=self._policy.upstream_timeout,
        )
        return call, tuple(note for note in (choice.note, thinking_note) if note)

    async def _retold(self, call: Call, turn: Turn, good: Turn | None, attached: Attached) -> Call:
        """A call that keeps nothing at Google: the whole story goes with it."""
        story: list[dict[str, Any]] = []
        if good is not None:
            told = await self._chains.story(good, self._now())
            if told is None:
                raise BadArgument(
                    "This conversation was started with store=false and its words were not kept, "
                    "so it cannot go on. Start again with gemini_ask."
                )
            story = told[0]
        return replace(
            call,
            store=False,
            input=[*story, *said(turn, attached.contents)] if story else call.input,
        )

    async def _rebuilt(self, work: Work, call: Call, good: Turn, attached: Attached) -> Call:
        words = said(work.turn, attached.contents)
        return await self._chains.rebuilt(
            work, call, good, words, self._now(), is_kept=self._policy.transcripts
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def _input(turn: Turn, attached: Attached) -> str | list[dict[str, Any]]:
    if attached.contents:
        return [*attached.contents, {"type": "text", "text": turn.prompt}]
    return turn.input or turn.prompt


def _after(turn: Turn, good: Turn | None) -> str:
    return good.interaction_id if good else str(turn.extra.get("after", ""))
