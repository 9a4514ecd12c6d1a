"""Environments at Google that agents of an owner work in, and the runs there were."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ..domain.agent_environments import AgentRun, Environment
from . import row_mapping
from .databases.database import Row, Transaction, Value
from .row_mapping import EVERYTHING

_COLUMNS = "id, owner, conversation_id, created, used, has_files"


class EnvironmentRepository:
    """Each method is one transaction."""

    def __init__(
        self, read: Callable[..., Awaitable[Any]], write: Callable[..., Awaitable[Any]]
    ) -> None:
        self._read = read
        self._write = write

    async def add(
        self, owner: str, id: str, conversation_id: str, *, has_files: bool, now: float
    ) -> None:
        """An environment that is used now; once it has files, it has."""
        await self._write(_add, owner, id, conversation_id, has_files, now)

    async def find(self, owner: str, id: str) -> Environment | None:
        found: Environment | None = await self._read(_find, owner, id)
        return found

    async def of_conversation(self, owner: str, conversation_id: str) -> list[Environment]:
        found: list[Environment] = await self._read(_of_conversation, owner, conversation_id)
        return found

    async def of_owner(self, owner: str) -> list[Environment]:
        """All of them, the last used first."""
        found: list[Environment] = await self._read(_of_owner, owner)
        return found

    async def orphans(self, before: float) -> list[Environment]:
        """Those whose conversation was deleted, and those last used before then."""
        found: list[Environment] = await self._read(_orphans, before)
        return found

    async def forget(self, owner: str, id: str) -> None:
        await self._write(_forget, owner, id)

    async def runs(
        self, owner: str, *, query: str = "", limit: int, offset: int = 0
    ) -> list[AgentRun]:
        """Runs of agents, newest first; `query` is found literally in prompts and answers."""
        found: list[AgentRun] = await self._read(_runs, owner, query, limit, offset)
        return found

    async def count_runs(self, owner: str, query: str = "", most: int = EVERYTHING) -> int:
        found: int = await self._read(_count_runs, owner, query, most)
        return found


def _add(
    t: Transaction, owner: str, id: str, conversation_id: str, has_files: bool, now: float
) -> None:
    t.change(
        f"INSERT INTO environments ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (owner, id) DO UPDATE SET used = excluded.used, has_files = "
        "CASE WHEN environments.has_files > excluded.has_files THEN environments.has_files "
        "ELSE excluded.has_files END",
        (id, owner, conversation_id, float(now), float(now), int(has_files)),
    )


def _find(t: Transaction, owner: str, id: str) -> Environment | None:
    found = t.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE owner = %s AND id = %s", (owner, id)
    )
    return _environment(found[0]) if found else None


def _of_conversation(t: Transaction, owner: str, conversation_id: str) -> list[Environment]:
    found = t.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE conversation_id = %s AND owner = %s "
        "ORDER BY created, id",
        (conversation_id, owner),
    )
    return [_environment(row) for row in found]


def _of_owner(t: Transaction, owner: str) -> list[Environment]:
    found = t.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE owner = %s ORDER BY used DESC, id", (owner,)
    )
    return [_environment(row) for row in found]


def _orphans(t: Transaction, before: float) -> list[Environment]:
    found = t.execute(
        f"SELECT {_COLUMNS} FROM environments WHERE used < %s OR NOT EXISTS "
        "(SELECT 1 FROM conversations c WHERE c.id = environments.conversation_id) "
        "ORDER BY used LIMIT 100",
        (float(before),),
    )
    return [_environment(row) for row in found]


def _forget(t: Transaction, owner: str, id: str) -> None:
    t.change("DELETE FROM environments WHERE owner = %s AND id = %s", (owner, id))


def _runs(t: Transaction, owner: str, query: str, limit: int, offset: int) -> list[AgentRun]:
    where, values = _matching(owner, query)
    found = t.execute(
        "SELECT conversation_id, n, created, SUBSTR(prompt, 1, 500) AS prompt, status, model, "
        f"settings, extra FROM turns WHERE {where} "
        "ORDER BY created DESC, conversation_id DESC, n DESC LIMIT %s OFFSET %s",
        (*values, limit, offset),
    )
    return [_run(row) for row in found]


def _count_runs(t: Transaction, owner: str, query: str, most: int) -> int:
    where, values = _matching(owner, query)
    return row_mapping.count(t, f"turns WHERE {where}", values, most)


def _matching(owner: str, query: str) -> tuple[str, tuple[Value, ...]]:
    ours = "turns.owner = %s AND turns.kind = 'agent'"
    sought = row_mapping.folded(query)
    if not sought:
        return ours, (owner,)
    return (
        f"{ours} AND EXISTS (SELECT 1 FROM words w WHERE w.conversation_id = turns.conversation_id "
        "AND w.n = turns.n AND "
        "(REPLACE(w.prompt, %s, '') <> w.prompt OR REPLACE(w.answer, %s, '') <> w.answer))",
        (owner, sought, sought),
    )


def _environment(row: Row) -> Environment:
    return Environment(**{**row, "has_files": bool(row["has_files"])})


def _run(row: Row) -> AgentRun:
    extra, settings = json.loads(row["extra"]), json.loads(row["settings"])
    return AgentRun(
        row["conversation_id"],
        row["n"],
        row["created"],
        row["prompt"],
        row["status"],
        row["model"] or str(settings.get("model", "")),
        str(extra.get("environment_id") or ""),
    )
