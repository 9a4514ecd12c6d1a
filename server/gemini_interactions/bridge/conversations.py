"""Conversations: ask, continue, collect.

Every turn is written down before anything is sent, made by the workshop, and answered
from the store, so that nothing handed out depends on the call that asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import anyio

from .. import answers, models
from ..errors import BadArgument, StillRunning, UnknownId, WaitingForResults
from ..ids import Id, read_id
from ..interactions import CHAINABLE, Call, Settings, Turn
from . import history
from .history import Listing
from .ports import Gemini, Store
from .requests import Caller, Question, Reply
from .sessions import LIST_THEM, MEMORY, Sessions
from .work import Work
from .workshop import Policy, Workshop

_NOT_SENT_AS_GIVEN = frozenset({"Rejected", "Gone"})
"""Failures that may be the fault of the turn's own settings: later turns do not inherit those."""


class Conversations:
    """What the ask toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: Workshop,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._workshop = workshop
        self._policy = policy
        self._now = now
        self.sessions = Sessions(store, now)

    # -- what tools call --------------------------------------------------------

    async def ask(self, caller: Caller, question: Question) -> Reply:
        """Start a conversation."""
        start = anyio.current_time()
        self._check(question)
        repeated = await self._repeated(caller)
        if repeated is not None:
            return await self._answer(caller, repeated, start, joined=True)
        self._gemini.require_key()
        with anyio.CancelScope(shield=True):
            turn = await self._store.begin(
                caller.owner, kind="ask", **self._written(caller, question)
            )
            self._make(caller, turn)
        return await self._answer(caller, turn, start)

    async def follow(
        self,
        caller: Caller,
        question: Question,
        conversation_id: str = "",
        turn_number: int | None = None,
    ) -> Reply:
        """Continue a conversation, branch from an earlier turn, or adopt a raw interaction."""
        start = anyio.current_time()
        self._check(question)
        repeated = await self._repeated(caller)
        if repeated is not None:
            return await self._answer(caller, repeated, start, joined=True)
        place = await self._place(caller, conversation_id, turn_number)
        if place.kind == "interaction":
            return await self._adopt(caller, question, place.name, start)
        await self._check_predecessor(caller, place)
        self._gemini.require_key()
        turn: Turn | None = None
        with anyio.CancelScope(shield=True):
            turn = await self._store.follow(
                caller.owner,
                place.name,
                kind="continue",
                parent=place.turn,
                **self._written(caller, question),
            )
            if turn is not None:
                self._make(caller, turn)
        if turn is None:
            raise self._unknown(place)
        return await self._answer(caller, turn, start)

    async def result(self, caller: Caller, id: str, wait: float = 0) -> Reply:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        turn = await self.find(caller.owner, read_id(id))
        if not turn.is_final:
            wait = min(wait, self._policy.max_wait)
            turn = await self._workshop.until_final(turn, wait, caller.progress)
        elif turn.status == "interrupted" and turn.interaction_id:
            turn = await self._workshop.look_again(turn)
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
        turn = await self.find(caller.owner, read_id(id))
        turns = await self._store.turns(caller.owner, turn.conversation_id)
        return turn.conversation_id, history.transcript(turns)

    async def find(self, owner: str, id: Id) -> Turn:
        """The turn an id means: itself, or the latest of a conversation."""
        match id.kind:
            case "turn" if id.turn is not None:
                turn = await self._store.turn(owner, id.name, id.turn)
                if turn is None:
                    raise await self._no_such_turn(owner, id)
            case "conversation":
                turn = await self._store.newest_turn(owner, id.name)
            case "interaction":
                raise BadArgument(
                    f"{id} is Google's own id; only gemini_continue takes those. "
                    "Pass an id of this server instead: they stand in the last line of answers."
                )
            case _:
                turn = None
        if turn is None:
            raise self._unknown(id)
        return turn

    async def stop(self, turn: Turn) -> None:
        """Somebody aborted the call that made this turn."""
        await self._workshop.stop(turn)

    # -- which turn -------------------------------------------------------------

    async def _place(self, caller: Caller, conversation_id: str, turn_number: int | None) -> Id:
        """Where a continue goes: a conversation's end, a turn to branch from, or a raw id."""
        if not conversation_id:
            name = await self.sessions.default(caller)
            return Id("conversation" if turn_number is None else "turn", name, turn_number)
        id = read_id(conversation_id)
        if turn_number is not None:
            if id.kind != "conversation":
                raise BadArgument(
                    f"`turn` was given, but {id} already names one turn. "
                    "Leave `turn` out, or pass the conversation's id (c_…)."
                )
            return Id("turn", id.name, turn_number)
        if id.kind == "interaction":
            ours = await self._store.turn_of_interaction(caller.owner, id.name)
            return Id("turn", ours.conversation_id, ours.n) if ours else id
        if id.kind in ("research", "image"):
            raise self._unknown(id)
        return id

    async def _check_predecessor(self, caller: Caller, place: Id) -> None:
        """Refuse at once what could only fail later."""
        before = await self.find(caller.owner, place)
        if place.turn is not None and not before.is_final:
            raise StillRunning(
                f"{before.id} is still running, so nothing can branch from it yet. "
                f'Call gemini_result with id "{before.id}", or leave `turn` out to queue behind it.'
            )
        if before.is_final:
            good = await self._last_good(before)
            if good is not None and good.status == "requires_action":
                raise WaitingForResults(_pending_sentence(good))

    async def _adopt(
        self, caller: Caller, question: Question, interaction_id: str, start: float
    ) -> Reply:
        """Continue an interaction made elsewhere: a new conversation that starts from it."""
        self._gemini.require_key()
        with anyio.CancelScope(shield=True):
            turn = await self._store.begin(
                caller.owner,
                kind="continue",
                parent_interaction_id=interaction_id,
                **self._written(caller, question),
            )
            self._make(caller, turn)
        return await self._answer(caller, turn, start)

    # -- making it --------------------------------------------------------------

    def _check(self, question: Question) -> None:
        if not question.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what Gemini should answer.")
        size = len(question.prompt.encode("utf-8", "surrogatepass"))
        if size > self._policy.max_prompt_bytes:
            raise BadArgument(
                f"`prompt` has {size:,} bytes; at most {self._policy.max_prompt_bytes:,} are taken "
                "(GEMINI_MCP_MAX_PROMPT_BYTES). Shorten it, or ask in parts."
            )

    def _written(self, caller: Caller, question: Question) -> dict[str, Any]:
        """What the store writes down of a turn before anything is sent."""
        return {
            "prompt": question.prompt,
            "settings": Settings(),
            "session": caller.session,
            "fingerprint": caller.fingerprint,
            "holder": self._workshop.holder,
            "lease_until": self._workshop.lease_until,
            "now": self._now(),
            "extra": {"changes": dict(question.changes)},
        }

    def _make(self, caller: Caller, turn: Turn) -> None:
        work = self._workshop.start(turn, self._plan)
        if caller.made(turn):
            work.end("abort")

    async def _answer(
        self, caller: Caller, turn: Turn, start: float, joined: bool = False
    ) -> Reply:
        """Wait within the time budget, and remember whether the outcome is still owed."""
        with self.sessions.speaking(caller, turn.conversation_id):
            try:
                left = self._policy.max_wait - (anyio.current_time() - start)
                turn = await self._workshop.until_final(turn, left, caller.progress)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await self._store.waits(turn, "owed", now=self._now())
                    await self.sessions.answered(caller, turn.conversation_id)
                raise
        await self._store.waits(turn, "delivered" if turn.is_final else "owed", now=self._now())
        await self.sessions.answered(caller, turn.conversation_id)
        return Reply(turn, joined)

    async def _repeated(self, caller: Caller) -> Turn | None:
        """The turn of an identical call that went away or was told "running", if any."""
        if not caller.fingerprint:
            return None
        turn = await self._store.joinable(
            caller.owner, caller.session, caller.fingerprint, since=self._now() - MEMORY
        )
        if turn is None or not await self._store.claim_join(turn, self._now()):
            return None
        caller.made(turn)
        return turn

    async def _plan(self, work: Work) -> Call:
        """Wait for the turn before, then say what to send."""
        turn = work.turn
        before = await self._predecessor(turn)
        good = await self._last_good(before) if before else None
        if good is not None and good.status == "requires_action":
            raise WaitingForResults(_pending_sentence(good))
        settings = await self._settings(before, turn.extra.get("changes", {}))
        today = datetime.fromtimestamp(self._now(), UTC).date()
        call, notes = self._call(turn, settings, good, today)
        notes = (*_passed_over(before, good), *notes)
        settings = replace(settings, model=call.model)
        work.turn = replace(
            turn,
            settings=settings,
            notes=notes,
            sent=self._now(),
            chained=good.n if good else None,
        )
        work.young_until = (good.finished or good.created) + self._policy.store_lag if good else 0.0
        work.changed()
        await self._store.sending(
            turn,
            holder=self._workshop.holder,
            now=self._now(),
            chained=good.n if good else None,
            settings=settings,
            notes=notes,
        )
        return call

    def _call(
        self, turn: Turn, settings: Settings, good: Turn | None, today: date
    ) -> tuple[Call, tuple[str, ...]]:
        choice = models.choose(settings.model, kind="text", default=self._policy.model, today=today)
        thinking, thinking_note = models.level(choice.model, settings.thinking)
        call = Call(
            input=turn.prompt,
            model=choice.model,
            previous_interaction_id=good.interaction_id if good else turn.extra.get("after", ""),
            system_instruction=settings.system_instruction,
            thinking=thinking,
            tools=settings.tools,
            timeout=self._policy.upstream_timeout,
        )
        return call, tuple(note for note in (choice.note, thinking_note) if note)

    async def _predecessor(self, turn: Turn) -> Turn | None:
        """The turn this one was written behind, once it is final."""
        if turn.parent is None:
            return None
        before = await self._store.turn(turn.owner, turn.conversation_id, turn.parent)
        while before is not None and not before.is_final and before.kind != "research":
            before = await self._workshop.until_final(before, 3600.0, _quietly)
        return before

    async def _last_good(self, turn: Turn) -> Turn | None:
        """The nearest turn, from this one back, that Google can continue from."""
        found: Turn | None = turn
        while found is not None:
            if found.status in CHAINABLE and found.interaction_id:
                return found
            if found.parent is None:
                return _foreign_root(found)
            found = await self._store.turn(found.owner, found.conversation_id, found.parent)
        return None

    async def _settings(self, before: Turn | None, changes: Mapping[str, Any]) -> Settings:
        """Those of the nearest ask or continue before, with this turn's changes."""
        pending = [changes]
        found = before
        while found is not None:
            speaks = found.kind in ("ask", "continue")
            rejected = (found.error or {}).get("kind") in _NOT_SENT_AS_GIVEN
            if speaks and not rejected:
                if found.sent is not None:
                    return _changed(found.settings, pending)
                pending.append(found.extra.get("changes", {}))
            if found.parent is None:
                break
            found = await self._store.turn(found.owner, found.conversation_id, found.parent)
        return _changed(Settings(), pending)

    # -- refusals ---------------------------------------------------------------

    async def _no_such_turn(self, owner: str, id: Id) -> UnknownId:
        conversation = await self._store.conversation(owner, id.name)
        if conversation is None:
            return self._unknown(Id("conversation", id.name))
        there = "turn 1" if conversation.newest == 1 else f"turns 1 to {conversation.newest}"
        return UnknownId(
            f"{id.name} has {there}; there is no turn {id.turn}. "
            f'Call gemini_history with id "{id.name}" to read it.'
        )

    def _unknown(self, id: Id) -> UnknownId:
        noun = "conversation" if id.kind == "turn" else id.kind
        return UnknownId(f"There is no {noun} '{id.name}' here. {LIST_THEM}")


def _foreign_root(first: Turn) -> Turn | None:
    """The interaction made elsewhere that a conversation began from, as its turn 0."""
    after = first.extra.get("after", "")
    return replace(first, interaction_id=after, status="completed", n=0) if after else None


async def _quietly(_seconds: float, _doing: str) -> None:
    pass


def _changed(settings: Settings, changes: list[Mapping[str, Any]]) -> Settings:
    """`settings` with each of `changes`, the oldest (last) first."""
    for change in reversed(changes):
        given = dict(change)
        if "tools" in given:
            given["tools"] = tuple(given["tools"])
        settings = replace(settings, **given)
    return settings


def _passed_over(before: Turn | None, good: Turn | None) -> tuple[str, ...]:
    """One line when the chain goes past the turn just before."""
    if before is None or before == good:
        return ()
    state = "is still running" if not before.is_final else f"was {before.status}"
    if before.status == "failed":
        state = "failed"
    if good is None:
        return (f"Turn {before.n} {state} and nothing before it can be continued: started afresh.",)
    origin = f"turn {good.n}" if good.n else "the interaction this conversation began from"
    return (f"Turn {before.n} {state}: this continues from {origin}.",)


def _pending_sentence(turn: Turn) -> str:
    calls = answers.read(turn.steps).function_calls
    listed = ", ".join(f"{call.name} (call_id {call.call_id})" for call in calls)
    return (
        f"{turn.id} waits for the results of {listed}. "
        "Run these and call gemini_continue with function_results."
    )
