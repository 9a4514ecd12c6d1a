"""Artifacts: researches (`r_…`), images (`i_…`), audio (`a_…`) and videos (`v_…`), each the name of
a turn, with its own facts."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.artifact import BY_NAME, ArtifactKind
from ..domain.types import Artifact, Turn, new_name
from . import row_mapping
from .databases.database import Row, Transaction, Value

_HANDLE = "id, owner, kind, conversation_id, n, created, facts"


@dataclass(frozen=True, slots=True)
class ArtifactSummary:
    """One line of a list: the handle, and how the turn it names stands."""

    handle: Artifact
    prompt: str
    status: str
    model: str


def add(
    t: Transaction,
    owner: str,
    kind: ArtifactKind,
    conversation_id: str,
    n: int,
    *,
    now: float,
    facts: Mapping[str, Any],
) -> Artifact:
    while True:
        id = new_name(kind.prefix)
        if t.change(
            f"INSERT INTO handles ({_HANDLE}) VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (id) DO NOTHING",
            (
                id,
                owner,
                kind.value,
                conversation_id,
                n,
                float(now),
                row_mapping.to_json(dict(facts)),
            ),
        ):
            return Artifact(id, owner, kind, conversation_id, n, float(now), dict(facts))


def move(
    t: Transaction, handle: Artifact, *, n: int | None, facts: Mapping[str, Any] | None
) -> bool:
    """Name another turn of the same conversation, or change the facts."""
    values: dict[str, Value] = {}
    if n is not None:
        values["n"] = n
    if facts is not None:
        values["facts"] = row_mapping.to_json(dict(facts))
    changes = ", ".join(f"{name} = %s" for name in values)
    return bool(
        t.change(
            f"UPDATE handles SET {changes} WHERE id = %s AND owner = %s",
            (*values.values(), handle.id, handle.owner),
        )
    )


def name_files(
    t: Transaction, turn: Turn, kind: ArtifactKind, numbers: Sequence[int], *, now: float
) -> list[Artifact]:
    """A handle for each of these files of a turn; whoever else names them waits here."""
    _wait_for_others(t, turn.owner, turn.conversation_id)
    known = {
        each.facts.get("number"): each
        for each in of_turn(t, turn.owner, turn.conversation_id, turn.n)
        if each.kind is kind
    }
    return [
        known.get(number)
        or add(t, turn.owner, kind, turn.conversation_id, turn.n, now=now, facts={"number": number})
        for number in numbers
    ]


def take(t: Transaction, handle: Artifact) -> bool:
    """Let it name the turn its conversation gets next; False where it has been moved before."""
    _wait_for_others(t, handle.owner, handle.conversation_id)
    return bool(
        t.change(
            "UPDATE handles SET n = (SELECT newest + 1 FROM conversations WHERE id = %s) "
            "WHERE id = %s AND owner = %s AND n = %s",
            (handle.conversation_id, handle.id, handle.owner, handle.n),
        )
    )


def handle(t: Transaction, owner: str, id: str) -> Artifact | None:
    found = t.execute(f"SELECT {_HANDLE} FROM handles WHERE id = %s AND owner = %s", (id, owner))
    return _handle(found[0]) if found else None


def of_turn(t: Transaction, owner: str, conversation_id: str, n: int) -> list[Artifact]:
    found = t.execute(
        f"SELECT {_HANDLE} FROM handles WHERE conversation_id = %s AND n = %s AND owner = %s "
        "ORDER BY created, id",
        (conversation_id, n, owner),
    )
    return [_handle(row) for row in found]


def pictures(t: Transaction, owner: str, conversation_id: str, limit: int) -> list[ArtifactSummary]:
    """The images of a conversation, newest first."""
    found = t.execute(
        "SELECT h.id, h.owner, h.kind, h.conversation_id, h.n, h.created, h.facts, "
        "SUBSTR(turns.prompt, 1, 500) AS prompt, turns.status, turns.model FROM handles h "
        "JOIN turns ON turns.conversation_id = h.conversation_id AND turns.n = h.n "
        "WHERE h.conversation_id = %s AND h.owner = %s AND h.kind = 'image' "
        "ORDER BY h.n DESC, h.created DESC, h.id DESC LIMIT %s",
        (conversation_id, owner, limit),
    )
    return [
        ArtifactSummary(_handle(row), row["prompt"], row["status"], row["model"]) for row in found
    ]


def listed(
    t: Transaction, owner: str, kind: str, query: str, limit: int, offset: int
) -> list[ArtifactSummary]:
    where, values = _matching(owner, kind, query)
    found = t.execute(
        "SELECT h.id, h.owner, h.kind, h.conversation_id, h.n, h.created, h.facts, "
        "SUBSTR(turns.prompt, 1, 500) AS prompt, turns.status, turns.model "
        f"FROM (SELECT * FROM handles h WHERE {where} "
        "ORDER BY h.created DESC, h.id DESC LIMIT %s OFFSET %s) h "
        "JOIN turns ON turns.conversation_id = h.conversation_id AND turns.n = h.n "
        "ORDER BY h.created DESC, h.id DESC",
        (*values, limit, offset),
    )
    return [
        ArtifactSummary(_handle(row), row["prompt"], row["status"], row["model"]) for row in found
    ]


def ids(t: Transaction, owner: str, kind: str, prefix: str, limit: int) -> list[str]:
    """Those that begin so, newest first."""
    found = t.execute(
        "SELECT id FROM handles WHERE owner = %s AND kind = %s AND SUBSTR(id, 1, %s) = %s "
        "ORDER BY created DESC, id DESC LIMIT %s",
        (owner, kind, len(prefix), prefix, limit),
    )
    return [row["id"] for row in found]


def count(t: Transaction, owner: str, kind: str, query: str, most: int) -> int:
    where, values = _matching(owner, kind, query)
    return row_mapping.count(t, f"handles h WHERE {where}", values, most)


def _wait_for_others(t: Transaction, owner: str, conversation_id: str) -> None:
    """Whoever else changes this conversation commits first. The conversation before all that
    is in it, as everywhere: nobody waits in a circle."""
    t.change(
        "UPDATE conversations SET updated = updated WHERE id = %s AND owner = %s",
        (conversation_id, owner),
    )


def _matching(owner: str, kind: str, query: str) -> tuple[str, tuple[Value, ...]]:
    sought = row_mapping.folded(query)
    ours = "h.owner = %s AND h.kind = %s"
    # A research is also found by what was said before its newest turn, such as its question.
    turns = "w.n <= h.n" if kind == "research" else "w.n = h.n"
    if not sought:
        return ours, (owner, kind)
    # Found literally, as in the list of conversations.
    return (
        f"{ours} AND EXISTS (SELECT 1 FROM words w WHERE w.conversation_id = h.conversation_id "
        f"AND {turns} AND "
        "(REPLACE(w.prompt, %s, '') <> w.prompt OR REPLACE(w.answer, %s, '') <> w.answer))",
        (owner, kind, sought, sought),
    )


def _handle(row: Row) -> Artifact:
    return Artifact(
        row["id"],
        row["owner"],
        BY_NAME[row["kind"]],
        row["conversation_id"],
        row["n"],
        row["created"],
        json.loads(row["facts"]),
    )
