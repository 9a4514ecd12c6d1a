"""`access`: the apps that people signed in, and how to end what one may do."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from ..bridge.history import when
from ..bridge.ports import Store
from ..config.settings import Config
from ..domain.errors import Refused
from ..domain.oauth_grants import Grant
from . import store_access

NOBODY = "Nothing is signed in."


def run(config: Config, what: str, id: str, owner: str) -> int:
    if what == "list" and id:
        raise Refused("access list takes no ID; access revoke does.")
    if what == "revoke" and not (id or owner):
        raise Refused("Name the ID that access list shows, or --owner NAME for all of theirs.")
    return anyio.run(_run, config, what, id, owner)


async def _run(config: Config, what: str, id: str, owner: str) -> int:
    if not store_access.exists(config):
        print(NOBODY)
        return 0
    async with store_access.opened(config) as store:
        found = await store.oauth_grants.grants(owner or None)
        if what == "revoke":
            return await _revoke(store, [each for each in found if id in ("", each.id)], id)
    if not found:
        print(NOBODY)
    for line in _table(found):
        print(store_access.printed(line))
    return 0


async def _revoke(store: Store, found: Sequence[Grant], id: str) -> int:
    if id and not found:
        raise Refused(f"There is no access '{id}' here. access list shows what there is.")
    for grant in found:
        await store.oauth_grants.revoke(grant.id)
        print(store_access.printed(f"Ended {grant.id}: {grant.client_name} for {grant.owner}."))
    if not found:
        print(NOBODY)
    return 0


def _table(found: Sequence[Grant]) -> list[str]:
    rows = [
        (each.id, each.owner, each.client_name, when(each.created), when(each.used))
        for each in found
    ]
    head = ("ID", "OWNER", "APP", "SIGNED IN", "LAST REFRESHED")
    table = [head, *rows] if rows else []
    widths = (
        [max(len(row[column]) for row in table) for column in range(len(head))] if table else []
    )
    return [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
