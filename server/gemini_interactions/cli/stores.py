"""`stores`: file search stores: create one, fill it from folders and patterns, list, delete."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import anyio

from ..bridge.file_search import Filled, Progress, StoreFiller
from ..bridge.history import when
from ..bridge.ports import Gemini, Store
from ..components import document_finder, gemini
from ..config.settings import Config
from ..domain.errors import Gone, Refused, UpstreamError, WrongKey
from ..domain.file_search import SHORT_NAME, KnownStore
from . import store_access
from .table import table

MOST_SHOWN = 50
WIDTH = 30


def run(
    config: Config,
    what: str,
    name: str,
    paths: Sequence[str],
    owner: str,
    *,
    everyone: bool,
    is_sure: bool,
) -> int:
    if what != "list" and not name:
        raise Refused(f"stores {what} needs the NAME of a store.")
    if what == "add" and not paths:
        raise Refused("stores add needs files, folders or patterns after the NAME.")
    if paths and what != "add":
        raise Refused(f"stores {what} takes no more than a NAME.")
    if owner and everyone:
        raise Refused("Pass --owner or --everyone, not both.")
    whose = "" if everyone else owner or None
    return anyio.run(_run, config, what, name, paths, whose, is_sure)


async def _run(
    config: Config, what: str, name: str, paths: Sequence[str], owner: str | None, is_sure: bool
) -> int:
    google = gemini(config)
    try:
        async with store_access.made(config) as store:
            match what:
                case "create":
                    return await _create(store, google, name, owner)
                case "add":
                    return await _add(config, store, google, name, paths)
                case "list":
                    return await _list(store, google, owner)
                case _:
                    return await _delete(store, google, name, is_sure)
    except UpstreamError as problem:
        raise Refused(problem.message) from None
    finally:
        await google.aclose()


async def _create(store: Store, google: Gemini, name: str, owner: str | None) -> int:
    if not SHORT_NAME.fullmatch(name):
        raise Refused("The NAME of a store has small letters, digits and dashes, at most 40.")
    whose = store_access.OWNER if owner is None else owner
    known = next((each for each in await store.file_search.all() if each.short_name == name), None)
    if known is not None:
        await store.names.grant(whose, "store", known.name, time.time())
        print(f"{name} was there already; it is for {whose or 'everyone'} too now.")
        return 0
    full = await google.stores.create(name)
    # From here on it is in our list, so that it can be seen and deleted.
    if not await store.file_search.add(full, name, time.time()):
        await google.stores.delete(full)
        raise Refused(f"A store {name} was made just now. stores list shows it.")
    await store.names.grant(whose, "store", full, time.time())
    print(f"Created {name} ({full}), for {whose or 'everyone'}. Fill it with: stores add {name} …")
    return 0


async def _add(
    config: Config, store: Store, google: Gemini, name: str, paths: Sequence[str]
) -> int:
    known = await _known(store, name)
    filler = StoreFiller(store, google, document_finder(config), time.time)
    bar = _Bar()
    try:
        filled = await filler.fill(known, paths, bar.show)
    except (Gone, WrongKey):
        raise Refused(
            f"Google has no store {name} any more. stores delete {name} forgets it."
        ) from None
    finally:
        bar.end()
    _tell(name, filled)
    return 1 if filled.failed else 0


def _tell(name: str, filled: Filled) -> None:
    sent = f"Sent {filled.sent} document{'s' * (filled.sent != 1)} ({filled.bytes:,} bytes)"
    replaced = f", {filled.replaced} of them anew" if filled.replaced else ""
    print(f"{sent}{replaced} to {name}; {filled.unchanged} had not changed.")
    for title, entries in (("Left out", filled.left_out), ("Failed", filled.failed)):
        for path, why in entries[:MOST_SHOWN]:
            print(store_access.printed(f"{title}: {path} ({why})"), file=sys.stderr)
        if len(entries) > MOST_SHOWN:
            print(f"{title}: {len(entries) - MOST_SHOWN} more", file=sys.stderr)


async def _list(store: Store, google: Gemini, owner: str | None) -> int:
    known = {each.name: each for each in await store.file_search.all()}
    holders = await store.names.holders("store")
    there = {each.name: each for each in await google.stores.all()}
    rows = []
    for full in sorted({*known, *there}, key=lambda full: _short(known.get(full)) or "~" + full):
        whose = holders.get(full, [])
        if owner is not None and owner not in whose:
            continue
        found, ours = there.get(full), known.get(full)
        rows.append(
            (
                _short(ours) or "(not made here)",
                ", ".join(each or "everyone" for each in whose),
                str(found.documents) if found else "gone at Google",
                f"{found.bytes:,}" if found else "",
                when(ours.used) if ours else "",
                full,
            )
        )
    if not rows:
        print("There are no stores. Make one with: stores create NAME")
        return 0
    for line in table(("NAME", "FOR", "DOCUMENTS", "BYTES", "LAST USED", "AT GOOGLE"), rows):
        print(store_access.printed(line))
    return 0


async def _delete(store: Store, google: Gemini, name: str, is_sure: bool) -> int:
    known = await _known(store, name)
    if not is_sure and not store_access.confirmed(f"Delete the store {name} with all in it?"):
        print("Nothing was deleted.")
        return 1
    try:
        await google.stores.delete(known.name)
    except (Gone, WrongKey):  # as Google says of a store that is not there
        if any(each.name == known.name for each in await google.stores.all()):
            raise
    await store.file_search.forget(known.name)
    print(f"Deleted {name} here and at Google.")
    return 0


async def _known(store: Store, name: str) -> KnownStore:
    for each in await store.file_search.all():
        if name in (each.short_name, each.name):
            return each
    raise Refused(f"There is no store '{name[:60]}' here. stores list shows those there are.")


def _short(known: KnownStore | None) -> str:
    return known.short_name if known is not None else ""


class _Bar:
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._longest = 0

    def show(self, progress: Progress) -> None:
        if not self._is_shown or not progress.total:
            return
        done = WIDTH * progress.done // progress.total
        name = store_access.printed(progress.name)[-40:]
        line = (
            f"[{'#' * done}{' ' * (WIDTH - done)}] {progress.done}/{progress.total} "
            f"{progress.bytes / 1e6:.1f} MB {name}"
        )
        self._longest = max(self._longest, len(line))
        sys.stderr.write(f"\r{line.ljust(self._longest)}")
        sys.stderr.flush()

    def end(self) -> None:
        if self._longest:
            sys.stderr.write(f"\r{' ' * self._longest}\r")
            sys.stderr.flush()
