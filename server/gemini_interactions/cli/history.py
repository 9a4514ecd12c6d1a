"""`history`: the conversations there are, newest first."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import anyio

from ..bridge.history import when
from ..bridge.ports import Store, Summary
from ..config.settings import Config
from . import store_access

WIDTH = 100
"""Where standard output is no terminal."""


def run(config: Config, query: str, limit: int) -> int:
    return anyio.run(_run, config, query, limit)


async def _run(config: Config, query: str, limit: int) -> int:
    if not store_access.exists(config):
        print(store_access.NOTHING)
        return 0
    async with store_access.opened(config) as store:
        found = await store.conversations(store_access.OWNER, query=query, limit=limit, offset=0)
        total = await store.count_conversations(store_access.OWNER, query)
        kept = await _at_google(store)
    if not found:
        print(f'No conversation has "{query}" in it.' if query else store_access.NOTHING)
        return 0
    for line in _table(found):
        print(store_access.printed(line))
    if total > len(found):
        print(f"{len(found)} of {total:,}; --limit shows more.", file=sys.stderr)
    if kept:
        print(f"Also kept at Google: {kept}.", file=sys.stderr)
    return 0


async def _at_google(store: Store) -> str:
    """What else of this owner's is at Google: environments of agents, stores of documents."""
    environments = len(await store.environments.of_owner(store_access.OWNER))
    stores = len(await store.file_search.all())
    parts = [
        f"{environments} environment{'s' * (environments != 1)} of agents" if environments else "",
        f"{stores} store{'s' * (stores != 1)} of documents (`stores list`)" if stores else "",
    ]
    return " and ".join(part for part in parts if part)


def _table(found: Sequence[Summary]) -> list[str]:
    width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
    head = _row("ID", "TURNS", "LAST ACTIVITY", "STATUS", "FIRST PROMPT", width)
    rows = [
        _row(
            each.id,
            str(each.turns),
            when(each.updated),
            each.last_status,
            " ".join(each.first_prompt.split()),
            width,
        )
        for each in found
    ]
    return [head, *rows]


def _row(id: str, turns: str, last: str, status: str, prompt: str, width: int) -> str:
    line = f"{id:<12}  {turns:>5}  {last:<20}  {status:<15}  {prompt}"
    return line if len(line) <= width else line[: width - 1] + "…"
