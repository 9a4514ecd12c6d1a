"""`export`: one conversation on standard output, as Markdown or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import anyio

from ..bridge.history import document, iso, transcript
from ..config.settings import Config
from ..domain.types import Conversation, Turn
from . import store_access

_TIMES = ("created", "sent", "finished")
_OURS_ALONE = frozenset(
    {"conversation_id", "owner", "lease_holder", "lease_until", "session", "fingerprint"}
    | {"delivery", "owed", "extra"}
)


def run(config: Config, id: str, format: str) -> int:
    return anyio.run(_run, config, id, format)


async def _run(config: Config, id: str, format: str) -> int:
    async with store_access.opened(config) as store:
        _, name = await store_access.conversation_of(store, id)
        conversation = await store.conversation(store_access.OWNER, name)
        turns = await store.turns(store_access.OWNER, name)
    if format == "md":
        print(store_access.printed(document(name, transcript(turns))), end="")
    elif conversation is not None:
        print(
            store_access.printed(
                json.dumps(_whole(conversation, turns), ensure_ascii=False, indent=2)
            )
        )
    return 0


def _whole(conversation: Conversation, turns: Sequence[Turn]) -> dict[str, Any]:
    """Everything but our own bookkeeping; steps are Google's own words."""
    return {
        "id": conversation.id,
        "created": iso(conversation.created),
        "updated": iso(conversation.updated),
        "stored_at_google": conversation.stored,
        "turns": [_turn(turn) for turn in turns],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    told = {name: value for name, value in asdict(turn).items() if name not in _OURS_ALONE}
    times = {name: iso(told[name]) for name in _TIMES if told[name] is not None}
    return {"id": turn.id, **told, **times}
