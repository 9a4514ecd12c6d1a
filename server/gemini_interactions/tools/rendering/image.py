"""A picture as a model gets it: its id, size and place in words, and a small preview to see.

Most come from the tool that draws; a question may be answered with some too, such as what code
that ran has plotted.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

import mcp_types as types

from ...bridge.artifacts.artifact_repository import ArtifactRepository, described
from ...bridge.requests import Reply
from ...domain.types import Artifact, Turn
from ..tool_definition import ToolContext
from . import result
from .result import ClientLimits

PREVIEWED = 4
"""How many pictures of one answer are shown; they share the size of one preview."""
PREVIEW_BYTES = 60_000


async def render(reply: Reply, context: ToolContext, offset: int = 0) -> types.CallToolResult:
    """An image turn as it stands."""
    limits = context.limits
    pictures = await context.bridge.artifacts.of(reply.turn)
    told = result.parts_of(reply, limits)
    if not pictures:
        return await result.present(told, limits, offset)
    first = pictures[0]
    facts = {
        **told.facts,
        "image_id": first.id,
        "path": first.facts["path"] if limits.keep_whole is not None else None,
    }
    return await result.present(
        replace(
            told,
            facts=facts,
            said=[*told.said, *placed(pictures, limits), *saved(reply.turn, limits)],
            notes=[*told.notes, *limits.page_line(first.id)],
            next_step=told.next_step or _edit(reply.turn, first),
            pictures=await previews(pictures, context.bridge.artifacts) if limits.previews else [],
        ),
        limits,
        offset,
    )


def _edit(turn: Turn, picture: Artifact) -> str:
    """What to do next with a picture that was asked for."""
    if turn.kind != "image":
        return ""
    return f'Edit it with gemini_generate_image and conversation_id "{picture.id}".'


async def previews(
    pictures: list[Artifact], repository: ArtifactRepository
) -> list[types.ImageContent]:
    """Small JPEGs of the first pictures; none for a file that is gone or broken."""
    shown = pictures[:PREVIEWED]
    small = [await repository.preview(each, PREVIEW_BYTES // len(shown)) for each in shown]
    return [
        types.ImageContent(data=base64.b64encode(each).decode(), mime_type="image/jpeg")
        for each in small
        if each
    ]


def saved(turn: Turn, limits: ClientLimits) -> list[str]:
    """Where copies were put; a client elsewhere learns no path of this machine."""
    shown = "path" if limits.keep_whole is not None else "name"
    return [f"Saved as {copy[shown]}" for copy in turn.extra.get("saved", ())]


def placed(pictures: Sequence[Artifact], limits: ClientLimits) -> list[str]:
    """Each file in a line, with where it is for this client."""
    lines = []
    for line, picture in zip(described(pictures), pictures, strict=True):
        if limits.keep_whole is not None:
            lines.append(f"{line}, {picture.facts['path']}")
        elif limits.link is not None:
            lines.append(f"{line}, {limits.link(picture.id)} (valid for 24 hours)")
        else:
            lines.append(line)
    return lines
