"""Emulator control: the interface with which tests script the emulator."""

import base64
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Literal

from .api_errors import ApiError, Shape
from .interaction import TURN_OVER, EventIds, Interaction
from .json_types import Json
from .request_log import Request
from .resources.files import Processing
from .responders.image import NoImage
from .responders.scripted_answer import Answer
from .scripting.fault_injection import Delay, Fault, FaultInjection, Gate, Plan, Point, Trouble
from .scripting.research_scenarios import ResearchScenario
from .scripting.sandbox_control import SandboxControl
from .scripting.waiters import Waiters
from .service import Clock, Service


class EmulatorControl(SandboxControl):
    """Steers one emulated service. Every method may be called from any thread at any time."""

    def __init__(self, clock: Clock | None = None, keys: set[str] | None = None) -> None:
        self._made_with = (clock, keys)
        self._waiters = Waiters()
        self.on_ended: Callable[[Request], None] | None = None
        self._begin()

    def reset(self) -> None:
        """Forget everything: interactions, orders, log. Waiting requests are let go."""
        self.let_go()
        self._begin()

    def _begin(self) -> None:
        clock, keys = self._made_with
        self.service = Service(clock, keys)
        self.steering = FaultInjection()
        self.log: list[Request] = []

    def let_go(self) -> None:
        """Nobody waits any longer: gates open, and what hangs is closed."""
        self.steering.release_all()
        for interaction in list(self.service.interactions.values()):
            interaction.waiters.notify()

    # Answers

    def answer_next(self, answer: Answer | str | Json) -> None:
        """The next interaction gets exactly this; several wait in line."""
        with self.service.lock:
            self.service.answers.append(Answer.of(answer))

    def answer_when(self, prompt: str, answer: Answer | str | Json) -> None:
        """From now on every prompt that contains these words gets this; the newest rule wins."""
        with self.service.lock:
            self.service.sticky.append((prompt, Answer.of(answer)))

    # Things that go wrong

    def fail_next(
        self,
        status: int,
        *,
        retry_after: float | str | None = None,
        body: Shape = "api",
        times: int = 1,
        skip: int = 0,
        on: str | None = None,
        message: str | None = None,
        code: str | None = None,
    ) -> None:
        """The next request (of the kind `on`) is refused with this status, after `skip` others."""
        refusal = ApiError(status, message, code, shape=body, retry_after=retry_after)
        with self.service.lock:
            self.steering.troubles.append(Trouble(refusal, on, times, skip))

    def fault_next(
        self,
        fault: str | Fault,
        *,
        after_events: int | None = None,
        on: str | None = None,
        times: int = 1,
        skip: int = 0,
        **options: Any,
    ) -> None:
        """The next response (to a request of the kind `on`) goes wrong so, after `skip` others."""
        if isinstance(fault, str):
            fault = Fault(fault, after_events, options)
        with self.service.lock:
            self.steering.troubles.append(Trouble(fault, on, times, skip))

    def delay(
        self, seconds: float, on: str | None = "create", *, first_byte: float | None = None
    ) -> None:
        """Every request of this kind takes so long, in real time; 0 ends waits under way too.

        A stream begins at once and spreads its events over the time, unless `first_byte`
        seconds are asked for before its first one.
        """
        with self.service.lock:
            self.steering.delays[on] = Delay(seconds, first_byte)
            if not seconds and not first_byte:
                self.steering.wake()

    def hold_next(self, on: str | None = "create", point: Point = "before_response") -> Gate:
        """The next request of this kind waits at this point until the gate is released."""
        with self.service.lock:
            return self.steering.hold(on, point)

    def release(self, gate: int | None = None) -> None:
        """Open the gate of this number, or all of them."""
        for number, held in list(self.steering.all_gates.items()):
            if gate in (None, number):
                held.release()

    def lag(
        self,
        interaction: str | Literal["next"] = "next",
        *,
        gets: int = 0,
        seconds: float = 0.0,
        status: Literal[404, 403] = 404,
    ) -> None:
        """The store is slow: this interaction is 404 (or 403) for so many looks, or so long."""
        with self.service.lock:
            if interaction == "next":
                self.service.next_lag = (gets, seconds, status)
                return
            found = self._find(interaction)
            found.lag_looks, found.lag_status = gets, status
            found.lag_until = self.service.now() + timedelta(seconds=seconds)

    # The fate of interactions

    def expire(self, interaction_id: str) -> None:
        """Its retention is over: 404 from now on."""
        with self.service.lock:
            self._find(interaction_id).gone = True

    def expire_all(self) -> None:
        with self.service.lock:
            for interaction in self.service.interactions.values():
                interaction.gone = True

    def hold_background(self, held: bool = True) -> None:
        """Background runs started from now on stay in progress until told otherwise."""
        with self.service.lock:
            self.service.background_is_held = held

    def think(self, interaction_id: str, summary: str) -> None:
        """A run in progress has one more thought, told to whoever follows it."""
        with self.service.lock:
            self._find(interaction_id).think(summary)

    def finish(self, interaction_id: str, answer: Answer | str | Json | None = None) -> None:
        """A run in progress ends, with this answer or the one it had planned."""
        with self.service.lock:
            interaction = self._find(interaction_id)
            if not interaction.is_running:
                raise ValueError(f"It is over already: its status is {interaction.status!r}.")
            if answer is not None:
                self.service.replan(interaction, Answer.of(answer))
            interaction.conclude(self.service.now())

    def fail(self, interaction_id: str, errors: str | Sequence[Json] | None = None) -> None:
        """A run in progress fails; with [] it does not say why."""
        if errors is None or isinstance(errors, str):
            errors = [{"code": "internal", "message": errors or "The agent failed."}]
        self.finish(interaction_id, Answer(steps=[], status="failed", errors=errors, usage=False))

    def set_status(self, interaction_id: str, status: str) -> None:
        """Give it this status; one that is not the end keeps it there, as a zombie."""
        with self.service.lock:
            interaction = self._find(interaction_id)
            interaction.due = None
            if status in TURN_OVER:
                interaction.close(status, self.service.now(), interaction.errors)
            else:
                interaction.status = status
                interaction.tell_status()
                interaction.waiters.notify()

    def cancel_slowly(self, looks: int) -> None:
        """A cancelled run shows as cancelled only after so many looks."""
        self.service.cancel_looks = looks

    def advance(self, seconds: float) -> None:
        """Move the service's clock; background runs whose time has come end."""
        self.service.advance(seconds)

    # Research

    def research_next(
        self, fate: str | ResearchScenario, *, times: int = 1, **options: Any
    ) -> None:
        """The next research an agent starts meets this fate; see FATES. Several wait in line."""
        if isinstance(fate, str):
            fate = ResearchScenario(fate, options)
        with self.service.lock:
            self.service.research.fates.extend([fate] * times)

    def progress(self, interaction_id: str, share: float) -> None:
        """A run in progress tells what it tells until this share (0 to 1) of its time."""
        with self.service.lock:
            self._find(interaction_id).reach(share)

    def usage_later(self, looks: int | None = 1, seconds: float = 0.0) -> None:
        """Research started from now on shows its usage only after so many looks at its end.

        None never shows it, 0 at once; without this call it takes one look.
        """
        self.service.research.usage_looks = looks
        self.service.research.usage_seconds = seconds

    def research(self, interaction_id: str) -> Json:
        """How a research stands: its question, plan and status, and what it let know so far."""
        with self.service.lock:
            interaction = self._find(interaction_id)
            self.service.settle(interaction)
            return self.service.state(interaction)

    @property
    def research_seconds(self) -> float | None:
        """How long research takes on the clock, a plan a tenth; None: as `background_seconds`."""
        return self.service.research.seconds

    @research_seconds.setter
    def research_seconds(self, seconds: float | None) -> None:
        self.service.research.seconds = seconds

    @property
    def report_bytes(self) -> int | None:
        """How long reports are, about, in bytes of text; None: some two thousand."""
        return self.service.research.report_bytes

    @report_bytes.setter
    def report_bytes(self, size: int | None) -> None:
        self.service.research.report_bytes = size

    @property
    def report_charts(self) -> int:
        """How many charts a report has."""
        return self.service.research.charts

    @report_charts.setter
    def report_charts(self, number: int) -> None:
        self.service.research.charts = number

    # Pictures

    def refuse_next_image(
        self,
        code: str | None = None,
        *,
        status: str = "completed",
        where: Literal["errors", "step"] = "errors",
    ) -> None:
        """The next picture is refused: in words, or with a code such as image_safety, no_image.

        The code stands in the interaction's `errors`, or in the `error` of a model_output step.
        """
        with self.service.lock:
            self.service.image_settings.refusals.append(NoImage(code, status, where))

    @property
    def image_bytes(self) -> int | None:
        """How large image files are; None: as small as they get."""
        return self.service.image_settings.bytes

    @image_bytes.setter
    def image_bytes(self, size: int | None) -> None:
        self.service.image_settings.bytes = size

    @property
    def image_drafts(self) -> int | None:
        """How many drafts the thoughts show, the last one being the picture itself.

        None: one, two at thinking level high, none at minimal and for `image_bytes`.
        """
        return self.service.image_settings.drafts

    @image_drafts.setter
    def image_drafts(self, number: int | None) -> None:
        self.service.image_settings.drafts = number

    # Speech, music and video

    def refuse_next_media(
        self,
        code: str | None = None,
        *,
        status: str = "completed",
        where: Literal["errors", "step"] = "errors",
    ) -> None:
        """The next sound or video is refused: in words, or with a code such as safety."""
        with self.service.lock:
            self.service.media_settings.refusals.append(NoImage(code, status, where))

    def make_media(
        self,
        *,
        bytes: int | None = None,
        seconds: float | None = None,
        mime_type: str | None = None,
        delivery: str | None = None,
    ) -> None:
        """How sounds and videos are made from now on; None is as usual.

        `mime_type` comes instead of what was asked for, such as ``audio/l16;rate=16000``;
        `delivery` is inline or uri.
        """
        with self.service.lock:
            settings = self.service.media_settings
            settings.bytes, settings.seconds = bytes, seconds
            settings.mime_type, settings.delivery = mime_type, delivery

    # Files

    def add_file(self, data: bytes | str, mime_type: str, display_name: str | None = None) -> str:
        """A file the service made, which can be downloaded; its name. A str is base64."""
        raw = base64.b64decode(data) if isinstance(data, str) else data
        with self.service.lock:
            return self.service.files.add(raw, mime_type, display_name).name

    def process_files(
        self, looks: int = 1, seconds: float = 0.0, types: Sequence[str] = ("video", "audio")
    ) -> None:
        """New files of these types are PROCESSING for so many looks, or so long."""
        self.service.files.processing = Processing(tuple(types), looks, seconds)

    def fail_next_file(self, message: str = "The file could not be processed.") -> None:
        """The next file is FAILED at the end of its processing."""
        with self.service.lock:
            self.service.files.failures.append(message)

    def expire_file(self, name: str) -> None:
        """Its two days are over: 403 from now on."""
        with self.service.lock:
            self.service.files.all[name].is_gone = True

    def expire_files(self) -> None:
        with self.service.lock:
            for file in self.service.files.all.values():
                file.is_gone = True

    @property
    def files(self) -> list[Json]:
        """The files that are there, the newest first."""
        with self.service.lock:
            return self.service.files.everything()

    @property
    def isolate_keys(self) -> bool:
        """Whether a file can be used only with the key that uploaded it."""
        return self.service.files.isolated

    @isolate_keys.setter
    def isolate_keys(self, isolated: bool) -> None:
        self.service.files.isolated = isolated

    @property
    def chunk_granularity(self) -> int:
        """Of how many bytes every chunk but the last must be a multiple (256 KiB)."""
        return self.service.files.granularity

    @chunk_granularity.setter
    def chunk_granularity(self, size: int) -> None:
        self.service.files.granularity = size

    # What holds for all of them

    @property
    def event_ids(self) -> EventIds:
        """Which events of background streams carry an id: some (sparse), all (dense), none."""
        return self.service.event_ids

    @event_ids.setter
    def event_ids(self, which: EventIds) -> None:
        self.service.event_ids = which

    @property
    def free_tier(self) -> bool:
        """Whether no key has billing: images and research are 429, limit 0.

        With the key `free-key` they are in any case.
        """
        return self.service.free_tier

    @free_tier.setter
    def free_tier(self, is_free: bool) -> None:
        self.service.free_tier = is_free

    @property
    def background_seconds(self) -> float:
        """How long background runs take on the clock; 0 is done at the first look."""
        return self.service.background_seconds

    @background_seconds.setter
    def background_seconds(self, seconds: float) -> None:
        self.service.background_seconds = seconds

    @property
    def foreground_disconnect(self) -> Literal["completes", "lost"]:
        """What becomes of a foreground interaction whose client leaves."""
        return self.service.foreground_disconnect

    @foreground_disconnect.setter
    def foreground_disconnect(self, fate: Literal["completes", "lost"]) -> None:
        self.service.foreground_disconnect = fate

    # What happened

    @property
    def posts(self) -> list[Request]:
        """The create requests, in order of arrival."""
        return [request for request in self.log if request.kind == "create"]

    def interaction(self, interaction_id: str) -> Json:
        """The interaction as a GET with input would show it, forgotten ones included."""
        with self.service.lock:
            interaction = self._find(interaction_id)
            self.service.settle(interaction)
            return interaction.public(include_input=True)

    def chain(self, interaction_id: str) -> list[str]:
        """The ids of its conversation, from the first to this one."""
        with self.service.lock:
            self._find(interaction_id)
            return [interaction.id for interaction in self.service.chain(interaction_id)]

    def unknown_id(self) -> str:
        """A well-formed id that belongs to nothing."""
        with self.service.lock:
            return self.service.mint.interaction()[0]

    def wait_until(self, true: Callable[[], bool], timeout: float = 30.0) -> bool:
        """Block this thread until the log (or what it led to) makes this true."""
        return self._waiters.wait_until(true, timeout)

    async def until(self, true: Callable[[], bool], timeout: float = 30.0) -> bool:
        """The same for a test in an event loop."""
        return await self._waiters.until(true, timeout)

    def _find(self, interaction_id: str) -> Interaction:
        try:
            return self.service.interactions[interaction_id]
        except KeyError:
            raise KeyError(f"There is no interaction {interaction_id!r} here.") from None

    # For the HTTP layer

    def arrive(self, request: Request) -> Plan:
        """A request is here: into the log with it, and what is to become of it?"""
        with self.service.lock:
            self.log.append(request)
            plan = self.steering.plan(request.kind, request.stream)
        self._waiters.notify()
        return plan

    def note(self, request: Request, **changes: Any) -> None:
        """Something became known about a logged request."""
        for name, value in changes.items():
            setattr(request, name, value)
        self._waiters.notify()
        if request.ended and self.on_ended is not None:
            self.on_ended(request)
