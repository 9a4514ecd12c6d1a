"""The form in which a user is asked about a research plan, and how an answer to it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ...bridge.mcp_tasks import Task
from ...interactions import text_pages

QUESTION = "Gemini has made this plan for a Deep Research. Approve it, or say what to change."
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "title": "Decision",
            "enum": ["approve", "change"],
            "description": "approve: run this plan. change: have it revised first.",
        },
        "changes": {
            "type": "string",
            "title": "Changes",
            "description": "What to change in the plan, with the decision to change it.",
        },
    },
    "required": ["decision"],
}


def key(task: Task) -> str:
    """What the plan is asked under: each plan of a research has a key of its own."""
    return f"plan-{task.number}"


def request(task: Task, budget: int) -> dict[str, Any]:
    """The elicitation, with as much of the plan as the client takes (`budget`, in characters)."""
    plan = text_pages.page(_paragraph(task.turn.text), 0, max(1, budget - len(QUESTION) - 4)).text
    return {
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": f"{QUESTION} {plan}" if plan else QUESTION,
            "requestedSchema": SCHEMA,
        },
    }


def _paragraph(plan: str) -> str:
    """A plan in one paragraph: a form of Claude Code (2.1.330) shows three lines of a message."""
    lines = (re.sub(r"^[#*\-\s]+", "", line).strip() for line in plan.splitlines())
    return " · ".join(line for line in lines if line)


def read(answer: object) -> tuple[Literal["approve", "change", "decline"], str]:
    """What a user decided, and what to change. Whatever is no clear decision declines: a run
    costs dollars."""
    if not isinstance(answer, Mapping) or answer.get("action") != "accept":
        return "decline", ""
    content = answer.get("content")
    said = content if isinstance(content, Mapping) else {}
    if said.get("decision") == "approve":
        return "approve", ""
    changes = said.get("changes")
    if said.get("decision") == "change" and isinstance(changes, str) and changes.strip():
        return "change", changes.strip()
    return "decline", ""
