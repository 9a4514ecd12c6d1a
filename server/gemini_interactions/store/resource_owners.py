"""Names at Google that were given to owners: custom agents, stores of documents.

The owner "" stands for everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .databases.database import Transaction

EVERYONE = ""


class ResourceOwners:
    """Each method is one transaction; `kind` is "agent" or "store"."""

    def __init__(
        self, read: Callable[..., Awaitable[Any]], write: Callable[..., Awaitable[Any]]
    ) -> None:
        self._read = read
        self._write = write

    async def grant(self, owner: str, kind: str, name: str, now: float) -> None:
        await self._write(_grant, owner, kind, name, now)

    async def granted(self, owner: str, kind: str) -> set[str]:
        """What this owner may use, what everybody may use included."""
        found: set[str] = await self._read(_granted, owner, kind)
        return found

    async def holders(self, kind: str) -> dict[str, list[str]]:
        """Who may use each name."""
        found: dict[str, list[str]] = await self._read(_holders, kind)
        return found

    async def forget(self, kind: str, name: str) -> None:
        await self._write(_forget, kind, name)


def _grant(t: Transaction, owner: str, kind: str, name: str, now: float) -> None:
    t.change(
        "INSERT INTO known_names (owner, name, kind, created) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (owner, name) DO NOTHING",
        (owner, name, kind, float(now)),
    )


def _granted(t: Transaction, owner: str, kind: str) -> set[str]:
    found = t.execute(
        "SELECT name FROM known_names WHERE owner IN (%s, '') AND kind = %s", (owner, kind)
    )
    return {row["name"] for row in found}


def _holders(t: Transaction, kind: str) -> dict[str, list[str]]:
    holders: dict[str, list[str]] = {}
    for row in t.execute(
        "SELECT name, owner FROM known_names WHERE kind = %s ORDER BY name, owner", (kind,)
    ):
        holders.setdefault(row["name"], []).append(row["owner"])
    return holders


def _forget(t: Transaction, kind: str, name: str) -> None:
    t.change("DELETE FROM known_names WHERE kind = %s AND name = %s", (kind, name))
