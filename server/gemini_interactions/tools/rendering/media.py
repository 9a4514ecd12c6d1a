"""Speech, music and videos as a model gets them: id, format, length, size and place in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mcp_types as types

from ...bridge.requests import Reply
from ...domain.artifact import ArtifactKind
from ...domain.types import Artifact, Turn
from ..tool_definition import ToolContext
from . import result
from .image import placed, saved

KINDS = ("speech", "music", "video")
"""The kinds of turns that are shown here."""


async def render(reply: Reply, context: ToolContext, offset: int = 0) -> types.CallToolResult:
    """A turn that makes a file, as it stands."""
    turn, limits = reply.turn, context.limits
    files = await context.bridge.artifacts.files_of(turn)
    named = reply.artifact or await context.bridge.artifacts.named(turn)
    parts = result.parts_of(reply, limits)
    first = files[0] if files else named
    if first is None:
        return await result.present(parts, limits, offset)
    path = str(first.facts.get("path", "")) if limits.keep_whole is not None else ""
    facts = {**parts.facts, _key(first.kind): first.id, "path": path or None}
    said = list(parts.said)
    if not files and not turn.is_final:
        said = [f"{first.id} is being made; the work goes on in the server and at Google."]
    return await result.present(
        replace(
            parts,
            facts=facts,
            said=[*said, *placed(files, limits), *saved(turn, limits)],
            next_step=parts.next_step or _next_step(turn, files),
        ),
        limits,
        offset,
    )


def _key(kind: ArtifactKind) -> str:
    return f"{kind.value}_id"


def _next_step(turn: Turn, files: Sequence[Artifact]) -> str:
    """What to do with a file that is there."""
    if not files or not turn.is_final:
        return ""
    if turn.kind == "video":
        return (
            f'Edit it with gemini_generate_video and conversation_id "{files[0].id}"; ask about '
            "it with gemini_ask and its id in `files`."
        )
    return ""
