"""A thread for the transactions of a database that runs one at a time.

What waits for it together is committed together: sixteen calls at once cost a few commits and
wake-ups of the event loop instead of one each. Nobody is answered before that commit.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled

from .database import Database, Transaction, TryAgain, run

T = TypeVar("T")

AT_ONCE = 32
"""Most that are committed together, so that the first does not wait long for the last."""


@dataclass(slots=True)
class _Job:
    work: Callable[..., Any]
    writes: bool | None
    """None for what is no transaction, and runs alone."""
    loop: AbstractEventLoop
    answer: Future[Any]
    result: Any = None
    problem: BaseException | None = None

    def tell(self) -> None:
        if self.answer.done():  # the task was cancelled past its shield
            return
        if self.problem is None:
            self.answer.set_result(self.result)
        else:
            self.answer.set_exception(self.problem)


class TransactionThread:
    """Runs transactions in the order in which they are asked for."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.is_busy = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[[Transaction], T], *, writes: bool) -> T:
        """What `work` returns, once its transaction is over; its exception, with nothing of it
        done. A caller that is cancelled waits for that too."""
        return cast(T, await self._put(work, writes))

    async def call(self, work: Callable[[], T]) -> T:
        """The same for something that is no transaction."""
        return cast(T, await self._put(work, None))

    async def close(self) -> None:
        """Ends the thread once all that was asked for is done."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            await self._put(_nothing, None, starts=False)
            self._jobs.put(None)

    async def _put(
        self, work: Callable[..., Any], writes: bool | None, *, starts: bool = True
    ) -> Any:
        await checkpoint_if_cancelled()
        loop = get_running_loop()
        job = _Job(work, writes, loop, loop.create_future())
        self._jobs.put(job)
        if starts and self._thread is None:
            self._start()
        with CancelScope(shield=True):
            return await job.answer

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        jobs = self._jobs
        while (first := jobs.get()) is not None:
            self.is_busy = True
            together, last = [first], None
            with suppress(Empty):
                while len(together) < AT_ONCE and (last := jobs.get_nowait()) is not None:
                    together.append(last)
                if last is None:
                    jobs.put(None)
            self._run(together)
            self.is_busy = False

    def _run(self, jobs: Sequence[_Job]) -> None:
        """Runs them in order: side by side transactions as one, anything else by itself."""
        group: list[_Job] = []
        for job in jobs:
            if job.writes is None:
                self._commit(group)
                group = []
                _alone(job, job.work)
            else:
                group.append(job)
        self._commit(group)
        told: dict[AbstractEventLoop, list[_Job]] = {}
        for job in jobs:
            told.setdefault(job.loop, []).append(job)
        for loop, theirs in told.items():
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(_tell, theirs)

    def _commit(self, group: Sequence[_Job]) -> None:
        if len(group) < 2 or not any(job.writes for job in group):
            for job in group:
                self._by_itself(job)
            return
        try:
            with self.database.transaction(writes=True) as transaction:
                _together(transaction, group)
        except BaseException as problem:
            if not isinstance(problem, _OneFailed | TryAgain):
                for job in group:
                    job.problem = problem
                return
            for job in group:  # surely nothing of it was done
                self._by_itself(job)

    def _by_itself(self, job: _Job) -> None:
        _alone(job, partial(run, self.database, job.work, writes=bool(job.writes)))


class _OneFailed(Exception):
    """One of several pieces of work failed, so none of them is committed."""


def _together(transaction: Transaction, jobs: Sequence[_Job]) -> None:
    try:
        for job in jobs:
            job.result = job.work(transaction)
    except BaseException as problem:
        raise _OneFailed from problem


def _alone(job: _Job, work: Callable[[], Any]) -> None:
    try:
        job.result = work()
    except BaseException as problem:
        job.problem = problem


def _nothing() -> None:
    """What is done once everything before it is."""


def _tell(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.tell()
