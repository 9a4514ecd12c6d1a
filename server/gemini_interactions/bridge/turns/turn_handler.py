"""Turn handlers: what differs between the kinds of turns. One handler object per kind.

Submission, executor and recovery hold the one algorithm of all turns: admit, persist the
intent, execute, finalize, deliver. They call a handler where kinds differ.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, Literal

from ...domain.artifact import ArtifactKind
from ...domain.errors import BadArgument, Refused, UpstreamError
from ...domain.types import CreateRequest, Interaction, Turn
from ..runtime import Runtime
from . import outcomes
from .default_conversation import LIST_THEM, SessionKind
from .execution.running_turns import RunningTurn
from .new_turn import NewTurn, Predecessor, R, RequestPlan
from .outcomes import Outcome

log = logging.getLogger(__name__)

WithWords = Callable[[Turn], Awaitable[Turn]]
"""Reads the words of an earlier turn from Google where only its ids are kept here."""


class TurnHandler(ABC, Generic[R]):
    """One kind of turn. Which handlers there are says the table in `facade`."""

    kinds: ClassVar[tuple[str, ...]]
    """The kinds of turns it handles, as the store knows them."""
    sends: ClassVar[Literal["stream", "unary", "background"]] = "stream"
    """How its request is sent. A background turn goes on at Google: a call that makes one
    returns once Google's id is committed, and is not ended by an abort."""
    session_kind: ClassVar[SessionKind | None] = None
    """What becomes the session's default by it, if anything."""
    may_join_waiting: ClassVar[bool] = True
    """Whether a call that its client sends again may get the turn that is still waited for."""
    artifact: ClassVar[ArtifactKind | None] = None
    """An artifact that is named with the turn, before anything is sent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @abstractmethod
    async def prepare(self, new: NewTurn[R], with_words: WithWords) -> NewTurn[R]:
        """Check what can be checked, and decide where the turn goes; may refuse. Files are read
        afterwards, by the submission."""

    @abstractmethod
    async def build_request(self, turn: Turn, new: NewTurn[R], after: Predecessor) -> RequestPlan:
        """What to send, once the turn before is over; may refuse."""

    @abstractmethod
    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        """What became of an interaction that Google is done with."""

    async def read(self, turn: Turn, interaction: Interaction) -> Outcome:
        """`interpret`; what it reads is paid for, so a fault of our own costs only the part that
        it concerns."""
        try:
            return await self.interpret(turn, interaction)
        except (UpstreamError, Refused):
            raise
        except Exception:
            log.exception("could not interpret the answer of turn %s", turn.id)
            return outcomes.misread(interaction)

    async def follow(self, running: RunningTurn) -> Outcome | None:
        """Follow a background turn whose Google id is known to its end; None leaves it to
        whoever looks next."""
        raise NotImplementedError(f"{self.kinds} do not go on at Google")

    async def attend(self, running: RunningTurn) -> None:
        """What is done besides while somebody waits for it; cancelled when they leave."""

    async def deliver(self, turn: Turn, new: NewTurn[R], outcome: Outcome) -> Outcome:
        """What else the call wanted done with the outcome, such as a copy of a file."""
        return outcome

    async def rebuild(self, running: RunningTurn, request: CreateRequest) -> CreateRequest:
        """The same request for a conversation that Google has forgotten; raises where our copy
        cannot take its place."""
        return await self._runtime.history.rebuilt(
            running, request, self._runtime.now(), is_kept=self._runtime.config.transcripts
        )

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        """What it means for this kind that a request could not be sent."""
        return problem

    def overtaken(self, new: NewTurn[R]) -> Refused:
        """Why a prepared turn could not be written down: what it follows has changed meanwhile."""
        return BadArgument(f"That conversation is no longer here. {LIST_THEM}")


class TurnHandlers:
    """The handlers by the kind of a turn. Kinds that another version wrote down are read as
    answers in a conversation."""

    def __init__(self, *handlers: TurnHandler[Any]) -> None:
        self._default = handlers[0]
        self._by_kind = {kind: handler for handler in handlers for kind in handler.kinds}

    def of(self, turn: Turn) -> TurnHandler[Any]:
        return self._by_kind.get(turn.kind, self._default)
