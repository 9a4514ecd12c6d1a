"""A SQLite file, user-only, which several local processes may use at once."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .database import Row, StoreError, Transaction, Value, cleaned

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds to wait for another process's transaction; ours take milliseconds."""

NEXT_TRY = (0.0005, 0.002)
"""Seconds between two tries to get another process's lock."""

MOST_WAL = 16 * 2**20
"""Bytes to which the write-ahead log is cut once all of it is in the database: one huge answer
would leave it as long as itself for ever."""

BUSY = "The database is busy: another process has held it for too long. Try again."
DAMAGED = (
    "The database file is damaged, or is no database. Move it away, and a new one is made "
    "at the next start; or put a copy of it back."
)
UNUSABLE = (
    "The database file cannot be opened or written. Check that its folder exists, belongs to "
    "this user and has room, or choose another with GEMINI_MCP_DATA_DIR."
)

# Primary result codes of SQLite, by number so that sqlite3 need not be imported for them.
PROBLEMS = {
    3: UNUSABLE,  # PERM
    5: BUSY,  # BUSY
    6: BUSY,  # LOCKED
    8: UNUSABLE,  # READONLY
    10: UNUSABLE,  # IOERR
    11: DAMAGED,  # CORRUPT
    13: UNUSABLE,  # FULL
    14: UNUSABLE,  # CANTOPEN
    15: BUSY,  # PROTOCOL: lost a race for the WAL file too often
    23: UNUSABLE,  # AUTH
    26: DAMAGED,  # NOTADB
}


class SQLite:
    """One connection, one transaction at a time."""

    workers = 1

    def __init__(self, path: str) -> None:
        import sqlite3  # 6 ms; the first answer to a host must not wait for it

        if path != ":memory:":
            _make_private(Path(path))
        self._path = path
        self._error = sqlite3.Error
        # The store's limiter already lets in one thread at a time, but a task cancelled by
        # asyncio itself gives its place up while its thread is still in here.
        self._alone = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _sentence(error) from error
        try:
            self._patiently(self._use_wal)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA journal_size_limit = {MOST_WAL}")
            self._file = _identity(self._path)
        except BaseException:
            self._connection.close()
            raise

    def _use_wal(self) -> None:
        if self._connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._connection.execute("PRAGMA journal_mode = WAL")

    def _patiently(self, step: Callable[[], T]) -> T:
        """SQLite does not wait by itself where processes race for the WAL file's first use."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return step()
            except self._error as error:
                problem = _sentence(error)
                if str(problem) != BUSY or time.monotonic() > deadline:
                    raise problem from error
                time.sleep(0.01)

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Transaction]:
        with self._alone:
            try:
                if writes:
                    self._begin_writing()
                else:
                    self._connection.execute("BEGIN")
                yield _Transaction(self._connection)
                self._connection.execute("COMMIT")
            except self._error as error:
                raise _sentence(error) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _begin_writing(self) -> None:
        """A writer takes its lock first: one that read before could never wait for it.

        Transactions take milliseconds, and SQLite's own waiting soon sleeps for 25 and 100.
        """
        execute = self._connection.execute
        deadline = time.monotonic() + PATIENCE
        execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    execute("BEGIN IMMEDIATE")
                    return
                except self._error as error:
                    if str(_sentence(error)) != BUSY or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(*NEXT_TRY))
        finally:
            execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")

    def claim_schema(self, transaction: Transaction) -> bool:
        # BEGIN IMMEDIATE has already shut the others out.
        return bool(
            transaction.execute(
                "SELECT 1 AS known FROM sqlite_master WHERE type = 'table' AND name = %s",
                ("schema_version",),
            )
        )

    def is_in_place(self) -> bool:
        return self._file is None or self._file == _identity(self._path)

    def close(self) -> None:
        with self._alone:
            self._connection.close()


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        cursor = self._connection.execute(sql.replace("%s", "?"), cleaned(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor]

    def change(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return self._connection.execute(sql.replace("%s", "?"), cleaned(parameters)).rowcount

    def clock(self, now: float) -> float:
        # Whoever uses the file is on this machine.
        return now


def _identity(path: str) -> tuple[int, int] | None:
    """Which file stands at a path: its device and inode; None for none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _sentence(error: Exception) -> Exception:
    """What a user reads; a mistake in our own SQL stays what it is."""
    sentence = PROBLEMS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return StoreError(sentence) if sentence else error


def _make_private(path: Path) -> None:
    """Create the folder 0700 and the file 0600, whatever the umask; SQLite gives the -wal and
    -shm beside it the file's own mode."""
    try:
        for folder in [*reversed(path.parent.parents), path.parent]:
            if not folder.is_dir():
                with suppress(FileExistsError):
                    folder.mkdir(0o700)
                    folder.chmod(0o700)
        try:
            # Only a new file is ever opened here: closing one drops every lock that another
            # connection of this process holds on it.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            path.chmod(0o600)
        except FileExistsError:
            if path.is_file() and path.stat().st_mode & 0o077:
                path.chmod(0o600)
    except OSError as error:
        raise StoreError(UNUSABLE) from error
