"""Retention: older words and files are deleted here, and environments of agents at Google; what
else Google keeps runs out by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..domain.errors import Gone, Refused, UpstreamError, WrongKey
from .artifacts.file_store import FileStore
from .ports import Gemini, Store

log = logging.getLogger(__name__)

DAY = 86_400.0
KEPT_AT_GOOGLE = 8 * DAY
"""Google keeps an environment for seven days after its last use."""
EVERY = 3_600.0
"""How often there is something to look for, in seconds."""


class Retention:
    """Keeps things for `days`; 0 keeps them. `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        kept_files: FileStore,
        days: int,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._file_store = kept_files
        self._days = days
        self._now = now
        self._next = 0.0
        self._has_begun = False

    async def tidy(self) -> None:
        """Delete what is too old, at most once an hour; at the start what a kill left half made."""
        if not self._has_begun:
            self._has_begun = True
            await self._file_store.remove_drafts()
        if self._now() < self._next:
            return
        self._next = self._now() + EVERY
        if self._days:
            await self._delete_older()
        await self._delete_environments()
        if self._days:
            await self._delete_stores()

    async def _delete_older(self) -> None:
        deleted = await self._store.delete_older(self._now() - self._days * DAY)
        await self._file_store.forget(deleted.files)
        await self._file_store.forget_texts_before(self._now() - self._days * DAY)
        if deleted.conversations:
            log.info("deleted %s conversations past their time", deleted.conversations)

    async def _delete_stores(self) -> None:
        """Delete stores of documents that were not filled or searched for so long."""
        for known in await self._store.file_search.all():
            if known.used >= self._now() - self._days * DAY:
                continue
            try:
                await self._gemini.stores.delete(known.name)
            except (Gone, WrongKey):  # as Google says of one that is not there
                pass
            except (UpstreamError, Refused):
                log.warning("could not delete a store of documents at Google")
                continue
            await self._store.file_search.forget(known.name)
            log.warning("deleted the store %s, unused past its time", known.short_name)

    async def _delete_environments(self) -> None:
        """Delete at Google the environments of conversations that are gone here, and forget those
        that have run out there."""
        over = self._now() - KEPT_AT_GOOGLE
        for environment in await self._store.environments.orphans(over):
            if environment.used >= over:
                try:
                    await self._gemini.environments.delete_environment(environment.id)
                except Gone:
                    pass
                except (UpstreamError, Refused):  # the next time may do better
                    log.warning("could not delete an environment at Google")
                    continue
            await self._store.environments.forget(environment.owner, environment.id)
