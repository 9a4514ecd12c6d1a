"""Conversations: begun, followed, listed, searched and deleted."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..domain import types
from ..domain.daily_limits import Reservation
from ..domain.types import Artifact, Conversation, Turn, TurnSettings
from . import artifacts as handles
from . import reservations, row_mapping
from .databases.database import Transaction, Value, cleaned

FIRST_WORDS = 300
"""Characters of a first prompt kept in a list: prompts may have megabytes."""

BATCH = 100
"""Conversations deleted in one transaction, so that nobody waits long for the lock."""


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation as a list shows it."""

    id: str
    turns: int
    created: float
    updated: float
    first_prompt: str
    last_status: str
    last_model: str
    last_is_at_google: bool = False
    """Whether Google knows the last turn."""
    last_is_worked_on: bool = True
    """Whether a process has not given up the last turn."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted: how much, Google's ids of it, and files of it that are still there."""

    conversations: int
    turns: int
    interaction_ids: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(
            self.conversations + other.conversations,
            self.turns + other.turns,
            self.interaction_ids + other.interaction_ids,
            self.files + other.files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """What is known of a turn when it is put in, before anything is sent."""

    owner: str
    kind: str
    prompt: str
    settings: TurnSettings
    session: str
    fingerprint: str
    holder: str
    lease_until: float
    now: float
    input: list[dict[str, Any]] | None
    extra: Mapping[str, Any]
    reservation: Reservation | None = None
    task: Mapping[str, Any] | None = None


def begin(t: Transaction, new: NewTurn, *, stored: bool) -> Turn:
    while True:
        conversation_id = types.new_name("c")
        if t.change(
            "INSERT INTO conversations (id, owner, created, updated, newest, stored) "
            "VALUES (%s, %s, %s, %s, 1, %s) ON CONFLICT (id) DO NOTHING",
            (conversation_id, new.owner, new.now, new.now, int(stored)),
        ):
            return _put(t, new, conversation_id, n=1, parent=None)


def follow(
    t: Transaction,
    new: NewTurn,
    conversation_id: str,
    *,
    parent: int | None,
    handle: Artifact | None = None,
) -> Turn | None:
    if handle is not None and not handles.take(t, handle):
        return None
    # Whoever else follows this conversation, in any process, waits here for our commit: the
    # numbers have no gaps, and a parent chosen below is really the newest.
    ours = (conversation_id, new.owner)
    if not t.change(
        "UPDATE conversations SET newest = newest + 1, "
        "updated = CASE WHEN updated < %s THEN %s ELSE updated END WHERE id = %s AND owner = %s",
        (new.now, new.now, *ours),
    ):
        return None
    found = t.execute("SELECT newest FROM conversations WHERE id = %s AND owner = %s", ours)
    n = int(found[0]["newest"])
    return _put(t, new, conversation_id, n=n, parent=n - 1 if parent is None else parent)


def _put(t: Transaction, new: NewTurn, conversation_id: str, *, n: int, parent: int | None) -> Turn:
    row: dict[str, Value] = {
        "conversation_id": conversation_id,
        "n": n,
        "owner": new.owner,
        "kind": new.kind,
        "status": "running",
        "parent": parent,
        "chained": None,
        "interaction_id": "",
        "created": float(new.now),
        "sent": None,
        "finished": None,
        "lease_holder": new.holder,
        "lease_until": t.clock(new.now) + new.lease_until - new.now,
        "session": new.session,
        "fingerprint": new.fingerprint,
        "delivery": "waiting",
        "owed": None,
        "model": "",
        "usage": None,
        "error": None,
        "settings": row_mapping.settings_json(new.settings),
        "notes": "[]",
        "extra": row_mapping.to_json(dict(new.extra)),
        "prompt": new.prompt,
        "input": row_mapping.maybe_json(new.input),
        "text": "",
        "steps": "[]",
        "task": row_mapping.to_json(dict(new.task)) if new.task else "",
    }
    values = cleaned(row.values())
    t.change(
        f"INSERT INTO turns ({row_mapping.columns(row)}, lease_seconds) "
        f"VALUES ({row_mapping.places(row)}, %s)",
        (*values, max(new.lease_until - new.now, 0.0)),
    )
    t.change(
        "INSERT INTO words (conversation_id, n, owner, prompt, answer) VALUES (%s, %s, %s, %s, '')",
        (conversation_id, n, new.owner, row_mapping.folded(new.prompt)),
    )
    if new.reservation is not None:
        reservations.add(t, (conversation_id, n, new.owner), new.reservation, now=new.now)
    return row_mapping.turn(dict(zip(row, values, strict=True)))


def conversation(t: Transaction, owner: str, conversation_id: str) -> Conversation | None:
    found = t.execute(
        "SELECT id, owner, created, updated, newest, stored FROM conversations "
        "WHERE id = %s AND owner = %s",
        (conversation_id, owner),
    )
    return row_mapping.conversation(found[0]) if found else None


def summaries(
    t: Transaction, owner: str, query: str, limit: int, offset: int
) -> list[ConversationSummary]:
    where, values = _matching(owner, query)
    found = t.execute(
        "SELECT c.id, c.newest AS turns, c.created, c.updated, "
        f"SUBSTR(first.prompt, 1, {FIRST_WORDS}) AS first_prompt, "
        "last.status AS last_status, last.model AS last_model, "
        "last.interaction_id AS last_interaction_id, last.lease_until AS last_lease_until "
        # The page first: what is skipped over must not be looked up in `turns`.
        f"FROM (SELECT * FROM conversations c WHERE {where} "
        "ORDER BY c.updated DESC, c.id DESC LIMIT %s OFFSET %s) c "
        "JOIN turns first ON first.conversation_id = c.id AND first.n = 1 "
        "JOIN turns last ON last.conversation_id = c.id AND last.n = c.newest "
        "ORDER BY c.updated DESC, c.id DESC",
        (*values, limit, offset),
    )
    return [_summary(dict(row)) for row in found]


def _summary(row: dict[str, Any]) -> ConversationSummary:
    return ConversationSummary(
        last_is_at_google=bool(row.pop("last_interaction_id")),
        last_is_worked_on=bool(row.pop("last_lease_until")),
        **row,
    )


def ids(t: Transaction, owner: str, prefix: str, limit: int) -> list[str]:
    """Those that begin so, the last touched first."""
    found = t.execute(
        "SELECT id FROM conversations WHERE owner = %s AND SUBSTR(id, 1, %s) = %s "
        "ORDER BY updated DESC, id DESC LIMIT %s",
        (owner, len(prefix), prefix, limit),
    )
    return [row["id"] for row in found]


def count(t: Transaction, owner: str, query: str, most: int) -> int:
    where, values = _matching(owner, query)
    return row_mapping.count(t, f"conversations c WHERE {where}", values, most)


def _matching(owner: str, query: str) -> tuple[str, tuple[Value, ...]]:
    sought = row_mapping.folded(query)
    if not sought:
        return "c.owner = %s", (owner,)
    # REPLACE finds a literal substring in both databases: LIKE would need escapes and, in
    # SQLite, a bound on the length.
    return (
        "c.owner = %s AND EXISTS (SELECT 1 FROM words w WHERE w.conversation_id = c.id "
        "AND (REPLACE(w.prompt, %s, '') <> w.prompt OR REPLACE(w.answer, %s, '') <> w.answer))",
        (owner, sought, sought),
    )


def delete(t: Transaction, owner: str, conversation_id: str) -> Deleted:
    """One conversation, if it is this owner's."""
    ours = (conversation_id, owner)
    if not t.change("DELETE FROM conversations WHERE id = %s AND owner = %s", ours):
        return Deleted(0, 0)
    return _delete_turns(t, ours)


def delete_older(t: Transaction, before: float) -> Deleted:
    """A batch of what was last touched before then; nothing that still runs."""
    old = t.execute(
        "SELECT c.id, c.owner FROM conversations c WHERE c.updated < %s AND NOT EXISTS "
        "(SELECT 1 FROM turns WHERE conversation_id = c.id AND status = 'running') "
        f"ORDER BY c.updated LIMIT {BATCH}",
        (before,),
    )
    deleted = Deleted(0, 0)
    for row in old:
        # Asked again, since somebody may have followed it in the meantime.
        if t.change(
            "DELETE FROM conversations WHERE id = %s AND updated < %s", (row["id"], before)
        ):
            deleted += _delete_turns(t, (row["id"], row["owner"]))
    t.change("DELETE FROM sessions WHERE updated < %s", (before,))
    return deleted


def _delete_turns(t: Transaction, ours: tuple[str, str]) -> Deleted:
    """What belongs to a conversation that was just deleted."""
    handles = t.execute("SELECT facts FROM handles WHERE conversation_id = %s AND owner = %s", ours)
    t.change("DELETE FROM handles WHERE conversation_id = %s AND owner = %s", ours)
    turns = t.execute(
        "SELECT interaction_id, extra FROM turns WHERE conversation_id = %s AND owner = %s "
        "ORDER BY n",
        ours,
    )
    reservations.forget(t, ours)
    # With the number SQLite goes by the conversation, not through all turns of the owner.
    t.change("DELETE FROM turns WHERE conversation_id = %s AND n > 0 AND owner = %s", ours)
    t.change("DELETE FROM words WHERE conversation_id = %s AND owner = %s", ours)
    t.change(
        "UPDATE sessions SET conversation_id = '' WHERE conversation_id = %s AND owner = %s", ours
    )
    facts = [row["facts"] for row in handles] + [row["extra"] for row in turns]
    return Deleted(
        1,
        len(turns),
        tuple(row["interaction_id"] for row in turns if row["interaction_id"]),
        tuple(path for each in facts if (path := json.loads(each).get("path"))),
    )
