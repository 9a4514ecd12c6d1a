"""Research plans: written, revised and approved, before any research is done."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..json_types import Json
from ..requests.input_parsing import steps_of
from .research_report import PLAN_TITLE, shortened
from .scripted_answer import Turn, words

_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+(\S.*)$", re.MULTILINE)

_TITLE = re.compile(
    rf"# {PLAN_TITLE} (?P<question>.+?)(?: \(revision (?P<revision>\d+)\))?$", re.MULTILINE
)


@dataclass(frozen=True)
class Plan:
    """A plan as the chain has it: what was asked first, what it says now, how often it changed."""

    question: str
    items: Sequence[str]
    revision: int = 1

    def revised(self, changes: str) -> "Plan":
        return Plan(self.question, [*self.items, f"As you asked: {changes}"], self.revision + 1)

    def text(self) -> str:
        items = "\n".join(f"{number}. {item}" for number, item in enumerate(self.items, 1))
        revision = f" (revision {self.revision})" if self.revision > 1 else ""
        return (
            f"# {PLAN_TITLE} {shortened(self.question, 100)}{revision}\n\n{items}\n\n"
            "Shall I start the research, or would you like to change the plan?"
        )


def new(question: str) -> Plan:
    about = shortened(question, 100)
    return Plan(
        question,
        [
            f"Find out what is known about “{about}”",
            "Compare the figures of at least three sources – also non‑English ones",
            "Look for what speaks against the first impression",
            "Write it up with a chart and the open questions",
        ],
    )


def is_wanted(body: Json) -> bool:
    return bool((body.get("agent_config") or {}).get("collaborative_planning"))


def before(turn: Turn) -> Plan | None:
    """The plan this turn refers to: the previous interaction's, or a replayed one."""
    said = [words(step) for step in turn.steps if step.get("type") == "model_output"]
    # The text is what counts: a plan may have been scripted.
    items = _ITEM.findall(said[-1]) if said else []
    planning: list[Json] = []
    for body in reversed(turn.bodies):
        if not (body.get("agent") and is_wanted(body)):
            break
        planning.insert(0, body)
    if planning:
        return Plan(asked(planning[0]), items, len(planning))
    heading = _TITLE.match(said[-1]) if said else None
    return Plan(heading["question"], items, int(heading["revision"] or 1)) if heading else None


def asked(body: Json) -> str:
    """The words of a request's input."""
    steps = steps_of(body["input"]) if body.get("input") else []
    said = [words(step) for step in steps if step.get("type") == "user_input"]
    return said[-1] if said else ""


def question(bodies: Sequence[Json]) -> str:
    """What the last of these requests is about: what its plans were asked first, or itself."""
    first = bodies[-1]
    for body in reversed(bodies[:-1]):
        if not is_wanted(body):
            break
        first = body
    return asked(first)
