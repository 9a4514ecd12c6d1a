"""Stores of documents made here, and which content of which file is in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..domain.file_search import KnownStore, StoredDocument
from .databases.database import Transaction
from .resource_owners import EVERYONE


class FileSearchRepository:
    """Each method is one transaction."""

    def __init__(
        self, read: Callable[..., Awaitable[Any]], write: Callable[..., Awaitable[Any]]
    ) -> None:
        self._read = read
        self._write = write

    async def add(self, name: str, short_name: str, now: float) -> bool:
        """False where a store of that short name is known already."""
        return bool(await self._write(_add, name, short_name, now))

    async def all(self) -> list[KnownStore]:
        found: list[KnownStore] = await self._read(_all)
        return found

    async def usable(self, owner: str) -> dict[str, str]:
        """What this owner may search: short and full names, each with the full one."""
        found: dict[str, str] = await self._read(_usable, owner)
        return found

    async def use(self, names: list[str], now: float) -> None:
        """They are searched or filled now."""
        await self._write(_use, names, now)

    async def forget(self, name: str) -> None:
        await self._write(_forget, name)

    async def documents(self, store: str) -> dict[str, StoredDocument]:
        """What is known to be in a store, by path."""
        found: dict[str, StoredDocument] = await self._read(_documents, store)
        return found

    async def put_document(
        self, store: str, document: StoredDocument, size: int, now: float
    ) -> None:
        await self._write(_put_document, store, document, size, now)

    async def drop_document(self, store: str, path: str) -> None:
        await self._write(_drop_document, store, path)


def _add(t: Transaction, name: str, short_name: str, now: float) -> bool:
    return bool(
        t.change(
            "INSERT INTO file_search_stores (name, short_name, created, used) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (name, short_name, float(now), float(now)),
        )
    )


def _all(t: Transaction) -> list[KnownStore]:
    found = t.execute(
        "SELECT name, short_name, created, used FROM file_search_stores ORDER BY short_name"
    )
    return [KnownStore(**row) for row in found]


def _usable(t: Transaction, owner: str) -> dict[str, str]:
    found = t.execute(
        "SELECT s.name, s.short_name FROM file_search_stores s WHERE EXISTS (SELECT 1 FROM "
        "known_names k WHERE k.name = s.name AND k.kind = 'store' AND k.owner IN (%s, %s))",
        (owner, EVERYONE),
    )
    return {key: row["name"] for row in found for key in (row["short_name"], row["name"])}


def _use(t: Transaction, names: list[str], now: float) -> None:
    for name in sorted(names):
        t.change("UPDATE file_search_stores SET used = %s WHERE name = %s", (float(now), name))


def _forget(t: Transaction, name: str) -> None:
    t.change("DELETE FROM file_search_documents WHERE store = %s", (name,))
    t.change("DELETE FROM file_search_stores WHERE name = %s", (name,))
    t.change("DELETE FROM known_names WHERE kind = 'store' AND name = %s", (name,))


def _documents(t: Transaction, store: str) -> dict[str, StoredDocument]:
    found = t.execute(
        "SELECT path, hash, document FROM file_search_documents WHERE store = %s", (store,)
    )
    return {row["path"]: StoredDocument(row["document"], row["path"], row["hash"]) for row in found}


def _put_document(
    t: Transaction, store: str, document: StoredDocument, size: int, now: float
) -> None:
    t.change(
        "INSERT INTO file_search_documents (store, path, hash, document, bytes, created) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (store, path) DO UPDATE SET "
        "hash = excluded.hash, document = excluded.document, bytes = excluded.bytes, "
        "created = excluded.created",
        (store, document.path, document.hash, document.name, size, float(now)),
    )


def _drop_document(t: Transaction, store: str, path: str) -> None:
    t.change("DELETE FROM file_search_documents WHERE store = %s AND path = %s", (store, path))
