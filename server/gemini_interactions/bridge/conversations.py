"""Conversations: ask, continue, collect.

Every turn is written down before anything is sent, made by the workshop, and answered
from the store, so that nothing handed out depends on the call that asked for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import anyio
import anyio.lowlevel

from ..errors import BadArgument
from ..ids import read_id
from ..interactions import Settings, Turn
from . import functions, history, structured
from .chains import Chains
from .costs import Costs
from .history import Listing
from .places import Places
from .planning import Planner
from .ports import Gemini, Store
from .requests import Caller, Question, Reply
from .sessions import LIST_THEM, MEMORY, Sessions
from .toolbox import Toolbox
from .workshop import Policy, Workshop


class Conversations:
    """What the ask toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: Workshop,
        costs: Costs,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._workshop = workshop
        self.costs = costs
        self._policy = policy
        self._now = now
        self._toolbox = Toolbox(policy.remote_hosts, may_name_stores=not policy.authenticated)
        self._chains = Chains(store)
        self._planner = Planner(store, workshop, self._chains, self._toolbox, policy, now)
        self._sessions = Sessions(store, now)
        self.places = Places(store, self._sessions, foreign_ids=not policy.authenticated)

    async def ask(self, caller: Caller, question: Question) -> Reply:
        """Start a conversation."""
        start = anyio.current_time()
        question = await self._read(question)
        repeated = await self._repeated(caller, start)
        if repeated is not None:
            return repeated
        return await self._made(
            caller,
            question,
            start,
            lambda: self._store.begin(
                caller.owner,
                kind="ask",
                stored=question.store,
                **self._intent(caller, question),
            ),
            stored=question.store,
        )

    async def follow(
        self,
        caller: Caller,
        question: Question,
        conversation_id: str = "",
        turn_number: int | None = None,
    ) -> Reply:
        """Continue a conversation, branch from an earlier turn, or adopt a raw interaction."""
        start = anyio.current_time()
        question = await self._read(question)
        repeated = await self._repeated(caller, start)
        if repeated is not None:
            return repeated
        place = await self.places.to_continue(caller, conversation_id, turn_number)
        if place.kind == "interaction":
            return await self._made(
                caller,
                question,
                start,
                lambda: self._store.begin(
                    caller.owner,
                    kind="continue",
                    parent_interaction_id=place.name,
                    **self._intent(caller, question),
                ),
            )
        before = await self.places.before(caller.owner, place)
        stored = await self._is_stored(before)
        await self._check_results(before, question, stored)
        return await self._made(
            caller,
            question,
            start,
            lambda: self._store.follow(
                caller.owner,
                place.name,
                kind="continue",
                parent=place.turn,
                **self._intent(caller, question),
            ),
            stored=stored,
        )

    async def result(self, caller: Caller, id: str, wait: float = 0) -> Reply:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        turn = await self.places.find(caller.owner, read_id(id))
        if not turn.is_final:
            wait = min(wait, self._policy.max_wait)
            turn = await self._workshop.until_final(turn, wait, caller.progress)
        elif turn.status == "interrupted" and turn.interaction_id:
            turn = await self._workshop.look_again(turn)
        turn = await self._workshop.with_words(turn)
        if turn.is_final:
            await self._store.waits(turn, "delivered", now=self._now())
        return Reply(turn)

    async def history(self, caller: Caller, query: str, limit: int, offset: int) -> Listing:
        """The owner's conversations, newest activity first."""
        found = await self._store.conversations(
            caller.owner, query=query, limit=limit, offset=offset
        )
        total = await self._store.count_conversations(caller.owner, query)
        return Listing([history.line(each) for each in found], offset, total, query)

    async def transcript(self, caller: Caller, id: str) -> tuple[str, str]:
        """A conversation's id and its Markdown."""
        turn = await self.places.find(caller.owner, read_id(id))
        turns = await self._store.turns(caller.owner, turn.conversation_id)
        return turn.conversation_id, history.transcript(turns)

    async def stop(self, turn: Turn) -> None:
        """Somebody aborted the call that made this turn."""
        await self._workshop.stop(turn)

    # -- before anything is sent --------------------------------------------------

    async def _read(self, question: Question) -> Question:
        """The question, checked as far as it can be without knowing its place."""
        if question.function_results:
            if question.prompt.strip():
                raise BadArgument(
                    "Pass `prompt` or `function_results`, not both: send the results first, "
                    "and say the rest in the next turn."
                )
            functions.check_shape(question.function_results)
        elif not question.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what Gemini should answer.")
        size = len(question.prompt.encode("utf-8", "surrogatepass"))
        if size > self._policy.max_prompt_bytes:
            raise BadArgument(
                f"`prompt` has {size:,} bytes; at most {self._policy.max_prompt_bytes:,} are taken "
                "(GEMINI_MCP_MAX_PROMPT_BYTES). Shorten it, or ask in parts."
            )
        if question.response_schema:
            await anyio.to_thread.run_sync(structured.check_schema, question.response_schema)
        if "tools" in question.changes:
            tools = self._toolbox.read(question.changes["tools"])
            question = replace(question, changes={**question.changes, "tools": tools})
        return question

    async def _check_results(self, before: Turn, question: Question, stored: bool) -> None:
        """Refuse at once what could only fail later: results nobody waits for, and the reverse."""
        if not before.is_final:
            return
        good = await self._chains.last_good(before, stored=stored)
        if good is None:
            return
        if question.function_results:
            functions.steps(await self._workshop.with_words(good), question.function_results)
        elif good.status == "requires_action":
            raise functions.waits(await self._workshop.with_words(good))

    def _intent(self, caller: Caller, question: Question) -> dict[str, Any]:
        """What the store writes down of a turn before anything is sent."""
        changes = dict(question.changes)
        if "tools" in changes:
            changes["tools"] = self._toolbox.without_headers(caller.owner, changes["tools"])
        extra: dict[str, Any] = {"changes": changes}
        if question.response_schema:
            extra["response_schema"] = dict(question.response_schema)
        return {
            "prompt": question.prompt if self._policy.transcripts else "",
            "settings": Settings(),
            "session": caller.session,
            "fingerprint": caller.fingerprint,
            "holder": self._workshop.holder,
            "lease_until": self._workshop.lease_until,
            "now": self._now(),
            "extra": extra,
        }

    async def _is_stored(self, turn: Turn) -> bool:
        conversation = await self._store.conversation(turn.owner, turn.conversation_id)
        return conversation is None or conversation.stored

    # -- making it ------------------------------------------------------------------

    async def _made(
        self,
        caller: Caller,
        question: Question,
        start: float,
        write: Callable[[], Awaitable[Turn | None]],
        stored: bool = True,
    ) -> Reply:
        """Write the turn down, set the workshop to it, answer within the time budget.

        Once begun, neither step is undone by a caller that goes away: a turn that is written
        down is also made.
        """
        self._gemini.require_key()
        await self.costs.check(caller.owner)
        turn: Turn | None = None
        with anyio.CancelScope(shield=True):
            turn = await write()
            if turn is not None:
                turn = replace(turn, prompt=question.prompt)
                work = self._workshop.start(
                    turn, lambda work: self._planner.plan(work, question, stored)
                )
                if caller.made(turn):
                    work.end("abort")
        if turn is None:  # deleted between two looks
            raise BadArgument(f"That conversation is no longer here. {LIST_THEM}")
        return await self._answer(caller, turn, start)

    async def _answer(
        self, caller: Caller, turn: Turn, start: float, joined: bool = False
    ) -> Reply:
        """Wait within the time budget, and remember whether the outcome is still owed."""
        with self._sessions.speaking(caller, turn.conversation_id):
            try:
                left = self._policy.max_wait - (anyio.current_time() - start)
                turn = await self._workshop.until_final(turn, left, caller.progress)
                await self._handed_over(caller, turn, "delivered" if turn.is_final else "owed")
                await anyio.lowlevel.checkpoint_if_cancelled()
            except anyio.get_cancelled_exc_class():
                await self._handed_over(caller, turn, "owed")
                raise
        return Reply(turn, joined)

    async def _handed_over(
        self, caller: Caller, turn: Turn, delivery: Literal["delivered", "owed"]
    ) -> None:
        """Remember whether the outcome still has to be read, though the caller may be gone."""
        with anyio.CancelScope(shield=True):
            await self._store.waits(turn, delivery, now=self._now())
            await self._sessions.answered(caller, turn.conversation_id)

    async def _repeated(self, caller: Caller, start: float) -> Reply | None:
        """The answer of an identical call that went away or was told "running", if any."""
        if not caller.fingerprint:
            return None
        turn = await self._store.joinable(
            caller.owner, caller.session, caller.fingerprint, since=self._now() - MEMORY
        )
        if turn is None or not await self._store.claim_join(turn, self._now()):
            return None
        caller.made(turn)
        return await self._answer(caller, turn, start, joined=True)
