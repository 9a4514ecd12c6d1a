"""Tools for views alone: what a view of MCP Apps shows, as JSON. Models never see them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import mcp_types as types

from ..bridge.artifacts.artifact_repository import shape
from ..bridge.ports import ArtifactSummary
from ..bridge.requests import ResearchStatus
from ..bridge.research import report
from ..bridge.usage.usage_budget import price
from ..domain.types import Artifact, Turn
from .parameter_types import ViewedId
from .tool_definition import ToolContext, tool

MOST_TURNS = 200
MOST_VERSIONS = 50


@tool("Research for a view", toolset="research", read_only=True, is_for_views=True)
async def gemini_view_research(context: ToolContext, research_id: ViewedId) -> types.CallToolResult:
    """How a research stands, for its view."""
    return _json(research(await context.bridge.researches.status(context.caller, research_id)))


def research(status: ResearchStatus) -> dict[str, Any]:
    """What the research view shows, but for the report."""
    turn = status.turn
    is_plan = turn.status == "plan_ready"
    return {
        "id": status.handle.id,
        "conversation_id": turn.conversation_id,
        "turn": turn.n,
        "question": report.question(turn),
        "status": turn.status,
        "elapsed": status.elapsed,
        "doing": status.doing,
        "plan": turn.text if is_plan else "",
        "can_approve": is_plan or status.has_plan,
        "has_report": turn.status in ("completed", "incomplete") and bool(turn.text),
        "charts": [each.id for each in status.charts],
        "note": (turn.error or {}).get("message", "") or " ".join(turn.notes),
    }


@tool("Pictures for a view", toolset="images", read_only=True, is_for_views=True)
async def gemini_view_images(context: ToolContext, id: ViewedId) -> types.CallToolResult:
    """The pictures of a conversation, for their view."""
    current, versions = await context.bridge.artifacts.versions(
        context.caller.owner, id, MOST_VERSIONS
    )
    return _json(repository(current, versions, partial(_where, context)))


def repository(
    current: Artifact, versions: Sequence[ArtifactSummary], where: Callable[[Artifact], str]
) -> dict[str, Any]:
    """What the gallery view shows of versions, the newest first; `where` says where a file is."""
    before = next((each.handle.id for each in versions if each.handle.n < current.n), "")
    return {
        "current": current.id,
        "before": before,
        "versions": [
            {
                "id": each.handle.id,
                "prompt": each.prompt,
                "shape": shape(each.handle.facts),
                "where": where(each.handle),
            }
            for each in reversed(versions)
        ],
    }


@tool("Usage for a view", toolset="", read_only=True, is_for_views=True)
async def gemini_view_usage(
    context: ToolContext, conversation_id: ViewedId = ""
) -> types.CallToolResult:
    """Tokens and estimated cost of a conversation and of the day, for their view."""
    conversation = None
    if conversation_id:
        conversation = usage(
            await context.bridge.conversations.turns(context.caller, conversation_id)
        )
    return _json(
        {
            "conversation": conversation,
            "today": await context.bridge.budget.today(context.caller.owner),
        }
    )


def usage(turns: Sequence[Turn]) -> dict[str, Any]:
    """What the usage view shows of a conversation."""
    lines = [_usage(each) for each in turns]
    priced = [each["usd"] for each in lines if each["usd"] is not None]
    return {
        "id": turns[0].conversation_id,
        "tokens": sum(each["tokens"] for each in lines),
        "usd": sum(priced) if priced else None,
        "unpriced": sum(each["tokens"] > 0 and each["usd"] is None for each in lines),
        "turns": lines[-MOST_TURNS:],
    }


def _usage(turn: Turn) -> dict[str, Any]:
    return {
        "turn": turn.n,
        "kind": turn.kind,
        "status": turn.status,
        "model": turn.model or turn.settings.model,
        "tokens": turn.usage.total if turn.usage else 0,
        "usd": price(turn.model or turn.settings.model, turn.usage, turn.created),
    }


def _where(context: ToolContext, picture: Artifact) -> str:
    if context.limits.keep_whole is not None:
        return str(picture.facts["path"])
    return context.limits.link(picture.id) if context.limits.link is not None else ""


def _json(value: Mapping[str, Any]) -> types.CallToolResult:
    text = json.dumps(value, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)])
