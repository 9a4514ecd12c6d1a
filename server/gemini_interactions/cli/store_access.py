"""Store access of commands: opens the store, or says that there is none."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ..bridge.ports import Store
from ..components import open_store
from ..config.settings import Config
from ..domain.artifact import ArtifactKind
from ..domain.errors import Refused, UnknownId
from ..domain.ids import Id, read_id

OWNER = "local"
"""Whose things these are: what servers on this machine keep without tokens."""

NOTHING = "Nothing is kept here yet: no conversation was made with this data folder."


def exists(config: Config) -> bool:
    """Whether there is a database; looking into one that is missing would make it."""
    path = config.database_url.removeprefix("sqlite:///")
    return path == config.database_url or Path(path).exists()


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Store]:
    """The store; refuses where there is none."""
    if not exists(config):
        raise Refused(NOTHING)
    # The pool tells of every try it makes; the sentence at the end says it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    store = await open_store(config)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def made(config: Config) -> AsyncIterator[Store]:
    """The store, made where there is none yet."""
    store = await open_store(config)
    try:
        yield store
    finally:
        await store.close()


async def conversation_of(store: Store, text: str) -> tuple[Id, str]:
    """What an id names, and the conversation it is in; refuses unknown ones."""
    id = read_id(text)
    name = id.name
    if isinstance(id.kind, ArtifactKind):
        handle = await store.handle(OWNER, name)
        name = handle.conversation_id if handle else ""
    elif id.kind == "interaction":
        turn = await store.turn_of_interaction(OWNER, name)
        name = turn.conversation_id if turn else ""
    if not name or await store.conversation(OWNER, name) is None:
        raise UnknownId(
            f"There is no {id.kind} '{id}' here. `gemini-interactions-mcp history` lists what "
            "there is."
        )
    return id, name


def confirmed(question: str) -> bool:
    """Whether somebody at the terminal says yes; refuses where nobody is there."""
    if not sys.stdin.isatty():
        raise Refused("Nobody is here to confirm it. Pass --yes to delete without being asked.")
    try:
        answer = input(f"{printed(question)} [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def printed(text: str) -> str:
    """Text as it may go to standard output: a terminal is not to be steered by what was said."""
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "replace").decode(encoding)
    if not sys.stdout.isatty():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else "?" for each in text)
