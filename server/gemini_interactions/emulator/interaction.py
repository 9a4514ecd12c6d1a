"""One interaction the service remembers: what was asked, what was said, and its event history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .answers import Answer, Json
from .bell import Bell
from .ids import event_id
from .stream import step_events

TURN_OVER = (
    "completed",
    "failed",
    "cancelled",
    "incomplete",
    "budget_exceeded",
    "requires_action",
    "requires_continuation",
)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class Interaction:
    """The service's own record; `public` is what clients see of it."""

    id: str
    root: str
    body: Json
    input: list[Json]
    answer: Answer
    planned: list[Json]  # the steps of the answer, not said yet
    created: datetime
    usage: Json | None
    status: str = "in_progress"
    steps: list[Json] = field(default_factory=list)
    errors: Sequence[Json] | None = None
    updated: datetime | None = None
    due: datetime | None = None  # when a background run is done; None: when told
    lag_looks: int = 0
    lag_until: datetime | None = None
    cancel_looks: int | None = None  # looks until a cancel shows
    gone: bool = False  # deleted, expired or lost: 404 from now on
    events: list[Json] = field(default_factory=list)
    bell: Bell = field(default_factory=Bell)
    spoken: bool = False
    _thinking: bool = False
    _thoughts: list[str] = field(default_factory=list)
    _deltas: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tell({"interaction": self._brief(), "event_type": "interaction.created"})
        self.tell_status()

    @property
    def stored(self) -> bool:
        return self.body.get("store") is not False

    @property
    def background(self) -> bool:
        return bool(self.body.get("background"))

    @property
    def is_running(self) -> bool:
        return self.status not in TURN_OVER

    @property
    def previous_id(self) -> str | None:
        return self.body.get("previous_interaction_id") or None

    @property
    def who(self) -> Json:
        kind = "agent" if self.body.get("agent") else "model"
        return {kind: self.body[kind]}

    def _brief(self) -> Json:
        # store=false: an empty id in streams, none at all in JSON bodies.
        brief: Json = {"id": self.id if self.stored else "", "status": self.status}
        return {**brief, "object": "interaction", **self.who, **self.answer.fields}

    def tell_status(self) -> None:
        self._tell(
            {
                "interaction_id": self.id if self.stored else "",
                "status": self.status,
                "event_type": "interaction.status_update",
            }
        )

    def _tell(self, event: Json) -> None:
        if self.background and event["event_type"] == "step.delta":
            # Sparse on purpose: every other delta of a background run carries an event id.
            index = event["index"]
            number = self._deltas[index] = self._deltas.get(index, -1) + 1
            if number % 2 == 0:
                kind = "thought" if event["delta"]["type"].startswith("thought") else "output"
                event = {**event, "event_id": event_id(index, kind, number)}
        self.events.append(event)

    def think(self, summary: str) -> None:
        """One more thought of a run in progress, told to whoever follows its stream."""
        if not self._thinking:
            self._thinking = True
            self._tell({"index": 0, "step": {"type": "thought"}, "event_type": "step.start"})
        self._thoughts.append(summary)
        content = {"type": "text", "text": summary}
        self._tell(
            {
                "index": 0,
                "delta": {"type": "thought_summary", "content": content},
                "event_type": "step.delta",
            }
        )
        self.bell.ring()

    def speak(self) -> None:
        """Tell the steps of the answer; the interaction is not over before `conclude`."""
        if self.spoken:
            return
        self.spoken = True
        first = 0
        if self._thinking:
            self._tell({"index": 0, "event_type": "step.stop"})
            summary = [{"type": "text", "text": text} for text in self._thoughts]
            self.steps.append({"type": "thought", "summary": summary})
            first = 1
        self.steps += self.planned
        if self.answer.events is not None:
            for event in self.answer.events:
                self._tell(event)
            return
        cuts = self.answer.deltas
        for index, step in enumerate(self.planned, first):
            for event in step_events(index, step, cuts):
                self._tell(event)
            if step.get("type") == "model_output":
                cuts = None  # the scripted pieces are those of the first text

    def conclude(self, now: datetime) -> None:
        """The turn is over: from now on everybody sees the answer."""
        if not self.is_running:
            return
        self.speak()
        self.close(self.answer.status, now, self.answer.errors)

    def close(self, status: str, now: datetime, errors: Sequence[Json] | None = None) -> None:
        """End with this status and with what was said so far."""
        self.status = status
        self.errors = errors
        self.due = None
        # Both are the time of finalisation on the wire; their difference is not a duration.
        self.created = self.updated = now
        self._tell({"interaction": self.completed(), "event_type": "interaction.completed"})
        self.bell.ring()

    def completed(self) -> Json:
        """The interaction inside interaction.completed: everything but the steps."""
        body = self.public(include_input=False)
        del body["steps"]
        body["id"] = self.id if self.stored else ""
        return body

    def public(self, *, include_input: bool) -> Json:
        """The interaction as JSON bodies show it."""
        body: Json = {
            "object": "interaction",
            "created": stamp(self.created),
            "updated": stamp(self.updated or self.created),
        }
        if not self.is_running:
            body["service_tier"] = self.body.get("service_tier") or "standard"
        if self.stored:
            body["id"] = self.id
        body |= {"status": self.status, **self.who}
        if "agent" in body:
            body["role"] = "agent"
        if self.previous_id:
            body["previous_interaction_id"] = self.previous_id
        steps = [] if self.is_running else self.steps
        body["steps"] = [*self.input, *steps] if include_input and steps else steps
        if not self.is_running and self.usage is not None:
            body["usage"] = self.usage
        if self.errors is not None:
            body["errors"] = list(self.errors)
        if self.answer.continuation_token and self.status == "requires_continuation":
            body["continuation_token"] = self.answer.continuation_token
        return {**body, **self.answer.fields}
