"""What the database of a data folder holds, read past the server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def turns(folder: Path) -> list[Row]:
    """Every turn, oldest first, with `id` and its error spelled out."""
    if not (folder / "gemini.db").exists():
        return []
    with closing(sqlite3.connect(folder / "gemini.db", timeout=10)) as database:
        database.row_factory = sqlite3.Row
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'turns'").fetchone():
            return []
        found = database.execute("SELECT * FROM turns ORDER BY created, conversation_id, n")
        return [_told(dict(row)) for row in found]


def turn(folder: Path, id: str) -> Row:
    (found,) = (row for row in turns(folder) if row["id"] == id)
    return found


def _told(row: Row) -> Row:
    return {
        **row,
        "id": f"{row['conversation_id']}/{row['n']}",
        "error": json.loads(row["error"] or "null"),
    }
