"""Planning: what to send for a turn, once the turn before it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from ...domain import model_catalog
from ...domain.errors import BadArgument
from ...domain.types import CreateRequest, Step, Turn, TurnSettings
from ...interactions import answer_text
from ..attachments import Attached
from ..builtin_tool_policy import BuiltinToolPolicy
from ..ports import Store
from ..requests import AskRequest
from . import function_calls, structured_output
from .executor import TurnExecutor
from .history_chain import HistoryChain, not_sent_again, passed_over, said
from .retry_policy import Policy
from .running_turns import RunningTurn


class RequestBuilder:
    """Turns a question into a call, in the place the turn has in its conversation."""

    def __init__(
        self,
        store: Store,
        workshop: TurnExecutor,
        chains: HistoryChain,
        toolbox: BuiltinToolPolicy,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._chains = chains
        self._toolbox = toolbox
        self._policy = policy
        self._now = now

    async def plan(
        self, work: RunningTurn, question: AskRequest, attached: Attached, stored: bool
    ) -> CreateRequest:
        """Wait for the turn before, write down what is decided, say what to send."""
        turn = work.turn
        before = await self._workshop.predecessor(turn)
        good = await self._chains.last_good(before, stored=stored) if before else None
        if good is not None and good.status == "requires_action":
            good = await self._workshop.with_words(good)
        if question.function_results:
            if good is None:
                raise BadArgument("`function_results`: nothing here waits for any.")
            turn = replace(turn, input=function_calls.steps(good, question.function_results))
        elif good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        settings = await self._chains.settings(before, turn.extra.get("changes", {}))
        call, notes = self._call(turn, settings, question, attached)
        notes = (*passed_over(before, good), *notes, *attached.notes)
        if stored:
            call = replace(call, previous_interaction_id=_after(turn, good))
            if good is not None:
                words = said(turn, attached.contents)
                work.rebuild = lambda: self._rebuilt(work, call, good, words)
        else:
            call, missing = await self._retold(call, turn, good, attached)
            notes = (*notes, *missing)
        settings = replace(settings, model=call.model)
        await self._workshop.sending(work, settings, good, notes, self._kept(turn))
        return call

    def _kept(self, turn: Turn) -> list[dict[str, Any]] | None:
        """What is written down of what was said."""
        if turn.input is None or not self._policy.transcripts:
            return None
        return list(answer_text.strip_media(turn.input))

    def _call(
        self, turn: Turn, settings: TurnSettings, question: AskRequest, attached: Attached
    ) -> tuple[CreateRequest, tuple[str, ...]]:
        choice = model_catalog.choose(
            settings.model, kind="text", default=self._policy.model, today=self._today()
        )
        thinking, thinking_note = model_catalog.level(choice.model, settings.thinking)
        schema = question.response_schema
        call = CreateRequest(
            input=_input(turn, attached),
            model=choice.model,
            system_instruction=settings.system_instruction,
            thinking=thinking,
            tools=self._toolbox.with_headers(turn.owner, settings.tools),
            response_format=structured_output.response_format(schema) if schema else None,
            timeout=self._policy.upstream_timeout,
        )
        return call, tuple(note for note in (choice.note, thinking_note) if note)

    async def _retold(
        self, call: CreateRequest, turn: Turn, good: Turn | None, attached: Attached
    ) -> tuple[CreateRequest, tuple[str, ...]]:
        """A call that keeps nothing at Google: the whole story goes with it, but for what the
        note names."""
        if good is None:
            return replace(call, store=False), ()
        told = await self._chains.story(good, self._now())
        if told is None:
            raise BadArgument(
                "This conversation was started with store=false and its words were not kept, "
                "so it cannot go on. Start again with gemini_ask."
            )
        story, lost = told
        words = said(turn, attached.contents)
        return replace(call, store=False, input=[*story, *words]), not_sent_again(lost)

    async def _rebuilt(
        self, work: RunningTurn, call: CreateRequest, good: Turn, words: Sequence[Step]
    ) -> CreateRequest:
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
