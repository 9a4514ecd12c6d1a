"""What tests and scripts asked of the next requests: refusals, faults, waits and gates."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..api_errors import ApiError
from .waiters import Waiters

Point = Literal["before_created", "after_created", "before_completed", "before_response"]

# Each fault, in the words of the command line's help.
FAULTS: Mapping[str, str] = {
    "reset": "the connection is reset (RST), before any byte or after N events; "
    "of an upload's chunk the share `kept` (0.5) has arrived",
    "fin": "the connection is closed in the middle of the response",
    "clean_eof": "the stream ends properly but too early, without completed and [DONE]",
    "cut_600": "the raw JSON array Google writes into a stream after ten minutes",
    "hang": "nothing is ever answered; with after_events, nothing after N events",
    "hang_after_replay": "a resumed stream sends N (2) events and then hangs",
    "slow_first_byte": "the first byte takes `seconds`",
    "error_event": "an `error` event ends the stream (options code, message, status)",
    "unknowns": "unknown events, steps, deltas and statuses between the known",
    "no_completed": "the stream has [DONE] but no interaction.completed",
    "no_usage": "usage is missing",
    "empty_steps": "completed, but without any step",
    "missing_thought_type": "a thought summary whose content has no type",
    "dribble": "the stream arrives a few bytes at a time, cut inside characters",
    "crlf": "the stream uses CRLF, a byte order mark and comments",
    "invalid_json": "200 with half a JSON document",
    "empty_body": "200 with an empty body",
    "json_array": "200 with a JSON array",
    "no_status": "200 with an interaction that has no status",
    "text_plain": "200 with text/plain",
    "created_201": "201 instead of 200",
    "unary_instead_of_stream": "a JSON body although a stream was asked for",
    "stream_instead_of_unary": "a stream although a JSON body was asked for",
    "huge_image": "an image of `megabytes` (20) in the answer",
    "api_key_not_valid": "400 API key not valid, in the shape of google.rpc",
}
_STREAMS_ONLY = frozenset(
    [
        "clean_eof",
        "cut_600",
        "hang_after_replay",
        "error_event",
        "no_completed",
        "dribble",
        "crlf",
        "unary_instead_of_stream",
    ]
)
_UNARY_ONLY = frozenset({"stream_instead_of_unary", "no_status"})


@dataclass(frozen=True)
class Fault:
    """One way a response goes wrong."""

    name: str
    after_events: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(f"There is no fault {self.name!r}. Known: {', '.join(FAULTS)}.")

    def fits(self, kind: str, stream: bool) -> bool:
        if self.name == "hang_after_replay":
            return stream and kind == "get"
        if self.name in _STREAMS_ONLY:
            return stream
        return not (stream and self.name in _UNARY_ONLY)


class Gate:
    """A place where one request waits until it is released, from any thread."""

    _numbers = itertools.count(1)

    def __init__(self, on: str | None, point: Point) -> None:
        self.number = next(self._numbers)
        self.on = on
        self.point = point
        self.is_reached = False
        self.is_released = False
        self._waiters = Waiters()

    def release(self) -> None:
        self.is_released = True
        self._waiters.notify()

    def wait_reached(self, timeout: float = 30.0) -> bool:
        """Block this thread until the request waits here."""
        return self._waiters.wait_until(lambda: self.is_reached, timeout)

    async def reached(self, timeout: float = 30.0) -> bool:
        """Wait until the request waits here."""
        return await self._waiters.until(lambda: self.is_reached, timeout)

    async def wait(self) -> None:
        """The emulator's side: be there, and wait."""
        self.is_reached = True
        self._waiters.notify()
        await self._waiters.until(lambda: self.is_released)


@dataclass(frozen=True)
class Delay:
    seconds: float
    first_byte: float | None = None


@dataclass
class Trouble:
    """A refusal or a fault for the next `times` requests it fits."""

    what: ApiError | Fault
    on: str | None
    times: int
    skip: int = 0  # requests it fits that are let go first

    def fits(self, kind: str, stream: bool) -> bool:
        if isinstance(self.what, ApiError):
            return self.on in (None, kind)
        on = (self.on,) if self.on else ("create", "get")
        return kind in on and self.what.fits(kind, stream)


@dataclass(frozen=True)
class Plan:
    """What happens to one request."""

    refusal: ApiError | None = None
    fault: Fault | None = None
    delay: Delay = Delay(0.0)
    gates: Mapping[Point, Gate] = field(default_factory=dict)


class FaultInjection:
    """The standing orders, in the order they were given."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []
        self.delays: dict[str | None, Delay] = {}
        self.gates: list[Gate] = []
        self.all_gates: dict[int, Gate] = {}
        self.sleeps = Waiters()
        self.sleeps_ended = 0
        self.is_over = False

    def plan(self, kind: str, stream: bool) -> Plan:
        trouble = self._trouble(kind, stream)
        if trouble:
            trouble.times -= 1
            if not trouble.times:
                self.troubles.remove(trouble)
        gates: dict[Point, Gate] = {}
        for gate in list(self.gates):
            if gate.on in (None, kind) and gate.point not in gates:
                gates[gate.point] = gate
                self.gates.remove(gate)
        what = trouble.what if trouble else None
        return Plan(
            refusal=what if isinstance(what, ApiError) else None,
            fault=what if isinstance(what, Fault) else None,
            delay=self.delays.get(kind) or self.delays.get(None) or Delay(0.0),
            gates=gates,
        )

    def _trouble(self, kind: str, stream: bool) -> Trouble | None:
        for trouble in self.troubles:
            if trouble.fits(kind, stream):
                if not trouble.skip:
                    return trouble
                trouble.skip -= 1
        return None

    def hold(self, on: str | None, point: Point) -> Gate:
        gate = Gate(on, point)
        self.gates.append(gate)
        self.all_gates[gate.number] = gate
        return gate

    def wake(self) -> None:
        """End every wait that is under way."""
        self.sleeps_ended += 1
        self.sleeps.notify()

    def release_all(self) -> None:
        """The end of these orders: nobody waits for them any longer."""
        for gate in self.all_gates.values():
            gate.release()
        self.is_over = True
        self.wake()
