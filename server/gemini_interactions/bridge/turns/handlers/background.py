"""What runs at Google have in common: researches, agents and videos, each followed by a poller."""

from __future__ import annotations

from typing import ClassVar

from ....domain.errors import BadArgument, TimedOut
from ....domain.ids import Id
from ....domain.types import Turn
from ...requests import Caller
from ...runtime import Runtime
from .. import function_calls
from ..turn_handler import WithWords

PATIENCE = 60.0
"""Seconds Google may take to confirm a run; it takes about one."""


class Unconfirmed(TimedOut):
    """Google took a run and did not say so in time."""

    what: ClassVar[str] = "research"
    doing: ClassVar[str] = "running"

    @property
    def message(self) -> str:
        return (
            f"Google did not confirm this {self.what} in time. It may be {self.doing} there all "
            "the same, and was not sent again, since that could be billed twice."
        )


async def place_at_google(
    runtime: Runtime, caller: Caller, conversation_id: str, with_words: WithWords, *, unstored: str
) -> tuple[Id, Turn]:
    """The place in a conversation and the turn before it; refuses, in the words of `unstored`,
    what Google does not keep, and what waits for functions."""
    place = await runtime.resolver.of_ours(caller, conversation_id)
    before = await runtime.resolver.predecessor(caller.owner, place)
    if not await runtime.resolver.is_stored(before):
        raise BadArgument(f"That conversation was started with store=false, {unstored}")
    if before.status == "requires_action":
        raise function_calls.waits(await with_words(before))
    return place, before
