"""Reports: a finished research as something worth reading."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..interactions import Step, Turn
from . import costs

_HEADING = re.compile(r"\s*#\s+(.+)")


def title(text: str, question: str) -> str:
    """The report's own heading, else the question."""
    heading = _HEADING.match(text)
    line = " ".join((heading.group(1) if heading else question).split()).strip("#* ")
    return line if len(line) <= 120 else line[:119] + "…"


def report(text: str, question: str, charts: list[str]) -> str:
    """The whole report: a title, the text with its charts linked, the sources."""
    for number, name in enumerate(charts, 1):
        text = text.replace(f"[image {number}]", f"![Chart {number}]({name})", 1)
    if not _HEADING.match(text):
        text = f"# {title(text, question)}\n\n{text}"
    return text


def duration(turn: Turn, now: float) -> str:
    """How long a research has taken, or took, in words."""
    seconds = max(0, round((turn.finished or now) - (turn.sent or turn.created)))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def done_so_far(steps: Iterable[Step]) -> str:
    """How much a run has searched and read, from what Google shows of it."""
    searches = pages = 0
    for step in steps:
        arguments = step.get("arguments")
        if not isinstance(arguments, dict):
            continue
        if step.get("type") == "google_search_call":
            searches += len(arguments.get("queries") or [])
        elif step.get("type") == "url_context_call":
            pages += len(arguments.get("urls") or [])
    counted = [
        f"{number} {one if number == 1 else many}"
        for number, one, many in ((searches, "search", "searches"), (pages, "page", "pages"))
        if number
    ]
    return ", ".join(counted)


def closing(turn: Turn) -> str:
    """The last line of a report's file: what it took."""
    parts = [f"Gemini Deep Research ({turn.model or turn.settings.model})"]
    if turn.finished:
        parts.append(duration(turn, turn.finished))
    if turn.usage is not None:
        parts.append(f"{turn.usage.total:,} tokens")
        price = costs.estimate(turn.model or turn.settings.model, turn.usage, turn.created)
        parts.append(f"estimated {price}" if price else "")
    return " · ".join(part for part in parts if part)
