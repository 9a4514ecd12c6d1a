"""Retention: older words and files are deleted here; what Google keeps runs out by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .file_store import FileStore
from .ports import Store

log = logging.getLogger(__name__)

DAY = 86_400.0
EVERY = 3_600.0
"""How often there is something to look for, in seconds."""


class Retention:
    """Keeps things for `days`; 0 keeps them. `now` is the wall clock, in epoch seconds."""

    def __init__(self, store: Store, shelf: FileStore, days: int, now: Callable[[], float]) -> None:
        self._store = store
        self._shelf = shelf
        self._days = days
        self._now = now
        self._next = 0.0
        self._has_begun = False

    async def tidy(self) -> None:
        """Delete what is too old, at most once an hour; at the start what a kill left half made."""
        if not self._has_begun:
            self._has_begun = True
            await self._shelf.remove_drafts()
        if not self._days or self._now() < self._next:
            return
        self._next = self._now() + EVERY
        deleted = await self._store.delete_older(self._now() - self._days * DAY)
        await self._shelf.forget(deleted.files)
        await self._shelf.forget_texts_before(self._now() - self._days * DAY)
        if deleted.conversations:
            log.info("deleted %s conversations past their time", deleted.conversations)
