"""Sessions: which conversation a caller means when it names none.

A session is known by (owner, hint). Calls of one session that ran side by side in
different conversations leave no default for ten minutes: parallel agents share a session,
and guessing would put one agent's words into the other's conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import BadArgument
from .ports import Store
from .requests import Caller

MEMORY = 600.0
"""How long side-by-side calls and repeats are remembered, in seconds."""

LIST_THEM = "Call gemini_history to see the conversations there are."


@dataclass(slots=True)
class _Run:
    """One call of a session: where it spoke and when."""

    conversation_id: str
    began: float
    ended: float | None = None

    def overlaps(self, other: _Run) -> bool:
        return self.began < (other.ended or float("inf")) and other.began < (
            self.ended or float("inf")
        )


class Sessions:
    """The default conversation of each session."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._runs: dict[tuple[str, str], list[_Run]] = {}

    async def default(self, caller: Caller) -> str:
        """The session's current conversation; refuses where there is none or no telling."""
        if not caller.session:
            raise BadArgument(
                "This connection has no session, so `conversation_id` is required. "
                f"It stands in the last line of every answer. {LIST_THEM}"
            )
        torn = self._side_by_side(caller)
        if torn:
            raise BadArgument(
                "Several conversations of this session ran side by side, so there is no default. "
                f"Pass `conversation_id`: {', '.join(torn)}."
            )
        session = await self._store.current(caller.owner, caller.session)
        if not session.conversation_id:
            raise BadArgument(
                "There is no conversation in this session yet. Start one with gemini_ask, "
                f"or pass `conversation_id`. {LIST_THEM}"
            )
        return session.conversation_id

    @contextmanager
    def speaking(self, caller: Caller, conversation_id: str) -> Iterator[None]:
        """Marks the time in which a call of this session speaks in a conversation."""
        if not caller.session:
            yield
            return
        run = _Run(conversation_id, self._now())
        self._recent(caller).append(run)
        try:
            yield
        finally:
            run.ended = self._now()

    async def answered(self, caller: Caller, conversation_id: str) -> None:
        if caller.session:
            await self._store.set_current(
                caller.owner, caller.session, self._now(), conversation_id=conversation_id
            )

    async def default_research(self, caller: Caller) -> str:
        """The session's latest research; refuses where there is none."""
        session = (
            await self._store.current(caller.owner, caller.session) if caller.session else None
        )
        if session is None or not session.research_id:
            raise BadArgument(
                "There is no research in this session to look at. Pass `research_id`; "
                'gemini_history with kind "research" lists them.'
            )
        return session.research_id

    async def researched(self, caller: Caller, research_id: str) -> None:
        if caller.session:
            await self._store.set_current(
                caller.owner, caller.session, self._now(), research_id=research_id
            )

    def _recent(self, caller: Caller) -> list[_Run]:
        oldest = self._now() - MEMORY
        runs = self._runs.setdefault((caller.owner, caller.session), [])
        runs[:] = [run for run in runs if run.ended is None or run.ended >= oldest]
        return runs

    def _side_by_side(self, caller: Caller) -> list[str]:
        runs = self._recent(caller)
        torn = {
            run.conversation_id
            for run in runs
            for other in runs
            if run.conversation_id != other.conversation_id and run.overlaps(other)
        }
        return sorted(torn)
