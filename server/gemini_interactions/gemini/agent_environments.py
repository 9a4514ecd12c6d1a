"""Agents and environments at Google: custom agents, sandboxes, and the files in these.

Google's answers are read as the JSON they are, past the SDK's models: a path in them may be
anything, and a type nobody knows must not cost the rest of a list.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import anyio

from gemini_interactions.domain.agent_environments import AgentDefinition, EnvironmentFile
from gemini_interactions.domain.errors import BadArgument, Garbled, TimedOut
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates
from gemini_interactions.gemini import error_mapping
from gemini_interactions.interactions.json_values import as_text, objects_in

_SHORT = 60.0
_SILENT = 120.0
_MOST_PAGES = 50
_PAGE = 1000
_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


class _Pieces:
    """What the SDK writes a download to, piece by piece."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write

    async def write(self, piece: bytes) -> None:
        await self._write(piece)


class AgentEnvironments:
    """Google's side of agents. Every failure is an `UpstreamError`, or `NoKey`.

    `connected` hands out the SDK's client by a deadline of the loop's clock; `version` is that of
    the API these are served by.
    """

    def __init__(self, connected: Callable[[float], Awaitable[Any]], version: str) -> None:
        self._connected = connected
        self._version = version

    # Agents

    async def agents(self) -> list[AgentDefinition]:
        """Every agent of this key, Google's own among them where Google lists them."""
        pages = await self._pages("agents", "list", "agents")
        return [agent for each in pages if (agent := _agent(each)) is not None]

    async def agent(self, id: str) -> dict[str, Any]:
        """The whole definition of one."""
        return await self._asked("agents", "get", id=_plain(id))

    async def create_agent(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        return await self._asked("agents", "create", **definition)

    async def delete_agent(self, id: str) -> None:
        await self._asked("agents", "delete", id=_plain(id))

    # Environments

    async def environment(self, id: str) -> dict[str, Any]:
        return await self._asked("environments", "get_environment", id=_plain(id))

    async def delete_environment(self, id: str) -> None:
        await self._asked("environments", "delete_environment", id=_plain(id))

    async def files(
        self, id: str, path: str = "", *, recursive: bool = True
    ) -> list[EnvironmentFile]:
        """What a folder of an environment's newest snapshot holds, or the one file it names."""
        pages = await self._pages(
            "environments.files",
            "list",
            "files",
            environment=_plain(id),
            path=_in_address(path),
            recursive=recursive,
            page_size=_PAGE,
        )
        return [file for each in pages if (file := _file(each)) is not None]

    async def download(self, id: str, path: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        """The bytes of one file, handed over piece by piece."""
        client = await self._connected(anyio.current_time() + _SHORT)
        address = f"environments/{_plain(id)}/files/{_in_address(path)}?alt=media"
        deadline = anyio.current_time() + _SILENT
        with anyio.CancelScope(deadline=deadline) as scope, error_mapping.mapped_errors():

            async def heard(piece: bytes) -> None:
                await write(piece)
                scope.deadline = anyio.current_time() + _SILENT

            # The SDK's own `download` has all of the file in memory: this is what it calls.
            api = _resource(client, "environments.files")._api_client
            await api.async_download_file(
                address,
                http_options={"api_version": self._version} if self._version else None,
                destination=_Pieces(heard),
            )
            return
        raise TimedOut()

    # Asking

    async def _pages(
        self, resource: str, method: str, noun: str, **named: Any
    ) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        token = ""
        for _ in range(_MOST_PAGES):
            more = {"page_token": token} if token else {}
            page = await self._asked(resource, method, **named, **more)
            found += objects_in(page.get(noun))
            following = as_text(page.get("next_page_token"))
            if not following or following == token:
                break
            token = following
        return found

    async def _asked(self, resource: str, method: str, **named: Any) -> dict[str, Any]:
        """One request, and the JSON object it is answered with."""
        client = await self._connected(deadline := anyio.current_time() + _SHORT)
        if self._version:
            named["api_version"] = self._version
        with anyio.CancelScope(deadline=deadline), error_mapping.mapped_errors():
            asking = _resource(client, resource).with_streaming_response
            async with getattr(asking, method)(**named) as answer:
                body = await answer.read()
                if not 200 <= answer.status_code < 300:
                    raise error_mapping.answered(answer.status_code, None, dict(answer.headers))
                if not body:
                    return {}
                try:
                    said = replace_lone_surrogates(await answer.json())
                except (ValueError, RecursionError):
                    raise Garbled(status=200) from None
            if not isinstance(said, dict):
                raise Garbled(status=200)
            return said
        raise TimedOut()


def _resource(client: Any, name: str) -> Any:
    """A part of the SDK's client; it warns that these are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = client.aio
        for part in name.split("."):
            found = getattr(found, part)
        return found


def _in_address(path: str) -> str:
    """A path as an address takes it; the SDK puts paths into addresses as they are."""
    return quote(path, safe="/")


def _plain(id: str) -> str:
    """The id itself; the SDK puts ids into addresses as they are."""
    if not _ID.fullmatch(id):
        raise BadArgument(f"'{id[:40]}' is no id of an agent or environment at Google.")
    return id


def _agent(said: Mapping[str, Any]) -> AgentDefinition | None:
    id = as_text(said.get("id"))
    if not _ID.fullmatch(id):
        return None
    return AgentDefinition(id, as_text(said.get("description")), as_text(said.get("base_agent")))


def _file(said: Mapping[str, Any]) -> EnvironmentFile | None:
    path = as_text(said.get("path")) or as_text(said.get("name"))
    if not path:
        return None
    kind = as_text(said.get("type")) or "file"
    size = said.get("size_bytes")
    digits = str(size) if isinstance(size, int | str) and not isinstance(size, bool) else ""
    count = int(digits[:18]) if digits.isascii() and digits.isdigit() else 0
    return EnvironmentFile(path, kind, count, as_text(said.get("mime_type")))
