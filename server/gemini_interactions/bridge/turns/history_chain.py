"""Chains: what a turn follows, which settings it inherits, and its history as steps.

State lives at Google; these are the rules for hanging a new turn on what went well before,
and for telling Google the whole story again when it has forgotten it or was never to keep it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...domain.errors import BadArgument, Gone
from ...domain.types import CONTENTS, CreateRequest, Step, Turn, TurnSettings
from ...interactions.json_values import as_text, one_line, type_of
from ..ports import Store
from .execution.running_turns import RunningTurn

_NOT_INHERITED = frozenset({"Rejected", "Gone", "BadArgument"})
"""Failures that may be the fault of the turn's own settings: later turns do not inherit those."""


REBUILT = (
    "Google had forgotten this conversation; it was rebuilt from the copy kept here before asking."
)

AT_GOOGLE = 47 * 3600.0
"""How long Google still has an uploaded file."""


class HistoryChain:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def last_good(self, turn: Turn, *, stored: bool = True) -> Turn | None:
        """The nearest turn, from this one back, that can be continued from.

        A conversation that began from an interaction made elsewhere ends in a turn 0.
        """
        found: Turn | None = turn
        spoken: Turn | None = None
        while found is not None:
            if found.is_chainable and (found.interaction_id or not stored):
                # A speech knows nothing of the conversation it reads from.
                if found.kind != "speech":
                    return found
                spoken = spoken or found
            if found.parent is None:
                return _foreign_root(found) or spoken
            found = await self._before(found)
        return spoken

    async def settings(self, before: Turn | None, changes: Mapping[str, Any]) -> TurnSettings:
        """Those of the nearest ask or continue before, with this turn's changes."""
        pending = [changes]
        found = before
        while found is not None:
            rejected = (found.error or {}).get("kind") in _NOT_INHERITED
            if found.kind in ("ask", "continue") and not rejected:
                if found.sent is not None:
                    return _changed(found.settings, pending)
                pending.append(found.extra.get("changes", {}))
            found = await self._before(found)
        return _changed(TurnSettings(), pending)

    async def transcript(self, good: Turn, now: float) -> tuple[list[Step], list[str]] | None:
        """Everything said up to a turn, as steps, and the attachments that cannot be sent again.

        None where it began elsewhere or its words were not kept.
        """
        turns: list[Turn] = []
        found: Turn | None = good
        while found is not None:
            if found.n == 0 or not found.steps:
                return None
            turns.append(found)
            if found.chained == 0:
                return None
            found = (
                await self._store.turn(found.owner, found.conversation_id, found.chained)
                if found.chained
                else None
            )
        told: list[Step] = []
        lost: list[str] = []
        for turn in reversed(turns):
            for step in (*said(turn), *_answered(turn)):
                kept = _sendable(step, lost, turn.created > now - AT_GOOGLE)
                if kept is not None:
                    told.append(kept)
        return told, lost

    async def rebuilt(
        self, running: RunningTurn, request: CreateRequest, now: float, *, is_kept: bool
    ) -> CreateRequest:
        """The same request for a conversation Google has forgotten: our copy of it takes its
        place, unless words are not kept here."""
        good, plan = running.good, running.plan
        told = await self.transcript(good, now) if is_kept and good is not None else None
        if told is None or plan is None:
            if is_kept:
                raise Gone()
            raise BadArgument(
                "Google no longer has this conversation, and it cannot be rebuilt because "
                "transcripts are off here (GEMINI_MCP_TRANSCRIPTS). Start again with gemini_ask."
            )
        transcript, lost = told
        note = " ".join([REBUILT, *not_sent_again(lost)])
        running.turn = replace(running.turn, notes=(*running.turn.notes, note))
        return replace(request, previous_interaction_id="", input=[*transcript, *plan.words])

    async def _before(self, turn: Turn) -> Turn | None:
        if turn.parent is None:
            return None
        return await self._store.turn(turn.owner, turn.conversation_id, turn.parent)


def said(turn: Turn, attached: Sequence[dict[str, Any]] = ()) -> list[Step]:
    """What the caller said in a turn, as steps; `attached` has the bytes that are not kept."""
    if turn.input and any(type_of(item) == "function_result" for item in turn.input):
        return list(turn.input)
    text = {"type": "text", "text": turn.prompt}
    content = [*attached, text] if attached else turn.input or [text]
    return [{"type": "user_input", "content": content}]


def _answered(turn: Turn) -> Iterator[Step]:
    """What was said to that. Of a research its words only: how an agent came to them is long,
    and no other model's business."""
    for step in turn.steps:
        kind = step.get("type")
        if kind == "model_output" or (kind != "user_input" and turn.kind != "research"):
            yield step


def not_sent_again(lost: Sequence[str]) -> tuple[str, ...]:
    """One line when something that was said before had to be left out."""
    return (f"Could not be sent again: {', '.join(dict.fromkeys(lost))}.",) if lost else ()


def passed_over(before: Turn | None, good: Turn | None) -> tuple[str, ...]:
    """One line when the chain goes past the turn just before."""
    if before is None or (good is not None and before.n == good.n):
        return ()
    if before.kind == "speech" and before.is_chainable:
        return ()
    if not before.is_final:
        state = "is still running"
    else:
        state = "failed" if before.status == "failed" else f"was {before.status}"
    if good is None:
        return (
            f"Turn {before.n} {state} and nothing before it can be continued: this starts afresh.",
        )
    origin = f"turn {good.n}" if good.n else "the interaction this conversation began from"
    return (f"Turn {before.n} {state}: this continues from {origin}.",)


def _foreign_root(first: Turn) -> Turn | None:
    after = first.extra.get("after", "")
    return (
        replace(first, interaction_id=after, status="completed", n=0, steps=()) if after else None
    )


def _changed(settings: TurnSettings, changes: Sequence[Mapping[str, Any]]) -> TurnSettings:
    """`settings` with each of `changes`, the oldest (last) first."""
    for change in reversed(changes):
        given = dict(change)
        if "tools" in given:
            given["tools"] = tuple(given["tools"])
        settings = replace(settings, **given)
    return settings


def _sendable(step: Step, lost: list[str], uploads_live: bool) -> Step | None:
    """A step as it can be sent again: media whose bytes were not kept are left out and named."""
    told = dict(step)
    for key in ("content", "result", "summary"):
        if isinstance(contents := step.get(key), list):
            gone = [each for each in contents if _is_gone(each, uploads_live)]
            told[key] = [_without_name(each) for each in contents if each not in gone]
            # Drafts among the thoughts are nobody's business.
            lost += [_name(each) for each in gone if key != "summary"]
    if told.get("content") == []:
        return None
    if told.get("result") == [] and step["result"]:
        told["result"] = ""  # a call needs a result of some kind
    return told


def _name(content: Any) -> str:
    return one_line(content.get("name"), 100) or type_of(content)


def _is_gone(content: Any, uploads_live: bool) -> bool:
    if type_of(content) not in CONTENTS:
        return False
    uri = as_text(content.get("uri"))
    return ("bytes" in content and not uri) or ("/files/" in uri and not uploads_live)


def _without_name(content: Any) -> Any:
    """A content object without the name we gave it."""
    if type_of(content) not in CONTENTS:
        return content
    return {key: value for key, value in content.items() if key != "name"}
