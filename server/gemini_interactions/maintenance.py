"""Maintenance: renew leases, recover turns of processes that are gone, apply retention."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio

from .bridge.retention import Retention
from .bridge.turns.execution.executor import TurnExecutor

log = logging.getLogger(__name__)


class Maintenance:
    """Looks after running turns every `interval` seconds; tests call `catch_up` instead."""

    def __init__(self, executor: TurnExecutor, retention: Retention, interval: float) -> None:
        self._executor = executor
        self._retention = retention
        self._interval = interval

    async def run(self) -> None:
        # Apart from each other: while a round deletes a hundred thousand conversations, other
        # processes must not think us dead.
        async with anyio.create_task_group() as tasks:
            for what in (self._keep_leases, self._look_after):
                tasks.start_soon(self._again_and_again, what)

    async def catch_up(self) -> None:
        """One round: renew our leases, take over expired ones, delete what is too old."""
        await self._keep_leases()
        await self._look_after()

    async def _again_and_again(self, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            await what()
            await anyio.sleep(self._interval)

    async def _keep_leases(self) -> None:
        try:
            await self._executor.keep_leases()
        except Exception:
            # A database that is away for a moment must not end the watching.
            log.warning("could not renew the leases", exc_info=True)

    async def _look_after(self) -> None:
        try:
            await self._executor.catch_up()
            await self._retention.tidy()
        except Exception:
            log.warning("could not look after running turns", exc_info=True)
