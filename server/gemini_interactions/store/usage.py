"""Usage: tokens and dollars of each owner per day."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ..domain.types import UploadedFile, Usage
from . import row_mapping
from .databases.database import Row, Transaction, Value

COUNTED = ("input", "output", "thought", "cached", "tool_use", "total")
"""The columns of the table: tokens. What files cost is in its dollars alone."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One model's use on one day; `usd` is None where no price is known. `estimated` of its calls
    ended without saying what they used."""

    day: str
    model: str
    calls: int
    usage: Usage
    usd: float | None
    estimated: int = 0


def day_of(at: float) -> str:
    """The UTC day of a moment, in ISO 8601."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def add_usage(
    t: Transaction,
    owner: str,
    day: str,
    model: str,
    usage: Usage,
    usd: float | None,
    *,
    calls: int = 1,
    estimated: int = 0,
) -> None:
    counts = {
        "calls": calls,
        "estimated": estimated,
        **{name: getattr(usage, name) for name in COUNTED},
    }
    row: dict[str, Value] = {"owner": owner, "day": day, "model": model, **counts, "usd": usd}
    changes = [f"{name} = usage.{name} + excluded.{name}" for name in counts]
    if usd is not None:
        changes.append("usd = COALESCE(usage.usd, 0) + excluded.usd")
    t.change(
        f"INSERT INTO usage ({row_mapping.columns(row)}) VALUES ({row_mapping.places(row)}) "
        f"ON CONFLICT (owner, day, model) DO UPDATE SET {', '.join(changes)}",
        tuple(row.values()),
    )


def between(t: Transaction, owner: str, first_day: str, last_day: str) -> list[Spent]:
    found = t.execute(
        "SELECT day, model, calls, input, output, thought, cached, tool_use, total, usd, estimated "
        "FROM usage WHERE owner = %s AND day >= %s AND day <= %s AND calls > 0 "
        "ORDER BY day, model",
        (owner, first_day, last_day),
    )
    return [_spent(row) for row in found]


def _spent(row: Row) -> Spent:
    counts = {name: row[name] for name in COUNTED}
    return Spent(
        row["day"], row["model"], row["calls"], Usage(**counts), row["usd"], row["estimated"]
    )


def add_name(t: Transaction, owner: str, kind: str, name: str, now: float) -> None:
    t.change(
        "INSERT INTO known_names (owner, name, kind, created) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (owner, name) DO NOTHING",
        (owner, name, kind, now),
    )


def owns_name(t: Transaction, owner: str, name: str) -> bool:
    """A name that was added, or the id of an interaction in one of the owner's turns."""
    ours = (owner, name)
    return bool(name) and bool(
        t.execute("SELECT 1 AS found FROM known_names WHERE owner = %s AND name = %s", ours)
        or t.execute(
            "SELECT 1 AS found FROM turns WHERE owner = %s AND interaction_id = %s LIMIT 1", ours
        )
    )


def add_upload(t: Transaction, owner: str, hash: str, uploaded: UploadedFile, until: float) -> None:
    row: dict[str, Value] = {
        "owner": owner,
        "hash": hash,
        "name": uploaded.name,
        "uri": uploaded.uri,
        "mime_type": uploaded.mime_type,
        "until": until,
    }
    changes = [f"{name} = excluded.{name}" for name in ("name", "uri", "mime_type", "until")]
    t.change(
        f"INSERT INTO uploads ({row_mapping.columns(row)}) VALUES ({row_mapping.places(row)}) "
        f"ON CONFLICT (owner, hash) DO UPDATE SET {', '.join(changes)}",
        tuple(row.values()),
    )


def upload(t: Transaction, owner: str, hash: str, now: float) -> UploadedFile | None:
    found = t.execute(
        "SELECT name, uri, mime_type FROM uploads WHERE owner = %s AND hash = %s AND until > %s",
        (owner, hash, now),
    )
    return UploadedFile(**found[0]) if found else None
