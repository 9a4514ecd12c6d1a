"""Recovery of a replaced database file: what a running server had in flight is written anew.

The file was removed or replaced under it; what is written goes into the file that stands at its
path now.

The old file stays readable through its open connection. Rows of other processes are theirs to
carry over: one that is there already is never written over by what is only read here.
"""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

from collections.abc import Sequence

from .databases.database import Database, Row, Transaction, run
from .usage import day_of

_BY_CONVERSATION = ("turns", "words", "handles", "reservations", "environments")
_KEYS = {
    "conversations": ("id",),
    "turns": ("conversation_id", "n"),
    "words": ("conversation_id", "n"),
    "handles": ("id",),
    "reservations": ("conversation_id", "n"),
    "environments": ("owner", "id"),
    "usage": ("owner", "day", "model"),
}


def restore_in_flight(old: Database, new: Database, *, holder: str, since: float) -> int:
    """Copy the conversations in which this holder works, and those touched since then; how many.

    `since` is when the file was last known to be in place, in epoch seconds: what was handed out
    after that may be nowhere else.
    """
    rows = run(old, lambda t: _read(t, holder, since), writes=False)
    run(new, lambda t: _write(t, rows, holder), writes=True)
    return len(rows["conversations"])


def _read(t: Transaction, holder: str, since: float) -> dict[str, list[Row]]:
    chosen = (
        "SELECT id FROM conversations WHERE updated >= %s UNION SELECT conversation_id "
        "FROM turns WHERE status = 'running' AND lease_holder = %s"
    )
    values = (since, holder)
    found = {
        "conversations": t.execute(f"SELECT * FROM conversations WHERE id IN ({chosen})", values),
        # The limits of the day hold on.
        "usage": t.execute("SELECT * FROM usage WHERE day >= %s", (day_of(since),)),
    }
    for table in _BY_CONVERSATION:
        found[table] = t.execute(
            f"SELECT * FROM {table} WHERE conversation_id IN ({chosen})", values
        )
    return found


def _write(t: Transaction, rows: dict[str, list[Row]], holder: str) -> None:
    ours = {
        (row["conversation_id"], row["n"])
        for row in rows["turns"]
        if row["status"] == "running" and row["lease_holder"] == holder
    }
    for table, key in _KEYS.items():
        for row in rows[table]:
            is_ours = (row.get("conversation_id"), row.get("n")) in ours
            _insert(t, table, key, row, replaces=is_ours)
    for row in rows["conversations"]:
        t.change(
            "UPDATE conversations SET newest = %s WHERE id = %s AND newest < %s",
            (row["newest"], row["id"], row["newest"]),
        )


def _insert(t: Transaction, table: str, key: Sequence[str], row: Row, *, replaces: bool) -> None:
    changes = ", ".join(f"{name} = excluded.{name}" for name in row if name not in key)
    otherwise = f"UPDATE SET {changes}" if replaces else "NOTHING"
    t.change(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('%s' for _ in row)}) "
        f"ON CONFLICT ({', '.join(key)}) DO {otherwise}",
        tuple(row.values()),
    )
