"""Short ways to say what a test begins with."""

from __future__ import annotations

from typing import Any

from gemini_interactions.domain.types import Turn, TurnSettings
from gemini_interactions.store import Store

OWNER = "local"
USUAL: dict[str, Any] = {
    "kind": "ask",
    "prompt": "Why is the sky blue?",
    "settings": TurnSettings(model="gemini-3.8-flash"),
    "holder": "process 1",
    "lease_until": 130.0,
    "now": 100.0,
}


async def begin(store: Store, owner: str = OWNER, **differently: Any) -> Turn:
    return await store.begin(owner, **USUAL | differently)


async def follow(store: Store, turn: Turn, **differently: Any) -> Turn:
    kind = {"kind": "continue"}
    new = await store.follow(turn.owner, turn.conversation_id, **USUAL | kind | differently)
    assert new is not None
    return new


async def reload(store: Store, turn: Turn) -> Turn:
    """The turn as it is now."""
    found = await store.turn(turn.owner, turn.conversation_id, turn.n)
    assert found is not None
    return found
