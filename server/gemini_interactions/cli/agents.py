"""`agents`: the custom agents of the key: list, show, create from a file, test, delete."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from ..app import App
from ..bridge.ports import Gemini, Store
from ..bridge.requests import AgentRequest, Caller
from ..components import gemini
from ..config.settings import Config
from ..domain.errors import Gone, Refused, UpstreamError
from . import store_access
from .table import table

FIELDS = (
    *("id", "base_agent", "description", "system_instruction", "tools"),
    *("agent_config", "base_environment"),
)
TEST_PROMPT = "Say in one sentence who you are and what you are for. Change nothing."
LONGEST_FILE = 1_000_000
LOOK = 45.0


def run(config: Config, what: str, id: str, owner: str, *, everyone: bool, is_sure: bool) -> int:
    if what != "list" and not id:
        raise Refused(f"agents {what} needs {'a FILE' if what == 'create' else 'an ID'}.")
    if owner and everyone:
        raise Refused("Pass --owner or --everyone, not both.")
    return anyio.run(_run, config, what, id, "" if everyone else owner or None, is_sure)


async def _run(config: Config, what: str, id: str, owner: str | None, is_sure: bool) -> int:
    google = gemini(config)
    try:
        match what:
            case "list":
                return await _list(config, google, owner)
            case "show":
                print(store_access.printed(_json(await google.environments.agent(id))))
                return 0
            case "create":
                return await _create(config, google, id, owner)
            case "test":
                return await _test(config, id, owner)
            case _:
                return await _delete(config, google, id, is_sure)
    except Gone:
        raise Refused(
            f"There is no agent '{id}' at Google. agents list shows those there are."
        ) from None
    except UpstreamError as problem:
        raise Refused(problem.message) from None
    finally:
        await google.aclose()


async def _list(config: Config, google: Gemini, owner: str | None) -> int:
    found = await google.environments.agents()
    holders: Mapping[str, Sequence[str]] = {}
    if store_access.exists(config):
        async with store_access.opened(config) as store:
            holders = await store.names.holders("agent")
    rows = [
        (each.id, each.base_agent or "Google's own", _named(holders, each.id), each.description)
        for each in found
        if owner is None or owner in holders.get(each.id, ()) or not each.base_agent
    ]
    for line in table(("ID", "BASE", "FOR", "DESCRIPTION"), rows):
        print(store_access.printed(line))
    return 0


def _named(holders: Mapping[str, Sequence[str]], id: str) -> str:
    return ", ".join(each or "everyone" for each in holders.get(id, ()))


async def _create(config: Config, google: Gemini, file: str, owner: str | None) -> int:
    definition = _definition(file)
    made = await google.environments.create_agent(definition)
    id = str(made.get("id") or definition["id"])
    async with store_access.made(config) as store:
        await _grant(store, owner, id)
    whose = "everyone" if owner == "" else owner or store_access.OWNER
    print(store_access.printed(f"Created {id}, for {whose}. Try it with: agents test {id}"))
    return 0


async def _grant(store: Store, owner: str | None, id: str) -> None:
    whose = store_access.OWNER if owner is None else owner
    await store.names.grant(whose, "agent", id, time.time())


def _definition(file: str) -> dict[str, Any]:
    """The definition in a JSON file, or on standard input (`-`)."""
    try:
        if file == "-":
            text = sys.stdin.read(LONGEST_FILE + 1)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                text = opened.read(LONGEST_FILE + 1)
    except (OSError, UnicodeDecodeError):
        raise Refused(f"'{os.path.basename(file)}' cannot be read.") from None
    try:
        definition = json.loads(text) if len(text) <= LONGEST_FILE else None
    except (ValueError, RecursionError):
        definition = None
    if not isinstance(definition, dict):
        raise Refused(f"'{os.path.basename(file)}' is no JSON object that defines an agent.")
    unknown = [str(name)[:40] for name in definition if name not in FIELDS]
    if unknown:
        raise Refused(f"An agent has no {', '.join(unknown)}. It takes: {', '.join(FIELDS)}.")
    for name in ("id", "base_agent"):
        if not isinstance(definition.get(name), str) or not definition[name]:
            raise Refused(f"The definition needs `{name}`, a text.")
    return definition


async def _test(config: Config, id: str, owner: str | None) -> int:
    """Run it once, as a tool would: the run is kept, booked and found in the history."""
    app = App(config)
    async with app.running():
        bridge = await app.bridge()
        caller = Caller(owner=owner or store_access.OWNER)
        reply = await bridge.agents.run(caller, AgentRequest(TEST_PROMPT, agent=id))
        turn = reply.turn
        while not turn.is_final:
            print(store_access.printed(f"{turn.id}: {bridge.agents.doing(turn)}"), file=sys.stderr)
            caller = Caller(owner=caller.owner)
            turn = (await bridge.conversations.result(caller, turn.id, LOOK)).turn
    text = turn.text or (turn.error or {}).get("message", "") or turn.status
    print(store_access.printed(text))
    return 0 if turn.status == "completed" else 1


async def _delete(config: Config, google: Gemini, id: str, is_sure: bool) -> int:
    if not is_sure and not store_access.confirmed(f"Delete the agent {id} at Google?"):
        print("Nothing was deleted.")
        return 1
    await google.environments.delete_agent(id)
    if store_access.exists(config):
        async with store_access.opened(config) as store:
            await store.names.forget("agent", id)
    print(store_access.printed(f"Deleted {id} at Google."))
    return 0


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
