"""One interaction the service remembers: what was asked, what was said, and its event history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from .ids import event_id
from .json_types import Json, timestamp
from .responders.scripted_answer import Answer, Moment
from .scripting.waiters import Waiters
from .stream_events import step_events

EventIds = Literal["sparse", "dense", "none"]
TURN_OVER = (
    "completed",
    "failed",
    "cancelled",
    "incomplete",
    "budget_exceeded",
    "requires_action",
    "requires_continuation",
)


STEP_TOKENS = 4_000  # of one step of an agent in a sandbox, most of them input


def _step_usage(steps: int) -> Json:
    """What the end of a step in a sandbox says it has cost, and all steps until then."""
    return {
        "usage": {"total_tokens": steps * STEP_TOKENS},
        "step_usage": {"total_tokens": STEP_TOKENS},
    }


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
    lag_status: int = 404
    queued_looks: int | None = None  # looks until a queued run starts; None: it is not in line
    queued_until: datetime | None = None
    environment_id: str = ""  # of the sandbox an agent works in
    usage_looks: int | None = 0  # looks at the finished run that find no usage; None: all of them
    usage_seconds: float = 0.0
    has_usage: bool = True
    types_thoughts: bool = True  # thought summaries say that they are text
    event_ids: EventIds = "sparse"
    cancel_looks: int | None = None  # looks until a cancel shows
    gone: bool = False  # deleted, expired or lost: 404 from now on
    events: list[Json] = field(default_factory=list)
    waiters: Waiters = field(default_factory=Waiters)
    spoken: bool = False
    moments: list[Moment] = field(default_factory=list)  # of the progress, not told yet
    _thoughts: list[str] = field(default_factory=list)  # of the thought that is going on
    _deltas: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.begun = self.created
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
    def rested(self) -> datetime:
        """When it ended."""
        return self.updated or self.created

    @property
    def is_agents(self) -> bool:
        return bool(self.body.get("agent"))

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
        where = {"environment_id": self.environment_id} if self.environment_id else {}
        return {**brief, "object": "interaction", **self.who, **where, **self.answer.fields}

    def tell_status(self) -> None:
        self._tell(
            {
                "interaction_id": self.id if self.stored else "",
                "status": self.status,
                "event_type": "interaction.status_update",
            }
        )

    def _tell(self, event: Json) -> None:
        if self.background and self.event_ids == "dense":
            event = {**event, "event_id": f"evt_{len(self.events):04d}"}
        elif self.background and self.event_ids == "sparse" and event["event_type"] == "step.delta":
            # Sparse on purpose: every other delta of a background run carries an event id.
            index = event["index"]
            number = self._deltas[index] = self._deltas.get(index, -1) + 1
            if number % 2 == 0:
                kind = "thought" if event["delta"]["type"].startswith("thought") else "output"
                event = {**event, "event_id": event_id(index, kind, number)}
        self.events.append(event)

    def think(self, summary: str) -> None:
        """One more thought of a run in progress, told to whoever follows its stream."""
        index = len(self.steps)
        if not self._thoughts:
            self._tell({"index": index, "step": {"type": "thought"}, "event_type": "step.start"})
        self._thoughts.append(summary)
        delta = {"type": "thought_summary", "content": self._summary(summary)}
        self._tell({"index": index, "delta": delta, "event_type": "step.delta"})
        self.waiters.notify()

    def _end_thought(self) -> None:
        if not self._thoughts:
            return
        index = len(self.steps)
        if self.is_agents:
            delta = {"type": "thought_signature", "signature": ""}  # empty, as on the wire
            self._tell({"index": index, "delta": delta, "event_type": "step.delta"})
        self._tell({"index": index, "event_type": "step.stop"})
        signed = {"signature": ""} if self.is_agents else {}
        self.steps = [*self.steps, {**self.so_far[-1], **signed}]
        self._thoughts = []

    @property
    def so_far(self) -> list[Json]:
        """The steps a run has told, with the thought that is going on."""
        if not self._thoughts:
            return list(self.steps)
        summary = [self._summary(text) for text in self._thoughts]
        return [*self.steps, {"type": "thought", "summary": summary}]

    def _summary(self, text: str) -> Json:
        return {"type": "text", "text": text} if self.types_thoughts else {"text": text}

    def say(self, step: Json) -> None:
        """One more step of a run in progress."""
        self._end_thought()
        for event in step_events(len(self.steps), step):
            if self.environment_id and event["event_type"] == "step.stop":
                event |= _step_usage(len(self.steps) + 1)
            self._tell(event)
        self.steps.append(step)
        self.waiters.notify()

    def reach(self, share: float) -> None:
        """So much of its time is over: tell what it tells until then."""
        while self.moments and self.moments[0].share <= share and self.is_running:
            moment = self.moments.pop(0)
            if moment.thought is not None:
                self.think(moment.thought)
            if moment.step is not None:
                self.say(moment.step)

    @property
    def is_in_line(self) -> bool:
        return self.status == "queued" and self.queued_looks is not None

    def may_start(self, now: datetime) -> bool:
        """Whether a queued run has waited long enough."""
        waits = self.queued_looks or (self.queued_until or now) > now
        return self.is_in_line and not waits

    def start(self) -> None:
        """A queued run starts."""
        self.queued_looks = self.queued_until = None
        self.status = "in_progress"
        self.tell_status()
        self.waiters.notify()

    def hide_usage(self, looks: int | None, seconds: float) -> None:
        """The usage shows after so many looks at the end and so many seconds; None: never."""
        self.usage_looks, self.usage_seconds = looks, seconds
        self.has_usage = looks == 0 and not seconds

    def looked_at(self, now: datetime) -> None:
        """Somebody looks: what shows only after some looks comes nearer."""
        if self.queued_looks:
            self.queued_looks -= 1
        if self.is_running:
            return
        if self.usage_looks:
            self.usage_looks -= 1
        elif self.usage_looks == 0 and self.created + timedelta(seconds=self.usage_seconds) <= now:
            self.has_usage = True

    def speak(self) -> None:
        """Tell the steps of the answer; the interaction is not over before `conclude`."""
        if self.spoken:
            return
        self.spoken = True
        self.reach(1.0)
        self._end_thought()
        first = len(self.steps)
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
        self._end_thought()
        self.status = status
        self.errors = errors
        self.due = None
        # Both are the time of finalisation on the wire; their difference is not a duration.
        self.created = self.updated = now
        self._tell({"interaction": self.completed(), "event_type": "interaction.completed"})
        self.waiters.notify()

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
            "created": timestamp(self.created),
            "updated": timestamp(self.updated or self.created),
        }
        if not self.is_running:
            body["service_tier"] = self.body.get("service_tier") or "standard"
        if self.stored:
            body["id"] = self.id
        body |= {"status": self.status, **self.who}
        if "agent" in body:
            body["role"] = "agent"
        if self.environment_id:
            body["environment_id"] = self.environment_id
        if self.previous_id:
            body["previous_interaction_id"] = self.previous_id
        steps = self.steps
        if self.is_running:
            steps = self.so_far if self.is_agents else []
        body["steps"] = [*self.input, *steps] if include_input and steps else steps
        if not self.is_running and self.usage is not None and self.has_usage:
            body["usage"] = self.usage
        if self.errors is not None:
            body["errors"] = list(self.errors)
        if self.answer.continuation_token and self.status == "requires_continuation":
            body["continuation_token"] = self.answer.continuation_token
        return {**body, **self.answer.fields}
