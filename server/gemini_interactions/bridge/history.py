"""History: what there is to continue, for a model whose context was lost."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..domain.agent_environments import AgentRun, Environment
from ..domain.types import Turn
from .ports import ArtifactSummary, Summary
from .turns import function_calls

MOST_COUNTED = 500
"""Entries that are counted to say how many there are, where a page does not go further."""


@dataclass(frozen=True, slots=True)
class Total:
    """How many entries there are in a list: exactly, or more than that (`has_more`)."""

    number: int
    has_more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.has_more else f"{self.number:,}"


async def total(
    shown: int, offset: int, limit: int, count: Callable[[int], Awaitable[int]]
) -> Total:
    """How many entries a list has, of which a page `shown` so many; `count` counts no further
    than it is told."""
    if shown < limit and (shown or not offset):
        return Total(offset + shown)
    most = max(MOST_COUNTED, offset + limit)
    counted = await count(most + 1)
    return Total(min(counted, most), counted > most)


@dataclass(frozen=True, slots=True)
class Listing:
    """Some entries of a list: one line each, where they begin, and how many there are in all."""

    lines: Sequence[str]
    offset: int
    total: Total
    query: str = ""
    kind: str = "conversations"
    entries: Sequence[Mapping[str, Any]] = ()
    """The same for programs, entry by entry."""


def line(summary: Summary) -> str:
    """One conversation: id, size, last activity, state, how it began."""
    turns = "1 turn" if summary.turns == 1 else f"{summary.turns} turns"
    prompt = " ".join(summary.first_prompt.split())
    prompt = prompt if len(prompt) <= 100 else prompt[:99] + "…"
    state = _state(
        summary.last_status,
        is_at_google=summary.last_is_at_google,
        is_worked_on=summary.last_is_worked_on,
    )
    state = f" · last turn {state}" if state != "completed" else ""
    return f'{summary.id} · {turns} · {when(summary.updated)}{state} · "{prompt}"'


def _state(status: str, *, is_at_google: bool, is_worked_on: bool) -> str:
    """A status in words. What Google has is collected by whoever asks, though the process that
    waited for it is gone."""
    if status == "running" and is_at_google and not is_worked_on:
        return "running at Google (its process here ended; gemini_result collects it)"
    if status in ("interrupted", "stalled") and is_at_google:
        return f"{status} (Google knows it; gemini_result looks again)"
    return status


def entry(summary: Summary) -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": summary.id,
        "status": summary.last_status,
        "turns": summary.turns,
        "updated": iso(summary.updated),
        "prompt": summary.first_prompt,
    }


def handle_line(summary: ArtifactSummary) -> str:
    """One research or image: id, its turn, when, state, what it was about."""
    handle = summary.handle
    state = "" if summary.status == "completed" else f" · {summary.status}"
    prompt = " ".join(_about(summary).split())
    prompt = prompt if len(prompt) <= 100 else prompt[:99] + "…"
    place = f"{handle.conversation_id}/{handle.n}"
    return f'{handle.id} · {place} · {when(handle.created)}{state} · "{prompt}"'


def handle_entry(summary: ArtifactSummary) -> dict[str, Any]:
    """The same for programs."""
    handle = summary.handle
    return {
        "id": handle.id,
        "status": summary.status,
        "conversation_id": handle.conversation_id,
        "turn": handle.n,
        "updated": iso(handle.created),
        "prompt": _about(summary),
    }


ENVIRONMENT_KEPT = 7 * 86_400.0
"""Seconds for which Google keeps an environment after its last use."""


def run_line(run: AgentRun, environment: Environment | None, now: float) -> str:
    """One run of an agent: its turn, when, state, its task, how long its files are kept."""
    state = "" if run.status == "completed" else f" · {run.status}"
    prompt = " ".join(run.prompt.split())
    prompt = prompt if len(prompt) <= 100 else prompt[:99] + "…"
    until = environment.used + ENVIRONMENT_KEPT if environment is not None else 0.0
    kept = f" · files kept until {when(until)}" if until > now else ""
    return f'{run.id} · {when(run.created)}{state} · "{prompt}"{kept}'


def run_entry(run: AgentRun) -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": run.id,
        "status": run.status,
        "conversation_id": run.conversation_id,
        "turn": run.n,
        "updated": iso(run.created),
        "prompt": run.prompt,
    }


def _about(summary: ArtifactSummary) -> str:
    """What was asked for; the prompt of a plan's run only says that it was approved."""
    return str(summary.handle.facts.get("question") or summary.prompt)


def document(conversation_id: str, transcript: str) -> str:
    """A transcript that stands by itself."""
    return f"# Gemini conversation {conversation_id}\n\n{transcript}\n"


def transcript(turns: Sequence[Turn]) -> str:
    """A conversation as Markdown: every turn's prompt, answer and state."""
    return "\n\n".join(_told(turn) for turn in turns)


def _told(turn: Turn) -> str:
    model = turn.model or turn.settings.model
    is_at_google, is_worked_on = bool(turn.interaction_id), bool(turn.lease_until)
    state = _state(turn.status, is_at_google=is_at_google, is_worked_on=is_worked_on)
    facts = [state, when(turn.created), *([model] if model else [])]
    if turn.chained is not None and turn.chained != turn.n - 1 and turn.n > 1:
        facts.append(f"continues turn {turn.chained}")
    calls = [
        f"{function_calls.named(call)}: {_json(call.arguments)}"
        for call in function_calls.pending(turn)
    ]
    parts = [
        f"## Turn {turn.n} ({', '.join(facts)})",
        *_asked(turn),
        _part("Gemini", turn.text),
        _part("Gemini waits for", "\n".join(f"- {call}" for call in calls)),
        _part("Error", (turn.error or {}).get("message", "")),
        _part("Note", " ".join(turn.notes)),
    ]
    if turn.is_final and turn.interaction_id and not (turn.text or turn.error or turn.steps):
        parts.append(
            f'Its words are not kept here; gemini_result with id "{turn.id}" asks Google for them.'
        )
    return "\n\n".join(part for part in parts if part)


def _asked(turn: Turn) -> list[str]:
    """What was said: the prompt and what was attached to it, or the results of functions."""
    given = turn.input or []
    results = [each for each in given if each.get("type") == "function_result"]
    if results:
        told = [f"- {each.get('name', '')}: {_json(each.get('result'))}" for each in results]
        return [_part("Function results", "\n".join(told))]
    attached = [
        str(each.get("name") or each.get("uri") or each.get("type"))
        for each in given
        if each.get("name") or each.get("type") not in ("text", "user_input")
    ]
    return [_part("Prompt", turn.prompt), _part("Attached", ", ".join(attached))]


def _part(name: str, text: str) -> str:
    """One part of a turn; what has lines of its own, such as a list or code, stands apart."""
    text = text.strip("\n")
    if not text:
        return ""
    return f"**{name}:**\n\n{text}" if "\n" in text else f"**{name}:** {text}"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def when(time: float) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")


def iso(time: float) -> str:
    """A time as programs read it, in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
