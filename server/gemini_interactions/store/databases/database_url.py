"""Opening the database that an URL names: SQLite or PostgreSQL, at this version's schema."""

from __future__ import annotations

from .database import Database, StoreError
from .migrations import migrate


def open_database(url: str) -> Database:
    """The database an URL names, brought up to this version's schema."""
    database = _connected(url)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def _connected(url: str) -> Database:
    if url.startswith("sqlite:///"):
        from .sqlite import SQLite

        return SQLite(url.removeprefix("sqlite:///"))
    if url.startswith(("postgresql://", "postgres://")):
        from .postgres import Postgres

        return Postgres(url)
    raise StoreError(
        "The database URL is not understood. Write sqlite:////absolute/path/gemini.db or "
        "postgresql://user@host/name."
    )
