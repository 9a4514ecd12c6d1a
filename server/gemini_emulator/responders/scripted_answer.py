"""Scripted answers: what tests make an emulated model answer, and the default responders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..json_types import Json
from ..resources.environments import Environment


@dataclass(frozen=True)
class Moment:
    """What a background run tells on its way: a thought or a step, at a share of its time."""

    share: float
    thought: str | None = None
    step: Json | None = None


@dataclass(frozen=True)
class Answer:
    """One answer: plain text, or the exact steps; everything else has the usual value.

    With neither text nor steps but one of the wishes at the end, the emulated model answers as
    always, in the size and number that is wished for.
    """

    text: str | None = None
    steps: Sequence[Json] | None = None
    status: str = "completed"
    usage: Json | Literal[False] | None = None  # False leaves usage out everywhere
    errors: Sequence[Json] | None = None
    deltas: Sequence[str] | None = None  # the exact pieces the text streams in
    events: Sequence[Json] | None = None  # raw stream events instead of those of the steps
    thought: str | None = None  # a thought summary before the text
    delay: float = 0.0  # real seconds before the answer is complete
    continuation_token: str | None = None  # made up for status="requires_continuation"
    fields: Json = field(default_factory=dict)  # more fields of the interaction's body
    progress: Sequence[Moment] = ()  # what a background run tells before its end
    pace: float = 1.0  # the share of the usual time a background run takes
    image_bytes: int | None = None  # wish: how large an image is
    images: int | None = None  # wish: how many images
    media_bytes: int | None = None  # wish: how large a sound or video is
    report_bytes: int | None = None  # wish: how long a research report is
    charts: int | None = None  # wish: how many charts are in it

    @property
    def is_wish(self) -> bool:
        said = (self.text, self.steps, self.deltas, self.events)
        wished = (
            self.image_bytes,
            self.images,
            self.media_bytes,
            self.report_bytes,
            self.charts,
        )
        return all(one is None for one in said) and any(one is not None for one in wished)

    @classmethod
    def of(cls, answer: "Answer | str | Json") -> "Answer":
        """An answer from what a test or a script wrote: text, an Answer, or its fields."""
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, str):
            return cls(answer)
        told = [m if isinstance(m, Moment) else Moment(**m) for m in answer.get("progress", ())]
        return cls(**{**answer, "progress": told})


@dataclass(frozen=True)
class Turn:
    """What an answerer sees: the request, and all that was said before it in this chain."""

    body: Json
    input: Sequence[Json]  # this request's steps
    history: Sequence[Json]  # the steps of the whole chain before them
    call_id: Callable[[], str]
    signature: Callable[[], str]
    bodies: Sequence[Json] = ()  # the requests of the chain before this one
    wish: Answer = field(default_factory=Answer)
    environment: Environment | None = None  # where an agent of the sandbox works
    search: Callable[[Sequence[str], str], Json | None] = lambda _names, _query: None

    @property
    def name(self) -> str:
        return str(self.body.get("model") or self.body.get("agent") or "")

    @property
    def steps(self) -> list[Json]:
        return [*self.history, *self.input]

    @property
    def tools(self) -> list[Json]:
        return list(self.body.get("tools") or [])

    @property
    def config(self) -> Json:
        return dict(self.body.get("generation_config") or {})

    @property
    def number(self) -> int:
        """Which turn of the conversation this is, counted in things the user said."""
        return sum(step.get("type") == "user_input" for step in self.steps) or 1

    @property
    def prompt(self) -> str:
        """The words of the last thing the user said."""
        for step in reversed(self.input):
            if step.get("type") == "user_input":
                return words(step)
        return ""


class Answerer(Protocol):
    """Plays one kind of model or agent."""

    def check(self, body: Json) -> None:
        """Raise Refusal for what this kind does not accept."""

    def answer(self, turn: Turn) -> Answer: ...


def words(step: Json) -> str:
    """The text of a user_input or model_output step."""
    content = step.get("content") or []
    return "".join(
        part.get("text") or ""
        for part in content
        if isinstance(part, dict) and part.get("type") == "text"
    )


def text_step(text: str, annotations: Sequence[Json] = ()) -> Json:
    part: Json = {"type": "text", "text": text}
    if annotations:
        part["annotations"] = list(annotations)
    return {"type": "model_output", "content": [part]}
