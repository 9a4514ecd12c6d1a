"""Sessions: the default conversation of each, and whether several agents share one."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from . import row_mapping
from .databases.database import Row, Transaction, Value


@dataclass(frozen=True, slots=True)
class Session:
    """The conversation and the research a session used last; empty where there is none."""

    conversation_id: str = ""
    research_id: str = ""
    updated: float = 0.0


def current(t: Transaction, owner: str, session: str) -> Session:
    found = t.execute(
        "SELECT conversation_id, research_id, updated FROM sessions "
        "WHERE owner = %s AND session = %s",
        (owner, session),
    )
    return Session(**found[0]) if found else Session()


def set_current(
    t: Transaction,
    owner: str,
    session: str,
    now: float,
    *,
    conversation_id: str | None,
    research_id: str | None,
) -> None:
    if not session:
        return
    row: dict[str, Value] = {
        "owner": owner,
        "session": session,
        "conversation_id": conversation_id or "",
        "research_id": research_id or "",
        "updated": now,
    }
    changed = ["updated"]
    if conversation_id is not None:
        changed.append("conversation_id")
    if research_id is not None:
        changed.append("research_id")
    t.change(
        f"INSERT INTO sessions ({row_mapping.columns(row)}) VALUES ({row_mapping.places(row)}) "
        "ON CONFLICT (owner, session) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in changed),
        tuple(row.values()),
    )


def side_by_side(
    t: Transaction,
    owner: str,
    session: str,
    *,
    since: float,
    longest: float,
    besides: Container[str],
) -> list[str]:
    if not session:
        return []
    ours = (owner, session)
    about = (
        "SELECT conversation_id, created, owed, finished FROM turns "
        "WHERE owner = %s AND session = %s "
        # When an interrupted turn ended nobody knows; it was found only later.
        "AND kind IN ('ask', 'continue') AND status <> 'interrupted' "
    )
    # Two plain ranges of one index; with OR a long session would be read as a whole.
    found = [
        *t.execute(about + "AND finished >= %s", (*ours, since)),
        *t.execute(about + "AND finished IS NULL", ours),
    ]
    recent = sorted(
        (float(row["created"]), _end(row, longest), str(row["conversation_id"])) for row in found
    )
    together: set[str] = set()
    running: list[tuple[float, str]] = []
    for created, end, name in recent:
        if end < since:
            continue
        running = [one for one in running if one[0] > created]
        others = {other for _, other in running} - {name}
        if name in besides:
            others = {other for other in others if other not in besides}
        if others:
            together |= {*others, name}
        running.append((end, name))
    return [name for name in dict.fromkeys(name for *_, name in recent) if name in together]


def _end(row: Row, longest: float) -> float:
    """When a call had its answer or went away, which its turn may outlast."""
    ends = [float(row[name]) for name in ("owed", "finished") if row[name] is not None]
    return min(*ends, float(row["created"]) + longest, float("inf"))
