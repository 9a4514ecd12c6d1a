"""What the store asks of a database: one transaction at a time, in plain SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from ...domain.errors import Refused

Value = str | int | float | None
Row = Mapping[str, Any]
T = TypeVar("T")


FILE_GONE = (
    "The data folder of this server was removed or replaced while it ran, so nothing new is begun "
    "in it. Try again in a minute: once a database file can be made there again, work goes on."
)


class StoreError(Refused):
    """The database cannot be used; the message says what to do, and names no path."""


class TryAgain(StoreError):
    """The transaction surely did not happen, and may well succeed when it is run again."""


class Transaction(Protocol):
    """SQL valid in SQLite 3.25 and PostgreSQL 13 alike, with ``%s`` for every value."""

    def clock(self, now: float) -> float:
        """The time by which leases are judged, in epoch seconds: the caller's `now` where all
        processes share one clock, the database's own where replicas may differ."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """The rows it finds."""

    def change(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        """How many rows it changed.

        RETURNING would save a round trip, but Python on RHEL 9 comes with SQLite 3.34.
        """


class Database(Protocol):
    """Two of these exist; a test may wrap one to break a transaction at a chosen moment."""

    workers: int
    """How many transactions may run side by side."""

    def transaction(self, *, writes: bool) -> AbstractContextManager[Transaction]:
        """Commits at the end, or leaves nothing behind."""

    def is_in_place(self) -> bool:
        """Whether the file that is open is still the one at its path; databases elsewhere are."""

    def claim_schema(self, transaction: Transaction) -> bool:
        """Keep other processes from migrating until the end; whether `schema_version` exists."""

    def close(self) -> None: ...


def clean(text: str) -> str:
    """Text both databases take: NUL and lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\x00", "\ufffd")


def cleaned(values: Iterable[Value]) -> list[Value]:
    return [clean(value) if isinstance(value, str) else value for value in values]


def run(database: Database, work: Callable[[Transaction], T], *, writes: bool) -> T:
    """One whole transaction; a second time where the first surely left nothing behind."""
    try:
        with database.transaction(writes=writes) as transaction:
            return work(transaction)
    except TryAgain:
        with database.transaction(writes=writes) as transaction:
            return work(transaction)
