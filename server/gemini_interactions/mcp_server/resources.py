"""Resources: what people attach to a prompt, each kind under a `gemini://` address of its own.

A kind is one entry of `KINDS`. Those whose address has an `{id}` are templates, whose ids are
their owner's alone: somebody else's reads like an unknown one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_to_bytes

import mcp_types as types

from ..app import App
from ..bridge.history import document, iso
from ..bridge.requests import Caller
from ..domain.artifact import ArtifactKind
from ..domain.errors import UnknownId

MARKDOWN = "text/markdown"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and where."""

    owner: str
    app: App


Read = Callable[[Reader, str], Awaitable[str | bytes]]
Complete = Callable[[Reader, str], Awaitable[list[str]]]
"""At most `MOST` values that begin as the given one does, the likeliest first."""

MOST = 101
"""One more than a client is shown, which tells whether there are more."""


@dataclass(frozen=True)
class ResourceKind:
    """One kind of resource; one with a `toolset` is there where that is offered."""

    address: str
    name: str
    title: str
    description: str
    read: Read
    complete: Complete | None = None
    mime_type: str = MARKDOWN
    toolset: str = ""

    @property
    def is_template(self) -> bool:
        return "{id}" in self.address

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        before, _, after = self.address.partition("{id}")
        middle = "(.+)" if self.is_template else "()"
        return re.compile(f"{re.escape(before)}{middle}{re.escape(after)}/?", re.IGNORECASE)

    def id_in(self, uri: str) -> str | None:
        """The id an address of this kind names, decoded once ("" where it has none); else None."""
        found = self._pattern.fullmatch(uri)
        if found is None:
            return None
        try:
            return unquote_to_bytes(found[1]).decode()
        except UnicodeDecodeError:
            return None

    @cached_property
    def listed(self) -> types.Resource:
        return types.Resource(
            uri=self.address,
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=self.mime_type,
        )

    @cached_property
    def template(self) -> types.ResourceTemplate:
        return types.ResourceTemplate(
            uri_template=self.address,
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=self.mime_type,
        )


async def conversation_ids(reader: Reader, begun: str) -> list[str]:
    bridge = await reader.app.bridge()
    return await bridge.conversations.ids(reader.owner, "conversation", begun, MOST)


async def _conversation(reader: Reader, id: str) -> str:
    bridge = await reader.app.bridge()
    return document(*await bridge.conversations.transcript(Caller(owner=reader.owner), id))


async def research_ids(reader: Reader, begun: str) -> list[str]:
    bridge = await reader.app.bridge()
    return await bridge.conversations.ids(reader.owner, ArtifactKind.RESEARCH, begun, MOST)


async def _report(reader: Reader, id: str) -> str:
    return await (await reader.app.bridge()).researches.report(reader.owner, id)


async def image_ids(reader: Reader, begun: str) -> list[str]:
    bridge = await reader.app.bridge()
    return await bridge.conversations.ids(reader.owner, ArtifactKind.IMAGE, begun, MOST)


async def _preview(reader: Reader, id: str) -> bytes:
    repository = (await reader.app.bridge()).artifacts
    preview = await repository.preview(await repository.find(reader.owner, id))
    if not preview:
        raise UnknownId(f"The file of {id} is gone.")
    return preview


async def audio_ids(reader: Reader, begun: str) -> list[str]:
    bridge = await reader.app.bridge()
    return await bridge.conversations.ids(reader.owner, ArtifactKind.AUDIO, begun, MOST)


async def video_ids(reader: Reader, begun: str) -> list[str]:
    bridge = await reader.app.bridge()
    return await bridge.conversations.ids(reader.owner, ArtifactKind.VIDEO, begun, MOST)


async def _audio(reader: Reader, id: str) -> str:
    return await _facts(reader, id, ArtifactKind.AUDIO)


async def _video(reader: Reader, id: str) -> str:
    return await _facts(reader, id, ArtifactKind.VIDEO)


async def _facts(reader: Reader, id: str, kind: ArtifactKind) -> str:
    """What there is to know of a file, as JSON; never where it is on this machine."""
    bridge = await reader.app.bridge()
    made = await bridge.artifacts.find(reader.owner, id, kind)
    shown = ("mime_type", "bytes", "seconds", "width", "height")
    facts = {name: made.facts[name] for name in shown if made.facts.get(name)}
    place = {"id": made.id, "conversation_id": made.conversation_id, "turn": made.n}
    return json.dumps({**place, **facts, "created": iso(made.created)}, indent=2)


async def _models(reader: Reader, _: str) -> str:
    return await reader.app.models.as_text()


async def _agents(reader: Reader, _: str) -> str:
    return await (await reader.app.bridge()).agents.as_text(reader.owner)


async def _agent(reader: Reader, id: str) -> str:
    return await (await reader.app.bridge()).agents.definition(reader.owner, id)


async def agent_ids(reader: Reader, begun: str) -> list[str]:
    found = await (await reader.app.bridge()).agents.listed(reader.owner)
    return [each.id for each in found if each.id.startswith(begun.strip())][:MOST]


async def _usage(reader: Reader, _: str) -> str:
    return await (await reader.app.bridge()).budget.as_text(reader.owner)


KINDS: tuple[ResourceKind, ...] = (
    ResourceKind(
        "gemini://models",
        "models",
        "Gemini models",
        "Model ids, aliases, thinking levels and prices, and which this server's key may use.",
        _models,
    ),
    ResourceKind(
        "gemini://agents",
        "agents",
        "Gemini agents",
        "The agents that gemini_run_agent can run with this server's key, custom ones included.",
        _agents,
        toolset="agents",
    ),
    ResourceKind(
        "gemini://agents/{id}",
        "agent",
        "Gemini agent",
        "The definition of one agent.",
        _agent,
        agent_ids,
        toolset="agents",
    ),
    ResourceKind(
        "gemini://usage",
        "usage",
        "Gemini usage",
        "Your tokens and estimated cost by day and model, and what is left of daily limits.",
        _usage,
    ),
    ResourceKind(
        "gemini://conversations/{id}",
        "conversation",
        "Gemini conversation",
        "The transcript of one conversation (c_…).",
        _conversation,
        conversation_ids,
    ),
    ResourceKind(
        "gemini://research/{id}/report",
        "research_report",
        "Deep Research report",
        "The finished report of one research (r_…), with its sources.",
        _report,
        research_ids,
        toolset="research",
    ),
    ResourceKind(
        "gemini://images/{id}",
        "image",
        "Gemini image",
        "A small preview of one image (i_…); the whole file is where it was put.",
        _preview,
        image_ids,
        mime_type="image/jpeg",
    ),
    ResourceKind(
        "gemini://audio/{id}",
        "audio",
        "Gemini audio",
        "Format, length and size of one speech or piece of music (a_…).",
        _audio,
        audio_ids,
        mime_type="application/json",
        toolset="media",
    ),
    ResourceKind(
        "gemini://video/{id}",
        "video",
        "Gemini video",
        "Format, pixels, length and size of one video (v_…).",
        _video,
        video_ids,
        mime_type="application/json",
        toolset="media",
    ),
)
