"""Default conversation: which one a session means when its caller names none.

A session is known by (owner, hint). Calls of one session that ran side by side in
different conversations leave no default for ten minutes: parallel agents share a session,
and guessing would put one agent's words into the other's conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from ...domain.errors import BadArgument
from ..ports import Store
from ..requests import Caller

MEMORY = 600.0
"""How long side-by-side calls and repeats are remembered, in seconds."""

SessionKind = Literal["conversation", "research"]
"""What a session has a default of."""

LIST_THEM = "Call gemini_history to see the conversations there are."


@dataclass(slots=True)
class _Run:
    """One call of a session: what it was about and when."""

    name: str
    began: float
    ended: float | None = None

    def overlaps(self, other: _Run) -> bool:
        return self.began < (other.ended or float("inf")) and other.began < (
            self.ended or float("inf")
        )


class DefaultConversations:
    """The default conversation of each session; `max_wait` bounds a call, in seconds."""

    def __init__(self, store: Store, max_wait: float, now: Callable[[], float]) -> None:
        self._store = store
        self._max_wait = max_wait
        self._now = now
        self._runs: dict[tuple[SessionKind, str, str], list[_Run]] = {}

    async def default(self, caller: Caller) -> str:
        """The session's current conversation; refuses where there is none or no telling."""
        if not caller.session:
            raise BadArgument(
                "This connection has no session, so `conversation_id` is required. "
                f"It stands in the last line of every answer. {LIST_THEM}"
            )
        # What is known here is exact, but only of the calls that came to this process; the store
        # knows of others, and of those before a restart.
        torn = {
            *self._side_by_side(caller, "conversation"),
            *await self._store.side_by_side(
                caller.owner,
                caller.session,
                since=self._now() - MEMORY,
                longest=self._max_wait,
                besides={run.name for run in self._recent(caller, "conversation")},
            ),
        }
        if torn:
            raise BadArgument(
                "Several conversations of this session ran side by side, so there is no default. "
                f"Pass `conversation_id`: {', '.join(sorted(torn))}."
            )
        session = await self._store.current(caller.owner, caller.session)
        if not session.conversation_id:
            raise BadArgument(
                "There is no conversation in this session yet. Start one with gemini_ask, "
                f"or pass `conversation_id`. {LIST_THEM}"
            )
        return session.conversation_id

    @contextmanager
    def active(self, caller: Caller, kind: SessionKind, name: str) -> Iterator[None]:
        """Marks the time in which a call of this session works on what has this id."""
        if not caller.session:
            yield
            return
        run = _Run(name, self._now())
        self._recent(caller, kind).append(run)
        try:
            yield
        finally:
            run.ended = self._now()

    async def set_default(self, caller: Caller, kind: SessionKind, name: str) -> None:
        if not caller.session:
            return
        ids = {"conversation_id" if kind == "conversation" else "research_id": name}
        await self._store.set_current(caller.owner, caller.session, self._now(), **ids)

    async def default_research(self, caller: Caller) -> str:
        """The session's latest research; refuses where there is none or no telling."""
        if not caller.session:
            raise BadArgument(
                "This connection has no session, so `research_id` is required. "
                'gemini_history with kind "research" lists them.'
            )
        torn = self._side_by_side(caller, "research")
        if torn:
            raise BadArgument(
                "Several researches of this session were started side by side, so there is no "
                f"default. Pass `research_id`: {', '.join(torn)}."
            )
        session = await self._store.current(caller.owner, caller.session)
        if not session.research_id:
            raise BadArgument(
                "There is no research in this session to look at. Pass `research_id`; "
                'gemini_history with kind "research" lists them.'
            )
        return session.research_id

    def _recent(self, caller: Caller, kind: SessionKind) -> list[_Run]:
        key = (kind, caller.owner, caller.session)
        # Put last, so that sessions nobody comes back to are found in front.
        self._runs[key] = self._fresh(self._runs.pop(key, []))
        while not self._fresh(self._runs[first := next(iter(self._runs))]) and first != key:
            del self._runs[first]
        return self._runs[key]

    def _fresh(self, runs: list[_Run]) -> list[_Run]:
        oldest = self._now() - MEMORY
        return [run for run in runs if run.ended is None or run.ended >= oldest]

    def _side_by_side(self, caller: Caller, kind: SessionKind) -> list[str]:
        runs = self._recent(caller, kind) if caller.session else []
        torn = {
            run.name
            for run in runs
            for other in runs
            if run.name != other.name and run.overlaps(other)
        }
        return sorted(torn)
