"""An agent's run as a model gets it: how it stands, what it did, where its files are."""

from __future__ import annotations

from dataclasses import replace

import mcp_types as types

from ...bridge.requests import Reply
from ...domain.types import Turn
from ..registry import ToolContext
from . import result
from .image import placed, previews


async def told(reply: Reply, use: ToolContext, offset: int = 0) -> types.CallToolResult:
    """A run as it stands."""
    turn, room = reply.turn, use.room
    parts = result.told_of(reply, room)
    said = list(parts.said)
    if not turn.is_final:
        said = [f"The agent is at work ({use.bridge.agents.doing(turn)})."]
    pictures = await use.bridge.artifacts.of(turn)
    parts = replace(
        parts,
        said=[*said, *placed(pictures, room)],
        next_step=_next_step(turn) or parts.next_step,
        pictures=await previews(pictures, use.bridge.artifacts) if pictures else (),
    )
    return await result.present(parts, room, offset)


def _next_step(turn: Turn) -> str:
    has_environment = bool(turn.extra.get("environment_id"))
    again = f'gemini_run_agent with conversation_id "{turn.conversation_id}"'
    match turn.status:
        case "incomplete":
            return f"Go on with {again} and a larger max_total_tokens."
        case "completed" | "cancelled" if has_environment:
            return f"Go on with {again}."
        case "failed" if has_environment:
            return f"Its environment is kept: try again with {again}."
        case "interrupted":
            return "Send it again with gemini_run_agent if it is still wanted."
        case _:
            return ""
