"""The desk: takes a call, writes down what it wants, sets the workshop to it, hands it over.

Once something is written down it is also made, whatever becomes of the call. What a call
did not wait for is owed: an identical call within ten minutes gets it instead of paying
for it again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal
from weakref import WeakValueDictionary

import anyio
import anyio.lowlevel

from ...domain import model_catalog
from ...domain.errors import BadArgument
from ...domain.types import Turn, TurnSettings
from ..ports import Gemini, Store
from ..requests import Caller, Reply
from ..usage_budget import UsageBudget
from .executor import Making, TurnExecutor
from .retry_policy import Policy
from .session_registry import LIST_THEM, MEMORY, SessionRegistry

log = logging.getLogger(__name__)

MODEL_CHARS = 200
"""Longest model id taken: it comes back in every footer."""


class TurnSubmission:
    """Shared by everything that makes turns; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: TurnExecutor,
        sessions: SessionRegistry,
        costs: UsageBudget,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._workshop = workshop
        self._sessions = sessions
        self._costs = costs
        self._policy = policy
        self._now = now
        self._lines: MutableMapping[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    async def admit(self, owner: str) -> None:
        """Refuse what would not be made: no key, a daily limit reached, too much waiting."""
        self._gemini.require_key()
        self._workshop.admit(owner)
        await self._costs.check(owner)

    def check_prompt(self, prompt: str, name: str = "prompt") -> None:
        size = len(prompt.encode("utf-8", "surrogatepass"))
        if size > self._policy.max_prompt_bytes:
            raise BadArgument(
                f"`{name}` has {size:,} bytes; at most {self._policy.max_prompt_bytes:,} are taken "
                "(GEMINI_MCP_MAX_PROMPT_BYTES). Shorten it, or ask in parts."
            )

    def check_model(self, model: str, aliases: str = "fast, pro, lite") -> None:
        if len(model) > MODEL_CHARS or not model.isprintable():
            raise BadArgument(
                f"`model` must be the id of a model, one line of at most {MODEL_CHARS} characters. "
                f"Leave it out for the default, or use an alias: {aliases}."
            )
        if model_catalog.is_agent(model):
            is_research = "deep-research" in model.lower()
            way = "Use start_deep_research for it." if is_research else "No tool here runs it yet."
            raise BadArgument(f"`model`: {model.strip()} is an agent, not a model. {way}")

    def intent(
        self,
        caller: Caller,
        prompt: str,
        extra: Mapping[str, Any],
        *,
        settings: TurnSettings | None = None,
        input: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """What the store writes down of a turn before anything is sent."""
        return {
            "prompt": prompt if self._policy.transcripts else "",
            "settings": settings or TurnSettings(),
            "session": caller.session,
            "fingerprint": caller.fingerprint,
            "holder": self._workshop.holder,
            "lease_until": self._workshop.lease_until,
            "now": self._now(),
            "input": input if self._policy.transcripts else None,
            "extra": dict(extra),
        }

    async def serve(
        self, caller: Caller, begin: Callable[[], Awaitable[Turn]], line: str = ""
    ) -> Reply:
        """What an identical call has left to be read, or else the turn that `begin` begins;
        answered within the time budget. `line` as for `in_line`."""
        async with self.in_line(caller, line):
            turn = await self._repeated(caller)
            joined = turn is not None
            if turn is None:
                turn = await begin()
        return await self._answer(caller, turn, joined)

    @asynccontextmanager
    async def in_line(self, caller: Caller, line: str) -> AsyncIterator[None]:
        """Calls in one line begin their turns in the order in which they came, however long
        their files, say, take to read. A line is a conversation, or a session's current one."""
        if not line:
            yield
            return
        async with self._lines.setdefault((caller.owner, line), anyio.Lock()):
            yield

    def left(self, caller: Caller) -> float:
        """Seconds of the caller's time budget that are left."""
        return caller.came + self._policy.max_wait - anyio.current_time()

    async def begin(
        self,
        caller: Caller,
        prompt: str,
        write: Callable[[], Awaitable[Turn | None]],
        make: Making,
    ) -> Turn:
        """Write a turn down and set the workshop to it."""
        await self.admit(caller.owner)
        turn: Turn | None = None
        with anyio.CancelScope(shield=True):
            turn = await write()
            if turn is not None:
                turn = replace(turn, prompt=prompt)
                work = self._workshop.undertake(turn, make)
                if caller.made(turn):
                    work.end("abort")
        if turn is None:  # deleted between two looks
            raise BadArgument(f"That conversation is no longer here. {LIST_THEM}")
        return turn

    async def _answer(self, caller: Caller, turn: Turn, joined: bool) -> Reply:
        """Wait within the time budget, and remember whether the outcome is still owed."""
        speaks = turn.kind in ("ask", "continue")
        with self._sessions.speaking(caller, turn.conversation_id) if speaks else nullcontext():
            try:
                turn = await self._workshop.until_final(turn, self.left(caller), caller.progress)
                await self._remember(turn, "delivered" if turn.is_final else "owed")
                await self._spoken(caller, turn)
                await anyio.lowlevel.checkpoint_if_cancelled()
            except BaseException:
                await self._remember(turn, "owed")
                await self._spoken(caller, turn)
                raise
        return Reply(turn, joined)

    async def collect(self, caller: Caller, turn: Turn, wait: float) -> Turn:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        is_collected = turn.delivery == "delivered"
        if not turn.is_final:
            wait = min(wait, self.left(caller))
            turn = await self._workshop.until_final(turn, wait, caller.progress)
        if turn.status in ("interrupted", "stalled") and turn.interaction_id:
            turn = await self._workshop.look_again(turn, self.left(caller))
        turn = await self._workshop.with_words(turn, self.left(caller))
        if turn.is_final and not is_collected:
            await self.collected(turn)
        return turn

    async def collected(self, turn: Turn) -> None:
        """A reader has the outcome now; if it goes away this very moment, it is owed again."""
        try:
            await self._remember(turn, "delivered")
            await anyio.lowlevel.checkpoint_if_cancelled()
        except anyio.get_cancelled_exc_class():
            await self._remember(turn, "owed")
            raise

    async def _repeated(self, caller: Caller) -> Turn | None:
        """The turn of an identical call that went away or was told "running", if any."""
        turn: Turn | None = None
        # A caller that goes away between the two would leave it claimed for ever.
        with anyio.CancelScope(shield=True):
            while turn is None:
                owed = await self._joinable(caller)
                if owed is None:
                    break
                # Where another repeat was faster, there may be one more that is owed.
                turn = owed if await self._store.claim_join(owed) else None
            if turn is not None and caller.made(turn):
                await self._workshop.stop(turn)
        return turn

    async def _joinable(self, caller: Caller) -> Turn | None:
        if not caller.fingerprint:
            return None
        return await self._store.joinable(
            caller.owner, caller.session, caller.fingerprint, since=self._now() - MEMORY
        )

    async def _spoken(self, caller: Caller, turn: Turn) -> None:
        """This is the session's conversation now; the answer does not depend on that."""
        # A first turn that failed is nothing to go on with.
        is_dead = turn.status == "failed" and turn.n == 1
        if turn.kind not in ("ask", "continue") or is_dead:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._sessions.answered(caller, turn.conversation_id)
            except Exception:
                log.exception("a session's conversation could not be written down")

    async def _remember(self, turn: Turn, delivery: Literal["delivered", "owed"]) -> None:
        """Whether the outcome still has to be read; the answer does not depend on that."""
        with anyio.CancelScope(shield=True):
            try:
                await self._store.waits(turn, delivery, now=self._now())
            except Exception:
                log.exception("that turn %s is %s could not be written down", turn.id, delivery)
