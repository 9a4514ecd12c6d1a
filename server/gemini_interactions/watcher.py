"""The watcher keeps leases alive and picks up what processes that are gone have left."""

from __future__ import annotations

import logging

import anyio

from .bridge.retention import Retention
from .bridge.workshop import Workshop

log = logging.getLogger(__name__)


class Watcher:
    """Looks after running turns every `interval` seconds; tests call `catch_up` instead."""

    def __init__(self, workshop: Workshop, retention: Retention, interval: float) -> None:
        self._workshop = workshop
        self._retention = retention
        self._interval = interval

    async def run(self) -> None:
        while True:
            await self.catch_up()
            await anyio.sleep(self._interval)

    async def catch_up(self) -> None:
        """One round: renew our leases, take over expired ones, delete what is too old."""
        try:
            await self._workshop.keep_leases()
            await self._workshop.catch_up()
            await self._retention.tidy()
        except Exception:
            # A database that is away for a moment must not end the watching.
            log.warning("the watcher could not look after running turns", exc_info=True)
