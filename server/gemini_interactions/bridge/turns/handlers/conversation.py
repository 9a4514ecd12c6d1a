"""Turns of a conversation: ask, continue, branch, adopt an interaction made elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio

from ....domain.errors import BadArgument, Garbled, NotKept, Refused, UpstreamError
from ....domain.models import model_catalog
from ....domain.types import CreateRequest, Interaction, Turn, TurnSettings
from ....interactions import answer_text
from ...attachments import Attached
from ...requests import AskRequest
from .. import function_calls, outcomes, service_tiers, structured_output
from ..execution.running_turns import RunningTurn
from ..history_chain import not_sent_again, said
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandler, WithWords
from ..validation import check_model, check_prompt

log = logging.getLogger(__name__)


class ConversationHandler(TurnHandler[AskRequest]):
    kinds = ("ask", "continue")
    sends = "stream"
    session_kind = "conversation"

    async def prepare(self, new: NewTurn[AskRequest], with_words: WithWords) -> NewTurn[AskRequest]:
        question = await self._checked(new.request, new.caller.owner)
        new = replace(new, request=question, extra=self._kept(new.caller.owner, question))
        if new.kind == "ask":
            return replace(new, stored=question.store)
        resolver = self._runtime.resolver
        place = await resolver.to_continue(
            new.caller, question.conversation_id, question.turn_number
        )
        if place.kind == "interaction":
            return replace(new, after_interaction=place.name)
        before = await resolver.predecessor(new.caller.owner, place)
        stored = await resolver.is_stored(before)
        if not (stored or self._runtime.config.transcripts):
            raise BadArgument(
                "This conversation was started with store=false, and words are not kept here "
                "(GEMINI_MCP_TRANSCRIPTS is off): it has one turn. Start again with gemini_ask."
            )
        await self._check_results(before, question, stored, with_words)
        await self._check_tools(before, question)
        return replace(new, conversation_id=place.name, parent=place.turn, stored=stored)

    async def build_request(
        self, turn: Turn, new: NewTurn[AskRequest], after: Predecessor
    ) -> RequestPlan:
        question, good = new.request, after.good
        if question.function_results:
            if good is None:
                raise BadArgument("`function_results`: nothing here waits for any.")
            turn = replace(turn, input=function_calls.steps(good, question.function_results))
        elif good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        changes = turn.extra.get("changes", {})
        settings = await self._runtime.history.settings(after.before, changes)
        request, notes = self._request(
            turn, settings, question, new.attached, new_is_stored=new.stored
        )
        notes = (*notes, *new.attached.notes)
        words = said(turn, new.attached.contents)
        if new.stored:
            request = replace(
                request,
                previous_interaction_id=_continued(turn, good),
                api_version=good.api_version if good else "",
            )
        else:
            transcript, missing = await self._transcript(good)
            told = [*transcript, *words] if good is not None else request.input
            request = replace(request, store=False, input=told)
            notes = (*notes, *missing)
        settings = replace(settings, model=request.model, service_tier=request.service_tier)
        rebuilt_with = words if new.stored else ()
        return RequestPlan(request, settings, notes, self._kept_input(turn), rebuilt_with)

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        return service_tiers.explained(problem, running.turn.settings, self._runtime.today)

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        lost: tuple[str, ...] = ()
        try:
            await self._runtime.artifacts.keep(turn, interaction)
        except NotKept as problem:
            lost = (f"A picture of this answer is missing. {problem}",)
        except Garbled:
            lost = (outcomes.DAMAGED,)
        except Exception:
            log.exception("could not keep a picture of turn %s", turn.id)
            lost = (f"A picture of this answer is missing. {NotKept.by_fault()}",)
        outcome = await self._runtime.outcome(interaction)
        outcome = replace(outcome, notes=(*outcome.notes, *lost))
        schema = turn.extra.get("response_schema")
        return await structured_output.checked(outcome, schema) if schema else outcome

    # -- what is asked ------------------------------------------------------------

    async def _checked(self, question: AskRequest, owner: str) -> AskRequest:
        """The question, checked as far as it can be without knowing its place."""
        config = self._runtime.config
        if question.function_results:
            if question.prompt.strip():
                raise BadArgument(
                    "Pass `prompt` or `function_results`, not both: send the results first, "
                    "and say the rest in the next turn."
                )
            function_calls.check_shape(
                question.function_results, may_name_files=not config.is_multi_owner
            )
        elif not question.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what Gemini should answer.")
        check_prompt(config, question.prompt)
        instruction = question.changes.get("system_instruction", "")
        check_prompt(config, instruction, "system_instruction")
        check_model(question.changes.get("model", ""))
        if question.response_schema:
            schema = structured_output.unwrapped(question.response_schema)
            await anyio.to_thread.run_sync(structured_output.check_schema, schema)
            question = replace(question, response_schema=schema)
        if "tools" in question.changes:
            tools = await self._runtime.read_tools(owner, question.changes["tools"])
            question = replace(question, changes={**question.changes, "tools": tools})
        return question

    async def _check_results(
        self, before: Turn, question: AskRequest, stored: bool, with_words: WithWords
    ) -> None:
        """Refuse at once what could only fail later: results nobody waits for, and the reverse."""
        if not before.is_final:
            return
        good = await self._runtime.history.last_good(before, stored=stored)
        if good is None:
            if question.function_results:
                raise BadArgument("`function_results`: nothing here waits for any.")
            return
        if question.function_results or good.status == "requires_action":
            good = await with_words(good)
        if question.function_results:
            function_calls.steps(good, question.function_results)
        elif good.status == "requires_action":
            raise function_calls.waits(good)

    async def _check_tools(self, before: Turn, question: AskRequest) -> None:
        """Refuse at once what cannot be sent again, such as to a server whose headers are gone."""
        if before.is_final:
            settings = await self._runtime.history.settings(before, question.changes)
            self._runtime.tools.with_headers(before.owner, settings.tools)

    # -- what is written down and sent --------------------------------------------

    def _kept(self, owner: str, question: AskRequest) -> Mapping[str, Any]:
        changes = dict(question.changes)
        if "tools" in changes:
            changes["tools"] = self._runtime.tools.without_headers(owner, changes["tools"])
        schema = question.response_schema
        return {"changes": changes, **({"response_schema": dict(schema)} if schema else {})}

    def _kept_input(self, turn: Turn) -> list[dict[str, Any]] | None:
        """What is written down of what was said."""
        if turn.input is None or not self._runtime.config.transcripts:
            return None
        return list(answer_text.strip_media(turn.input))

    def _request(
        self,
        turn: Turn,
        settings: TurnSettings,
        question: AskRequest,
        attached: Attached,
        *,
        new_is_stored: bool,
    ) -> tuple[CreateRequest, tuple[str, ...]]:
        config, today = self._runtime.config, self._runtime.today
        choice = model_catalog.choose(
            settings.model, kind="text", default=config.model, today=today
        )
        thinking, thinking_note = model_catalog.level(choice.model, settings.thinking)
        schema = question.response_schema
        request = CreateRequest(
            input=_input(turn, attached),
            model=choice.model,
            system_instruction=settings.system_instruction,
            thinking=thinking,
            tools=self._runtime.tools.with_headers(turn.owner, settings.tools),
            response_format=structured_output.response_format(schema) if schema else None,
            service_tier=settings.service_tier or service_tiers.default(config.service_tier),
            timeout=config.upstream_timeout_seconds,
        )
        request = service_tiers.patient(request, store=new_is_stored)
        return request, tuple(note for note in (choice.note, thinking_note) if note)

    async def _transcript(
        self, good: Turn | None
    ) -> tuple[Sequence[dict[str, Any]], tuple[str, ...]]:
        """Everything said before, where Google keeps nothing; and a note of what is missing."""
        if good is None:
            return (), ()
        told = await self._runtime.history.transcript(good, self._runtime.now())
        if told is None:
            raise BadArgument(
                "This conversation was started with store=false and its words were not kept, "
                "so it cannot go on. Start again with gemini_ask."
            )
        transcript, lost = told
        return transcript, not_sent_again(lost)


def _input(turn: Turn, attached: Attached) -> str | list[dict[str, Any]]:
    if attached.contents:
        return [*attached.contents, {"type": "text", "text": turn.prompt}]
    return turn.input or turn.prompt


def _continued(turn: Turn, good: Turn | None) -> str:
    """The interaction it continues; of one made elsewhere only its id is known."""
    return good.interaction_id if good else str(turn.extra.get("after", ""))
