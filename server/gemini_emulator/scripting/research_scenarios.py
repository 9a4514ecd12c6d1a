"""Research scenarios: how a run that was started can end, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ..interaction import Interaction
from ..json_types import Json
from ..responders.scripted_answer import Answer

# Each fate, in the words of the command line's help.
FATES: Mapping[str, str] = {
    "zombie": "it stays in progress for ever, without a step",
    "queued": "it is queued first, for `looks` (1) looks, or for `seconds`",
    "incomplete": "it ends incomplete, with the first half of its report",
    "budget_exceeded": "it ends over its budget, with the first half of its report",
    "failed": "it fails halfway, for the reasons in `errors`; [] and null give none",
    "empty": "it is completed, but without any step",
    "no_usage": "its usage is never shown",
    "late_usage": "its usage is shown after `looks` (1) looks at the end, or after `seconds`",
}
_REASON = {"code": "internal", "message": "The agent failed."}


@dataclass(frozen=True)
class ResearchScenario:
    """What becomes of one research."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in FATES:
            raise ValueError(f"There is no fate {self.name!r}. Known: {', '.join(FATES)}.")
        for option in self.options:
            if f"`{option}`" not in FATES[self.name]:
                raise ValueError(f"The fate {self.name!r} has no option {option!r}.")

    @property
    def status(self) -> str:
        """The status the run begins with."""
        return "queued" if self.name == "queued" else "in_progress"

    def answer(self, answer: Answer, steps: Sequence[Json]) -> tuple[Answer, list[Json]]:
        """What is left of the answer, and of its steps."""
        match self.name:
            case "incomplete" | "budget_exceeded":
                return replace(answer, status=self.name), _half(steps)
            case "failed":
                errors = self.options.get("errors", [_REASON])
                told = [moment for moment in answer.progress if moment.share <= 0.5]
                failed = replace(answer, status="failed", errors=errors, progress=told)
                return replace(failed, usage=False), []
            case "empty":
                return replace(answer, progress=()), []
            case "no_usage":
                return replace(answer, usage=False), list(steps)
            case "zombie":
                return replace(answer, progress=()), list(steps)
        return answer, list(steps)

    def befall(self, interaction: Interaction, now: datetime) -> None:
        """The rest of it, once the run exists."""
        looks = int(self.options.get("looks", 0 if "seconds" in self.options else 1))
        seconds = float(self.options.get("seconds", 0))
        match self.name:
            case "zombie":
                interaction.due = None
            case "queued":
                interaction.queued_looks = looks
                interaction.queued_until = now + timedelta(seconds=seconds)
            case "late_usage":
                interaction.hide_usage(looks, seconds)


def _half(steps: Sequence[Json]) -> list[Json]:
    """The steps up to and with the first piece of output."""
    for index, step in enumerate(steps):
        if step.get("type") == "model_output":
            return list(steps[: index + 1])
    return list(steps)
