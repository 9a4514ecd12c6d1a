"""Turn resolver: which turn an id means, and where a continue goes."""

from __future__ import annotations

from collections.abc import Collection

from ...domain.artifact import ArtifactKind
from ...domain.errors import BadArgument, Refused, StillRunning, UnknownId
from ...domain.ids import Id, read_id
from ...domain.types import Turn
from ..ports import Store
from ..requests import Caller
from ..research import plans
from . import function_calls
from .default_conversation import LIST_THEM, DefaultConversations

MOST_WAITING = 100
"""How many turns that wait for function results are looked through."""


class TurnResolver:
    """Finds turns by what callers write; somebody else's id reads like an unknown one."""

    def __init__(
        self, store: Store, sessions: DefaultConversations, *, foreign_ids: bool = True
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._foreign_ids = foreign_ids

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
                handle = await self._store.handle(owner, id.name)
                turn = None
                if handle is not None and id.turn is not None:
                    turn = await plans.nth_turn(self._store, handle, id.turn)
                elif handle is not None:
                    turn = await self._store.turn(owner, handle.conversation_id, handle.n)
        if turn is None:
            raise unknown(id)
        return turn

    async def to_continue(self, caller: Caller, conversation_id: str, number: int | None) -> Id:
        """A conversation's end, a turn to branch from, or a raw interaction made elsewhere."""
        if not conversation_id:
            name = await self._sessions.default(caller)
            return Id("conversation" if number is None else "turn", name, number)
        id = read_id(conversation_id)
        if number is not None:
            if id.kind != "conversation":
                raise BadArgument(
                    f"`turn` was given, but {id} already names one turn. "
                    "Leave `turn` out, or pass the conversation's id (c_…)."
                )
            return Id("turn", id.name, number)
        if isinstance(id.kind, ArtifactKind):
            turn = await self.find(caller.owner, id)
            return Id("turn", turn.conversation_id, turn.n)
        if id.kind != "interaction":
            return id
        ours = await self._store.turn_of_interaction(caller.owner, id.name)
        if ours is not None:
            return Id("turn", ours.conversation_id, ours.n)
        if not self._foreign_ids:
            raise unknown(id)
        return id

    async def waiting_for(self, owner: str, call_ids: Collection[str]) -> str:
        """The conversation, or its turn, that waits for the results of these calls, where it is
        the owner's only one; else ""."""
        if not call_ids:
            return ""
        found = [
            turn
            for turn in await self._store.waiting_for_results(owner, MOST_WAITING)
            if {call.call_id for call in function_calls.pending(turn)}.issuperset(call_ids)
        ]
        if len(found) != 1:
            return ""
        (turn,) = found
        conversation = await self._store.conversation(owner, turn.conversation_id)
        is_newest = conversation is not None and conversation.newest == turn.n
        return turn.conversation_id if is_newest else turn.id

    async def of_ours(self, caller: Caller, conversation_id: str) -> Id:
        """The same for what makes no conversation out of Google's own ids."""
        if read_id(conversation_id).kind == "interaction":
            raise BadArgument(
                "`conversation_id` takes conversations of this server (c_…) here; only "
                "gemini_continue takes Google's own ids."
            )
        return await self.to_continue(caller, conversation_id, None)

    def queue_of(self, conversation_id: str) -> str:
        """The conversation whose end is meant; "" where one turn is named, which nobody waits
        for, or no conversation."""
        id = read_id(conversation_id) if conversation_id else None
        return id.name if id is not None and id.kind == "conversation" else ""

    async def predecessor(self, owner: str, place: Id) -> Turn:
        """The turn a continue there would follow; one that is named must be finished."""
        turn = await self.find(owner, place)
        if place.turn is not None and not turn.is_final:
            raise StillRunning(
                f"{turn.id} is still running, so nothing can branch from it yet. "
                f'Call gemini_result with id "{turn.id}", or leave `turn` out to queue behind it.'
            )
        return turn

    async def is_stored(self, turn: Turn) -> bool:
        """Whether Google keeps that conversation."""
        conversation = await self._store.conversation(turn.owner, turn.conversation_id)
        return conversation is None or conversation.stored

    async def _no_such_turn(self, owner: str, id: Id) -> Refused:
        conversation = await self._store.conversation(owner, id.name)
        if conversation is None:
            return unknown(Id("conversation", id.name))
        there = "turn 1" if conversation.newest == 1 else f"turns 1 to {conversation.newest}"
        return UnknownId(
            f"{id.name} has {there}; there is no turn {id.turn}. "
            f'Call gemini_history with id "{id.name}" to read it.'
        )


def unknown(id: Id) -> UnknownId:
    """The same words for what is not here and for what is somebody else's."""
    if isinstance(id.kind, ArtifactKind):
        return UnknownId(
            f"There is no {id.kind.noun} '{id}' here. "
            f'Call gemini_history with kind "{id.kind.listed}" to see those there are.'
        )
    noun = "conversation" if id.kind == "turn" else id.kind
    return UnknownId(f"There is no {noun} '{id.name}' here. {LIST_THEM}")
