"""Reports: a finished research as something worth reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from ...domain.types import Artifact, Step, Turn
from ..turns.outcomes import Outcome
from ..usage import usage_budget

APPROVED = "The plan is approved. Carry it out."
"""The prompt of a plan's run."""

_HEADING = re.compile(r"\s*#\s+(.+)")


def written(steps: Iterable[Step], status: str) -> tuple[Step, ...]:
    """What was written: code, searches and pages on the way are no part of a report. Calls of
    functions are, where it stopped for them."""
    kinds = ["user_input", "model_output"]
    if status == "requires_action":
        kinds += ["function_call", "function_result"]
    return tuple(step for step in steps if step.get("type") in kinds)


def question(turn: Turn) -> str:
    """What was asked: a run of a plan only says that the plan was approved."""
    return str(turn.extra.get("question") or turn.prompt)


def title(text: str, question: str) -> str:
    """The report's own heading, else the question."""
    heading = _HEADING.match(text)
    line = " ".join((heading.group(1) if heading else question).split()).strip("#* ")
    line = line or "Research report"
    return line if len(line) <= 120 else line[:119] + "…"


def report(text: str, question: str, charts: Sequence[Artifact]) -> str:
    """The whole report: a title, the text with its charts linked, the sources."""
    for chart in charts:
        number = chart.facts.get("number")
        file = re.split(r"[/\\]", str(chart.facts["path"]))[-1]
        # The mark of an image is a line of its own; the words of a report may name one too.
        mark = re.compile(rf"^\[image {number}\]$", re.MULTILINE)
        text = mark.sub(f"![Chart {number} ({chart.id})]({file})", text, count=1)
    if not _HEADING.match(text):
        text = f"# {title(text, question)}\n\n{text}"
    return text


def closing(turn: Turn, outcome: Outcome) -> str:
    """The last line of a report's file: who wrote it, how long it took and what it cost."""
    parts = [f"Gemini Deep Research ({outcome.model})", in_words(outcome.extra["seconds"])]
    if outcome.usage is not None:
        parts.append(f"{outcome.usage.total:,} tokens")
        price = usage_budget.estimate(
            outcome.model, outcome.usage, turn.created, str(outcome.extra.get("service_tier", ""))
        )
        parts.append(f"estimated {price}" if price else "")
    return " · ".join(part for part in parts if part)


# -- how long ---------------------------------------------------------------------------


def seconds(turn: Turn, updated: str, now: float) -> float:
    """How long a run took. It may have ended long before anybody looked: Google says when."""
    began = turn.sent or turn.created
    try:
        ended = datetime.fromisoformat(updated).timestamp()
    except ValueError:
        ended = now
    return (ended if began <= ended <= now else now) - began


def duration(turn: Turn, now: float) -> str:
    """How long a research has taken so far, or took, in words."""
    took = turn.extra.get("seconds") if turn.is_final else None
    if took is None:
        took = (turn.finished or now) - (turn.sent or turn.created)
    return in_words(took)


def in_words(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
