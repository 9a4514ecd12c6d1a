"""Transactions: each runs whole, off the event loop, on the database that is open now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, Self, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

from ..replaced_file_recovery import restore_in_flight
from .database import FILE_GONE, Database, StoreError, Transaction, run
from .database_url import open_database
from .transaction_thread import TransactionThread

P = ParamSpec("P")
T = TypeVar("T")


class Transactions:
    """A caller that is cancelled leaves a transaction whole: done, or never begun."""

    def __init__(self, database: Database, url: str = "") -> None:
        self._database = database
        self._url = url
        self._places = CapacityLimiter(database.workers)
        # A database that runs one transaction at a time has a thread of its own for them.
        self._thread = TransactionThread(database) if database.workers == 1 else None

    @classmethod
    async def open(cls, url: str) -> Self:
        """`sqlite:////absolute/path`, `sqlite:///:memory:` or `postgresql://…`."""
        return cls(await to_thread.run_sync(open_database, url), url)

    async def close(self) -> None:
        with CancelScope(shield=True):
            if self._thread is not None:
                await self._thread.close()
            await to_thread.run_sync(self._database.close)

    def connections(self) -> tuple[int, int]:
        if self._thread is not None:
            return 1, int(self._thread.is_busy)
        return self._database.workers, self._places.borrowed_tokens

    async def check(self) -> None:
        """Raises where the database does not answer."""
        await self._read(lambda t: t.execute("SELECT 1 AS alive"))

    # The file, which may be removed or replaced while it is open

    def is_in_place(self) -> bool:
        """Whether what is written now can be found at the database's path later."""
        return self._database.is_in_place()

    async def reopen(self, *, holder: str, since: float) -> int:
        """Open the file that stands at the path now, or a new one, and write what this holder has
        in flight, and what was touched since then, anew into it; how many conversations."""

        def reopen() -> int:
            fresh = open_database(self._url)
            try:
                number = restore_in_flight(self._database, fresh, holder=holder, since=since)
            except BaseException:
                fresh.close()
                raise
            old, self._database = self._database, fresh
            if self._thread is not None:
                self._thread.database = fresh
            old.close()
            return number

        if self._thread is not None:
            return await self._thread.call(reopen)
        return await to_thread.run_sync(reopen, limiter=self._places)

    async def _read(
        self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(False, lambda t: work(t, *args, **kwargs))

    async def _write(
        self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._run(True, lambda t: work(t, *args, **kwargs))

    async def _write_new(
        self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What hands out an id: never into a file that nobody can open any more."""

        def checked(t: Transaction) -> T:
            if not self._database.is_in_place():
                raise StoreError(FILE_GONE)
            return work(t, *args, **kwargs)

        return await self._run(True, checked)

    async def _run(self, writes: bool, work: Callable[[Transaction], T]) -> T:
        # Not abandoned on cancellation: the caller's end waits for the commit.
        if self._thread is not None:
            return await self._thread.run(work, writes=writes)
        return await to_thread.run_sync(
            partial(run, self._database, work, writes=writes), limiter=self._places
        )
