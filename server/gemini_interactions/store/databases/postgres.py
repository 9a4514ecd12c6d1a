"""PostgreSQL, for replicas behind one gateway: a pool of connections, used from threads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .database import Row, StoreError, Transaction, TryAgain, Value, cleaned

if TYPE_CHECKING:
    import psycopg
    from psycopg_pool import ConnectionPool

    Connection = psycopg.Connection[dict[str, Any]]

PATIENCE = 10.0
"""Seconds to wait for a connection."""

MIGRATING = 0x67656D696E69
"""The advisory lock replicas take in turn while they look at the schema ("gemini")."""

SILENT = "The database does not answer. Try again in a minute."
FAILED = "The database could not do that. Its own log says why; try again in a minute."
FORBIDDEN = "The database user may not create or change tables there. Grant it that, then restart."
NO_UNICODE = "The PostgreSQL database must use UTF-8. Create one with ENCODING 'UTF8'."
UNREACHABLE = (
    "The PostgreSQL database does not answer. Check that it runs and that the host, name, user "
    "and password in GEMINI_MCP_DATABASE_URL are right."
)
UNSURE = (
    "The connection to the database broke at the wrong moment, and whether the last step was "
    "kept is not known. Look with gemini_history before doing it again."
)

CLOCK = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"

DEFAULTS = {
    "application_name": "gemini-interactions-mcp",
    "connect_timeout": "10",
    # A partner that vanished without a word is noticed within a minute, not in two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    # Where the URL names several hosts: never the standby.
    "target_session_attrs": "read-write",
}

TRANSACTION_LIMITS = {"statement_timeout": "30s", "idle_in_transaction_session_timeout": "60s"}


class Postgres:
    """Up to ten transactions at a time."""

    workers = 10

    judges_by_own_clock = True
    """Leases follow the server's clock, not the callers'; tests that move a clock turn it off."""

    def __init__(self, url: str) -> None:
        try:
            # 90 ms, and only in the extra `postgres`.
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
            from psycopg.rows import dict_row
            from psycopg_pool import ConnectionPool
        except ImportError as error:
            raise StoreError(
                "PostgreSQL needs one more package: install gemini-interactions-mcp[postgres]."
            ) from error
        self._psycopg = psycopg
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise StoreError(
                "The database URL is not understood. Write postgresql://user@host/name."
            ) from error
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            kwargs={
                **DEFAULTS,
                **given,
                "client_encoding": "utf8",
                "row_factory": dict_row,
                # Prepared statements do not survive poolers such as PgBouncer.
                "prepare_threshold": None,
            },
            configure=_configure,
            min_size=1,
            max_size=self.workers,
            timeout=PATIENCE,
            open=False,
        )
        try:
            self._pool.open(wait=True, timeout=PATIENCE)
        except psycopg.OperationalError as error:
            self._pool.close()
            raise StoreError(UNREACHABLE) from error

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Transaction]:
        with self._connection() as connection:
            try:
                connection.read_only = not writes
                number, clock = _begun(connection, writes=writes)
                yield _Transaction(connection, clock if self.judges_by_own_clock else None)
            except self._psycopg.Error as error:
                raise self._judged(connection, error) from error
            unanswered = self._commit(connection)
        if unanswered and writes:
            self._settle(number, unanswered)

    def _commit(self, connection: Connection) -> psycopg.Error | None:
        """The error, where the connection broke before the server confirmed."""
        try:
            connection.commit()
        except self._psycopg.Error as error:
            problem = self._judged(connection, error)
            if not connection.closed:
                raise problem from error
            return error
        return None

    def _settle(self, number: int, lost: psycopg.Error) -> None:
        """Return if the transaction was kept, raise TryAgain if it was not."""
        for _ in range(20):
            try:
                with self._connection() as connection:
                    fate = _only(connection.execute("SELECT txid_status(%s)", (number,)))
            except (self._psycopg.Error, StoreError) as error:
                raise StoreError(UNSURE) from error
            if fate == "committed":
                return
            if fate == "aborted":
                raise TryAgain(SILENT) from lost
            time.sleep(0.1)  # in progress: the server has not noticed yet that we are gone
        raise StoreError(UNSURE) from lost

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._pool.getconn()
        except self._psycopg.OperationalError as error:
            raise StoreError(SILENT) from error
        try:
            yield connection
        finally:
            with suppress(self._psycopg.Error):
                connection.rollback()
            self._pool.putconn(connection)

    def _judged(self, connection: Connection, error: psycopg.Error) -> Exception:
        """What a user reads; a mistake in our own SQL stays what it is."""
        errors = self._psycopg.errors
        if connection.closed:
            # After a restart of the server every idle connection is dead: without this the
            # second attempt would only meet the next corpse.
            self._pool.drain()
            return TryAgain(SILENT)
        if isinstance(error, errors.DeadlockDetected | errors.SerializationFailure):
            return TryAgain(SILENT)
        if isinstance(error, errors.InsufficientPrivilege):
            return StoreError(FORBIDDEN)
        if isinstance(error, errors.OperationalError | errors.InternalError):
            return StoreError(FAILED)
        return error

    def claim_schema(self, transaction: Transaction) -> bool:
        if transaction.execute("SHOW server_encoding")[0]["server_encoding"] != "UTF8":
            raise StoreError(NO_UNICODE)
        transaction.execute("SELECT 1 AS held FROM pg_advisory_xact_lock(%s)", (MIGRATING,))
        found = transaction.execute("SELECT to_regclass('schema_version') IS NOT NULL AS known")
        return bool(found[0]["known"])

    def is_in_place(self) -> bool:
        return True

    def close(self) -> None:
        self._pool.close()


class _Transaction:
    def __init__(self, connection: Connection, clock: float | None) -> None:
        self._connection = connection
        self._clock = clock

    def clock(self, now: float) -> float:
        return now if self._clock is None else self._clock

    # As bytes, because psycopg's types want a str to be a literal.

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        return [*self._connection.execute(sql.encode(), cleaned(parameters))]

    def change(self, sql: str, parameters: Sequence[Value] = ()) -> int:
        return self._connection.execute(sql.encode(), cleaned(parameters)).rowcount


def _only(cursor: psycopg.Cursor[dict[str, Any]]) -> Any:
    """The one value of the one row."""
    (row,) = cursor.fetchall()
    (value,) = row.values()
    return value


def _begun(connection: Connection, *, writes: bool) -> tuple[int, float]:
    """Limits the transaction; the number under which the server can be asked what became of it,
    and the server's clock in epoch seconds.

    The limits hold for this transaction alone: behind a pooler the session is others' too, and a
    limit left on it would cancel their long queries.
    """
    limits = ", ".join(
        f"set_config('{name}', '{value}', true)" for name, value in TRANSACTION_LIMITS.items()
    )
    number = "txid_current()" if writes else "0"
    sql = f"SELECT {limits}, {number} AS number, {CLOCK} AS clock"  # fixed texts
    (row,) = connection.execute(sql.encode()).fetchall()
    return int(row["number"]), float(row["clock"])


def _configure(connection: Connection) -> None:
    from psycopg import IsolationLevel

    # Whoever waits for a row must see what the one before wrote: `follow` counts on it.
    connection.isolation_level = IsolationLevel.READ_COMMITTED
