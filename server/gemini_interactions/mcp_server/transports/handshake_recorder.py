"""Records the answers that `recorded_handshake` gives, from the SDK itself.

`python -m gemini_interactions.mcp_server.transports.handshake_recorder` writes the recordings of
the package (`make docs` does). Lists are recorded once with all toolsets; each item says with
which of them it is there. A client's declarations that change an answer are its variants.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, jsonrpc_message_adapter

from ... import __version__
from ...app import App
from ...config.setting_values import TOOLSETS
from ...config.settings import Config
from ..server import build
from .recorded_handshake import (
    APPS,
    APPS_TYPE,
    CAPABILITIES_KEY,
    CLIENT_KEY,
    LEGACY,
    LISTS,
    MODERN,
    PLAIN_LISTS,
    TASKS,
    VERSION_KEY,
)

FOLDER = Path(__file__).parent / "recordings"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedClient:
    """A client whose answers are recorded: the name it gives itself, what it declares."""

    capabilities: Json = field(default_factory=dict)
    name: str = "recorder"


_APPS: Json = {APPS: {"mimeTypes": [APPS_TYPE]}}
_TASKS: Json = {TASKS: {}}
VARIANTS: dict[str, RecordedClient] = {
    "": RecordedClient(),
    "plain": RecordedClient(name=min(PLAIN_LISTS)),
    "apps": RecordedClient({"extensions": _APPS}),
    "tasks": RecordedClient({"extensions": _TASKS}),
    "apps+tasks": RecordedClient({"extensions": {**_APPS, **_TASKS}}),
}
"""By the name of the variant."""


def sdk() -> str:
    """The versions that an answer depends on."""
    return f"{__version__}+mcp-{version('mcp')}"


async def recordings(*, is_structured: bool) -> dict[str, Json]:
    """Every recording, by era."""
    config = replace(Config.read({}), structured=is_structured)
    return {
        "legacy": await _recording(config, LEGACY[-1]),
        "modern": await _recording(config, MODERN),
    }


async def _recording(config: Config, protocol: str) -> Json:
    items: list[Json] = []
    variants: dict[str, Json] = {}
    for name, client in VARIANTS.items():
        whole = await answers(config, TOOLSETS, protocol, client)
        answered: Json = {method: each for method, each in whole.items() if method not in LISTS}
        alone = {each: await answers(config, (each,), protocol, client) for each in TOOLSETS}
        none = await answers(config, (), protocol, client)
        for method, noun in LISTS.items():
            listed = []
            for item in whole[method][noun]:
                if item not in items:
                    items.append(item)
                with_it = [each for each in TOOLSETS if item in alone[each][method][noun]]
                always = item in none[method][noun]
                listed.append([items.index(item), [] if always else with_it])
            answered[method] = {**whole[method], noun: listed}
        variants[name] = answered
    return {"sdk": sdk(), "items": items, "variants": variants}


async def answers(
    config: Config, toolsets: tuple[str, ...], protocol: str, client: RecordedClient
) -> dict[str, Json]:
    """What the SDK answers to each request of a handshake, by method."""
    asked = _requests(protocol, client)
    found = await answers_to(asked, replace(config, toolsets=toolsets))
    return {message["method"]: found[message["id"]] for message in asked if "id" in message}


async def answers_to(messages: Sequence[Json], config: Config) -> dict[str | int, Json]:
    """What the SDK answers to messages of one client, each sent once the one before is answered:
    the results by the ids of the requests."""
    app = App(config)
    found: dict[str | int, Json] = {}
    send, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    outgoing, receive = anyio.create_memory_object_stream[SessionMessage](16)
    server = build(app)
    async with anyio.create_task_group() as tasks, send, receive:

        async def serve() -> None:
            await serve_dual_era_loop(
                server,
                incoming,
                outgoing,
                lifespan_state=app,
                init_options=server.create_initialization_options(),
            )

        tasks.start_soon(serve)
        for message in messages:
            await send.send(SessionMessage(jsonrpc_message_adapter.validate_python(message)))
            if "id" not in message:
                continue
            answer = (await receive.receive()).message
            assert isinstance(answer, JSONRPCResponse), answer  # noqa: S101  nothing else is asked
            written = json.loads(answer.model_dump_json(by_alias=True, exclude_unset=True))
            found[message["id"]] = written["result"]
        tasks.cancel_scope.cancel()
    return found


def _requests(protocol: str, client: RecordedClient) -> list[Json]:
    info = {"name": client.name, "version": "1"}
    if protocol == MODERN:
        meta = {
            VERSION_KEY: MODERN,
            CLIENT_KEY: info,
            CAPABILITIES_KEY: client.capabilities,
        }
        methods = ("server/discover", *LISTS)
        return [_request(method, {"_meta": meta}) for method in methods]
    hello = {"protocolVersion": protocol, "capabilities": client.capabilities, "clientInfo": info}
    return [
        _request("initialize", hello),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        *(_request(method, {}) for method in ("ping", *LISTS)),
    ]


def _request(method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": method, "method": method, "params": params}


def write(folder: Path, *, is_structured: bool) -> list[Path]:
    """Write the recordings of one kind; the files that changed. A reader sees the old file or
    the new one, never half of one."""
    kind = "structured" if is_structured else "plain"
    changed = []
    folder.mkdir(mode=0o700, exist_ok=True)
    made = anyio.run(partial(recordings, is_structured=is_structured))
    for era, recording in made.items():
        path = folder / f"{era}-{kind}.json"
        text = json.dumps(recording, ensure_ascii=False, separators=(",", ":")) + "\n"
        if path.exists() and path.read_text("utf-8") == text:
            continue
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        changed.append(path)
    return changed


def main() -> None:
    for is_structured in (False, True):
        write(FOLDER, is_structured=is_structured)


if __name__ == "__main__":
    main()
