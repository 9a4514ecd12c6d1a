"""Conversations: ask, continue, collect, look back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import anyio

from ....domain.errors import BadArgument
from ....domain.ids import read_id
from ....domain.types import CreateRequest, Turn
from ... import history
from ...attachments import Attached, Attachments
from ...builtin_tool_policy import BuiltinToolPolicy
from ...history import Listing
from ...ports import Store
from ...requests import AskRequest, Caller, Reply
from .. import function_calls, structured_output
from ..executor import Making, TurnExecutor
from ..history_chain import HistoryChain
from ..request_builder import RequestBuilder
from ..retry_policy import Policy
from ..running_turns import RunningTurn
from ..submission import TurnSubmission
from ..turn_resolver import TurnResolver


class Conversations:
    """What the ask toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        workshop: TurnExecutor,
        desk: TurnSubmission,
        places: TurnResolver,
        toolbox: BuiltinToolPolicy,
        attachments: Attachments,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._desk = desk
        self._places = places
        self._toolbox = toolbox
        self._attachments = attachments
        self._policy = policy
        self._now = now
        self._chains = HistoryChain(store)
        self._planner = RequestBuilder(store, workshop, self._chains, toolbox, policy, now)

    async def ask(self, caller: Caller, question: AskRequest) -> Reply:
        """Start a conversation."""
        return await self._desk.serve(caller, lambda: self._asked(caller, question))

    async def _asked(self, caller: Caller, question: AskRequest) -> Turn:
        question = await self._read(question)
        attached = await self._attached(caller, question)
        intent = self._intent(caller, question, attached)
        return await self._desk.begin(
            caller,
            question.prompt,
            lambda: self._store.begin(caller.owner, kind="ask", stored=question.store, **intent),
            self._making(question, attached, question.store),
        )

    async def follow(
        self,
        caller: Caller,
        question: AskRequest,
        conversation_id: str = "",
        turn_number: int | None = None,
    ) -> Reply:
        """Continue a conversation, branch from an earlier turn, or adopt a raw interaction."""
        line = self._places.line(conversation_id) if conversation_id else caller.session
        return await self._desk.serve(
            caller,
            lambda: self._followed(caller, question, conversation_id, turn_number),
            line if turn_number is None else "",
        )

    async def _followed(
        self, caller: Caller, question: AskRequest, conversation_id: str, turn_number: int | None
    ) -> Turn:
        question = await self._read(question)
        place = await self._places.to_continue(caller, conversation_id, turn_number)
        if place.kind == "interaction":
            return await self._adopted(caller, question, place.name)
        before = await self._places.before(caller.owner, place)
        stored = await self._places.is_stored(before)
        if not (stored or self._policy.transcripts):
            raise BadArgument(
                "This conversation was started with store=false, and words are not kept here "
                "(GEMINI_MCP_TRANSCRIPTS is off): it has one turn. Start again with gemini_ask."
            )
        await self._check_results(before, question, stored)
        await self._check_tools(before, question)
        attached = await self._attached(caller, question)
        intent = self._intent(caller, question, attached)
        return await self._desk.begin(
            caller,
            question.prompt,
            lambda: self._store.follow(
                caller.owner, place.name, kind="continue", parent=place.turn, **intent
            ),
            self._making(question, attached, stored),
        )

    async def _adopted(self, caller: Caller, question: AskRequest, interaction_id: str) -> Turn:
        """Continue an interaction made elsewhere: a new conversation that starts from it."""
        attached = await self._attached(caller, question)
        intent = self._intent(caller, question, attached)
        return await self._desk.begin(
            caller,
            question.prompt,
            lambda: self._store.begin(
                caller.owner, kind="continue", parent_interaction_id=interaction_id, **intent
            ),
            self._making(question, attached, True),
        )

    async def result(self, caller: Caller, id: str, wait: float = 0) -> Reply:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        turn = await self._places.find(caller.owner, read_id(id))
        return Reply(await self._desk.collect(caller, turn, wait))

    async def history(
        self, caller: Caller, query: str, limit: int, offset: int, kind: str = "conversations"
    ) -> Listing:
        """The owner's conversations, researches or images, newest first."""
        if kind == "conversations":
            found = await self._store.conversations(
                caller.owner, query=query, limit=limit, offset=offset
            )
            total = await self._store.count_conversations(caller.owner, query)
            lines = [history.line(each) for each in found]
            entries = [history.entry(each) for each in found]
            return Listing(lines, offset, total, query, kind, entries)
        named = "research" if kind == "research" else "image"
        handles = await self._store.handles(
            caller.owner, named, query=query, limit=limit, offset=offset
        )
        total = await self._store.count_handles(caller.owner, named, query)
        lines = [history.handle_line(each) for each in handles]
        entries = [history.handle_entry(each) for each in handles]
        return Listing(lines, offset, total, query, kind, entries)

    async def ids(
        self, owner: str, kind: Literal["conversation", "research", "image"], begun: str, most: int
    ) -> list[str]:
        """The owner's ids that begin so, newest first."""
        return await self._store.ids(owner, kind, begun.strip().lower(), most)

    async def transcript(self, caller: Caller, id: str) -> tuple[str, str]:
        """A conversation's id and its Markdown."""
        turn = await self._places.find(caller.owner, read_id(id))
        turns = await self._store.turns(caller.owner, turn.conversation_id)
        return turn.conversation_id, history.transcript(turns)

    async def stop(self, turn: Turn) -> None:
        """Somebody aborted the call that made this turn."""
        await self._workshop.stop(turn)

    # -- before anything is sent --------------------------------------------------

    async def _read(self, question: AskRequest) -> AskRequest:
        """The question, checked as far as it can be without knowing its place."""
        if question.function_results:
            if question.prompt.strip():
                raise BadArgument(
                    "Pass `prompt` or `function_results`, not both: send the results first, "
                    "and say the rest in the next turn."
                )
            function_calls.check_shape(
                question.function_results, may_name_files=not self._policy.authenticated
            )
        elif not question.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what Gemini should answer.")
        self._desk.check_prompt(question.prompt)
        self._desk.check_prompt(
            question.changes.get("system_instruction", ""), "system_instruction"
        )
        self._desk.check_model(question.changes.get("model", ""))
        if question.response_schema:
            await anyio.to_thread.run_sync(structured_output.check_schema, question.response_schema)
        if "tools" in question.changes:
            tools = self._toolbox.read(question.changes["tools"])
            question = replace(question, changes={**question.changes, "tools": tools})
        return question

    async def _check_results(self, before: Turn, question: AskRequest, stored: bool) -> None:
        """Refuse at once what could only fail later: results nobody waits for, and the reverse."""
        if not before.is_final:
            return
        good = await self._chains.last_good(before, stored=stored)
        if good is None:
            if question.function_results:
                raise BadArgument("`function_results`: nothing here waits for any.")
            return
        if question.function_results:
            function_calls.steps(await self._workshop.with_words(good), question.function_results)
        elif good.status == "requires_action":
            raise function_calls.waits(await self._workshop.with_words(good))

    async def _check_tools(self, before: Turn, question: AskRequest) -> None:
        """Refuse at once what cannot be sent again, such as to a server whose headers are gone."""
        if before.is_final:
            settings = await self._chains.settings(before, question.changes)
            self._toolbox.with_headers(before.owner, settings.tools)

    async def _attached(self, caller: Caller, question: AskRequest) -> Attached:
        """The files of a question, read once it is sure to be sent."""
        if question.files:
            await self._desk.admit(caller.owner)
        return await self._attachments.read(caller.owner, question.files, self._desk.left(caller))

    def _intent(self, caller: Caller, question: AskRequest, attached: Attached) -> dict[str, Any]:
        changes = dict(question.changes)
        if "tools" in changes:
            changes["tools"] = self._toolbox.without_headers(caller.owner, changes["tools"])
        extra: dict[str, Any] = {"changes": changes}
        if question.response_schema:
            extra["response_schema"] = dict(question.response_schema)
        kept = [*attached.kept(), {"type": "text", "text": question.prompt}]
        return self._desk.intent(
            caller, question.prompt, extra, input=kept if attached.contents else None
        )

    def _making(self, question: AskRequest, attached: Attached, stored: bool) -> Making:
        async def plan(work: RunningTurn) -> CreateRequest:
            sent = await self._attachments.sent(work, attached)
            return await self._planner.plan(work, question, sent, stored)

        return self._workshop.streamed(plan)
