"""Filling stores of documents: only what changed, by content, is sent to Google."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from ..domain.errors import (
    ConnectionLost,
    Gone,
    RateLimited,
    Refused,
    Rejected,
    Unavailable,
    Unreachable,
    UpstreamError,
)
from ..domain.file_search import KnownStore, StoredDocument
from ..domain.quoted_text import quoted
from .ports import Gemini, Store

AT_ONCE = 4
TRIES = 4
"""How often a document is sent where the connection breaks or Google is busy; it costs nothing."""


class Document(Protocol):
    """A local file to put into a store, weighed."""

    @property
    def path(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def hash(self) -> str: ...
    @property
    def mime_type(self) -> str: ...


class Documents(Protocol):
    """What was found, and what was left out and why."""

    @property
    def found(self) -> Sequence[Document]: ...
    @property
    def left_out(self) -> Sequence[tuple[str, str]]: ...


class DocumentFinder(Protocol):
    """Finds and opens documents inside the allowed folders; blocking."""

    def find(self, given: Sequence[str]) -> Documents: ...
    def open(self, path: Path) -> BufferedIOBase: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: documents and bytes of those that are sent, and what is in hand."""

    done: int
    total: int
    bytes: int
    name: str


@dataclass(slots=True)
class Filled:
    """What became of the documents; `failed` and `left_out` with the reason for each."""

    sent: int = 0
    unchanged: int = 0
    replaced: int = 0
    bytes: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    left_out: Sequence[tuple[str, str]] = ()


class StoreFiller:
    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        finder: DocumentFinder,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._finder = finder
        self._now = now
        self._sleep = sleep

    async def fill(
        self, known: KnownStore, given: Sequence[str], tell: Callable[[Progress], None]
    ) -> Filled:
        """Send what these paths stand for and Google does not have like that yet.

        What one run had sent before it was killed is known to the next: each document is written
        down once it can be searched, and Google is asked for the rest.
        """
        documents = await anyio.to_thread.run_sync(self._finder.find, list(given))
        there = await self._there(known.name)
        filled = Filled(left_out=documents.left_out)
        changed = []
        for document in documents.found:
            before = there.get(document.name)
            if before is not None and before.hash == document.hash:
                filled.unchanged += 1
            else:
                changed.append(document)
        places = anyio.CapacityLimiter(AT_ONCE)

        async def send(document: Document) -> None:
            async with places:
                tell(Progress(filled.sent, len(changed), filled.bytes, document.name))
                await self._sent(known, document, there.get(document.name), filled)

        async with anyio.create_task_group() as tasks:
            for document in changed:
                tasks.start_soon(send, document)
        tell(Progress(filled.sent, len(changed), filled.bytes, ""))
        await self._store.file_search.use([known.name], self._now())
        return filled

    async def _there(self, store: str) -> dict[str, StoredDocument]:
        """What is in the store by Google's word; what we know of it beside."""
        known = await self._store.file_search.documents(store)
        there: dict[str, StoredDocument] = {}
        for each in await self._gemini.stores.documents(store):
            ours = known.get(each.path)
            if ours is not None and ours.name == each.name:
                each = replace(each, hash=ours.hash)
            elif ours is not None and each.path in there:
                continue  # a copy that an earlier run had not finished replacing
            there[each.path] = each
        return there

    async def _sent(
        self, known: KnownStore, document: Document, before: StoredDocument | None, filled: Filled
    ) -> None:
        try:
            name = await self._uploaded(known.name, document)
        except Rejected as problem:
            why = quoted(problem.said) or "Google did not take it"
            filled.failed.append((document.name, why))
            return
        except UpstreamError as problem:
            filled.failed.append((document.name, problem.message))
            return
        except Refused as refusal:
            filled.failed.append((document.name, str(refusal)))
            return
        stored = StoredDocument(name, document.name, document.hash)
        await self._store.file_search.put_document(known.name, stored, document.size, self._now())
        filled.sent += 1
        filled.bytes += document.size
        if before is not None:
            filled.replaced += 1
            try:
                await self._gemini.stores.delete_document(before.name)
            except Gone:
                pass
            except UpstreamError as problem:
                filled.failed.append((f"{document.name} (its old version)", problem.message))

    async def _uploaded(self, store: str, document: Document) -> str:
        tries = 0
        while True:
            file = await anyio.to_thread.run_sync(self._finder.open, document.path)
            try:
                return await self._gemini.stores.upload(
                    store, file, document.mime_type, document.name, document.hash
                )
            except (ConnectionLost, Unreachable, Unavailable, RateLimited) as problem:
                tries += 1
                if tries == TRIES or (isinstance(problem, RateLimited) and not problem.may_pass):
                    raise
                await self._sleep(float(2**tries))
            finally:
                file.close()
