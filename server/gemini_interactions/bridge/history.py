"""History: what there is to continue, for a model whose context was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..interactions import Turn
from .ports import HandleSummary, Summary


@dataclass(frozen=True, slots=True)
class Listing:
    """Some entries of a list: one line each, where they begin, and how many there are in all."""

    lines: Sequence[str]
    offset: int
    total: int
    query: str = ""
    kind: str = "conversations"
    entries: Sequence[Mapping[str, Any]] = ()
    """The same for programs, entry by entry."""


def line(summary: Summary) -> str:
    """One conversation: id, size, last activity, state, how it began."""
    turns = "1 turn" if summary.turns == 1 else f"{summary.turns} turns"
    prompt = " ".join(summary.first_prompt.split())
    prompt = prompt if len(prompt) <= 100 else prompt[:99] + "…"
    state = "" if summary.last_status == "completed" else f" · last turn {summary.last_status}"
    return f'{summary.id} · {turns} · {when(summary.updated)}{state} · "{prompt}"'


def entry(summary: Summary) -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": summary.id,
        "status": summary.last_status,
        "turns": summary.turns,
        "updated": datetime.fromtimestamp(summary.updated, UTC).isoformat(timespec="seconds"),
        "prompt": summary.first_prompt,
    }


def handle_line(summary: HandleSummary) -> str:
    """One research or image: id, its turn, when, state, what it was about."""
    handle = summary.handle
    state = "" if summary.status == "completed" else f" · {summary.status}"
    prompt = " ".join((summary.prompt or str(handle.facts.get("question", ""))).split())
    prompt = prompt if len(prompt) <= 100 else prompt[:99] + "…"
    place = f"{handle.conversation_id}/{handle.n}"
    return f'{handle.id} · {place} · {when(handle.created)}{state} · "{prompt}"'


def handle_entry(summary: HandleSummary) -> dict[str, Any]:
    """The same for programs."""
    handle = summary.handle
    created = datetime.fromtimestamp(handle.created, UTC).isoformat(timespec="seconds")
    return {
        "id": handle.id,
        "status": summary.status,
        "conversation_id": handle.conversation_id,
        "turn": handle.n,
        "updated": created,
        "prompt": summary.prompt,
    }


def transcript(turns: Sequence[Turn]) -> str:
    """A conversation as Markdown: every turn's prompt, answer and state."""
    return "\n\n".join(_told(turn) for turn in turns)


def _told(turn: Turn) -> str:
    origin = ""
    if turn.chained is not None and turn.chained != turn.n - 1 and turn.n > 1:
        origin = f", continues turn {turn.chained}"
    heading = f"## Turn {turn.n} ({turn.status}, {when(turn.created)}{origin})"
    parts = [heading, f"**Prompt:** {turn.prompt}"]
    if turn.text:
        parts.append(f"**Gemini:** {turn.text}")
    if turn.error:
        parts.append(f"**Error:** {turn.error.get('message', '')}")
    return "\n\n".join(parts)


def when(time: float) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")
