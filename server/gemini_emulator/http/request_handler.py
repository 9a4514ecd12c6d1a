"""Request handler: one request from its arrival to its end."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .. import attachments
from ..api_errors import ApiError, invalid
from ..control import EmulatorControl
from ..fault_injection import Fault, Point
from ..interaction import Interaction
from ..model_catalog import MODELS
from ..request_log import Request
from ..responders.media import VOICES
from ..responders.scripted_answer import Answer, Json
from . import response_faults, routes
from .connection import RequestResponse
from .files_api import KINDS as FILE_KINDS
from .files_api import FilesApi
from .sandbox_api import SandboxApi
from .sse_writer import SSEWriter
from .stores_api import StoresApi

MOST_INLINE = 100 * 1024 * 1024  # bytes of a whole create request
_SECRET = ("x-goog-api-key", "authorization")


class RequestHandler:
    """One request, from its arrival to its end."""

    def __init__(self, control: EmulatorControl, exchange: RequestResponse) -> None:
        self.control, self.exchange = control, exchange
        # A reset of the control leaves requests under way with what they began with.
        self.service, self.steering = control.service, control.steering
        self.naps_ended = self.steering.naps_ended
        self.interaction: Interaction | None = None
        self.noun, self.rest, kind = routes.route(exchange.method, exchange.path, exchange.query)
        self.body = routes.parsed(exchange.body) if exchange.body else None
        exchange.body = b""  # it may be large, and what matters of it is parsed
        query = {k: v for k, v in exchange.query.items() if k != "key"}
        self.request = Request(
            method=exchange.method,
            path=exchange.path,
            kind=kind,
            at=self.service.now(),
            body=attachments.slim(self.body),
            headers={k: v for k, v in exchange.headers.items() if k not in _SECRET},
            query=query,
            stream=routes.wants_stream(kind, self.body, query),
            bytes=exchange.length,
            attachments=attachments.listed(self.body) if kind == "create" else [],
        )
        self.plan = control.arrive(self.request)
        self.fault = self.plan.fault

    async def run(self) -> None:
        try:
            try:
                await self._answer()
            except ApiError as refusal:
                await self._refuse(refusal)
        except asyncio.CancelledError:
            if not self.exchange.is_over:
                self.control.note(self.request, closed_early=True)
                if self.interaction is not None and self.request.kind == "create":
                    self.service.left(self.interaction)
            raise
        finally:
            self.control.note(self.request, ended=True)

    async def sleep(self, seconds: float) -> None:
        """Real time passes, unless somebody ends all waits."""
        if seconds > 0:
            steering, mine = self.steering, self.naps_ended
            await steering.naps.until(lambda: steering.naps_ended != mine, seconds)

    async def hang(self) -> None:
        """Nothing happens any more, until the client leaves or the control starts anew."""
        await self.steering.naps.until(lambda: self.steering.is_over)
        self.exchange.close()
        raise asyncio.CancelledError

    async def gate(self, point: Point) -> None:
        if point in self.plan.gates:
            await self.plan.gates[point].wait()

    def answered(self, status: int) -> None:
        self.control.note(self.request, status=status)

    def has(self, *faults: str) -> Fault | None:
        return self.fault if self.fault and self.fault.name in faults else None

    async def _answer(self) -> None:
        await self._mishap_before()
        if self.plan.refusal:
            raise self.plan.refusal
        self._admit()
        await self.gate("before_created")
        await self.sleep(self.plan.delay.first_byte or 0)
        handlers: Mapping[str, Callable[[], Any]] = {
            "create": self._create,
            "get": self._get,
            "cancel": self._cancel,
            "delete": self._delete,
            "models": self._models,
            "voices": self._voices,
        }
        if self.request.kind in FILE_KINDS:
            await FilesApi(self).run()
        elif self.request.kind in ("agents", "environments"):
            await SandboxApi(self).run()
        elif self.request.kind in ("stores", "store_chunk"):
            await StoresApi(self).run()
        else:
            await handlers.get(self.request.kind, self._other)()

    async def _mishap_before(self) -> None:
        """The faults that need no answer at all."""
        if fault := self.has("slow_first_byte"):
            await self.sleep(float(fault.options.get("seconds", 0.05)))
        elif self.has("api_key_not_valid"):
            message = "API key not valid. Please pass a valid API key."
            raise ApiError(400, message, "API_KEY_INVALID", shape="google")
        elif self.request.kind in ("chunk", "store_chunk"):
            return  # what breaks it off comes in the middle of its bytes
        elif self.fault is not None and self.fault.after_events is None:
            if self.fault.name == "hang":
                await self.hang()
            elif self.fault.name == "reset":
                self.exchange.reset()
                raise asyncio.CancelledError
            elif self.fault.name == "fin":
                self.exchange.close()
                raise asyncio.CancelledError

    def _admit(self) -> None:
        if self.request.kind in ("chunk", "store_chunk"):
            return  # known by its upload_id
        try:
            self.service.admit(self.key)
        except ApiError as refusal:
            if self.request.kind in ("models", "other", "stores", *FILE_KINDS):
                refusal.shape = "google"  # the classic endpoints speak google.rpc
            raise

    @property
    def key(self) -> str | None:
        return self.exchange.headers.get("x-goog-api-key") or self.exchange.query.get("key")

    async def _create(self) -> None:
        if self.body is routes.BROKEN:
            raise ApiError(400, "Invalid JSON payload received.", shape="google")
        if self.request.bytes > MOST_INLINE:
            message = f"Request payload size exceeds the limit: {MOST_INLINE} bytes."
            raise ApiError(400, message, shape="google")
        self._check_version()
        interaction = self.interaction = self.service.create(self.body, self.key)
        if interaction.stored:
            self.control.note(self.request, interaction_id=interaction.id)
        self._spoil(interaction)
        wants_stream = self.request.stream and not self.has(*response_faults.NEVER_A_STREAM)
        if wants_stream or self.has("stream_instead_of_unary"):
            await SSEWriter(self, interaction).run()
            return
        if interaction.background:
            await self.sleep(self.plan.delay.seconds)
            await self.gate("before_response")
            await self._show_interaction(interaction)
            return
        await self.gate("after_created")
        await self.sleep(self.plan.delay.seconds + interaction.answer.delay)
        await self.gate("before_completed")
        with self.service.lock:
            interaction.conclude(self.service.now())
        await self.gate("before_response")
        await self._show_interaction(interaction)

    def _spoil(self, interaction: Interaction) -> None:
        """The faults that lie in the answer itself."""
        if self.has("missing_thought_type") and interaction.is_agents:
            interaction.types_thoughts = False  # of the thoughts to come
            return
        steps = response_faults.spoiled_steps(interaction.planned, self.fault)
        if steps is not None:
            self.service.replan(interaction, Answer(steps=steps))

    def _check_version(self) -> None:
        """Version v1 lacks ids that float, such as gemini-flash-latest, and models of speech."""
        model = self.body.get("model") if isinstance(self.body, dict) else None
        if not isinstance(model, str) or routes.version(self.exchange.path) != "v1":
            return
        known = MODELS.get(model.removeprefix("models/"))
        if model.endswith("-latest") or (known is not None and known.makes == "speech"):
            message = f"{model} is not found for API version v1, or is not supported there."
            raise ApiError(404, message, "model_not_found")

    async def _get(self) -> None:
        if self.request.query.get("fields", "*") != "*":
            raise invalid("Field masks are not supported.")
        interaction = self.service.look(self.rest)
        self.control.note(self.request, interaction_id=interaction.id)
        if self.request.stream:
            first = _after(interaction, self.request.query.get("last_event_id"))
            await SSEWriter(self, interaction, first).run()
            return
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")
        await self._show_interaction(interaction, include_input=True)

    async def _cancel(self) -> None:
        interaction = self.service.cancel(self.rest.removesuffix("/cancel"))
        self.control.note(self.request, interaction_id=interaction.id)
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")
        await self._show_interaction(interaction)

    async def _delete(self) -> None:
        self.service.delete(self.rest)
        self.control.note(self.request, interaction_id=self.rest)
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")
        await self.show({})

    async def _models(self) -> None:
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")
        if self.rest:
            await self.show(self.service.model(self.rest))
            return
        await self.show(self.page("models", self.service.models(), 50))

    async def _voices(self) -> None:
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")
        voices: list[Json] = [
            {"id": name, "display_name": name, "type": "prebuilt", "language_code": "en-US"}
            for name in VOICES
        ]
        start = int(self.request.query.get("page_token") or 0)
        size = int(self.request.query.get("page_size") or 50)
        page: Json = {"voices": voices[start : start + size]}
        if start + size < len(voices):
            page["next_page_token"] = str(start + size)
        await self.show(page)

    def page(self, noun: str, found: list[Json], size: int) -> Json:
        """The page of a list this request asks for."""
        start = int(self.request.query.get("pageToken") or 0)
        size = int(self.request.query.get("pageSize") or size)
        page: Json = {noun: found[start : start + size]}
        if start + size < len(found):
            page["nextPageToken"] = str(start + size)
        return page

    async def _other(self) -> None:
        is_known = routes.version(self.exchange.path)
        raise ApiError(404, shape="google" if is_known else "html")

    async def _show_interaction(
        self, interaction: Interaction, *, include_input: bool = False
    ) -> None:
        with self.service.lock:  # a test's thread may be ending it right now
            body = interaction.public(include_input=include_input)
        await self.show(body)

    async def show(self, body: Json) -> None:
        """A JSON answer, or what the fault of the day makes of it."""
        status, content_type, data = response_faults.spoiled(body, self.fault)
        self.answered(status)
        if fault := self.has("reset", "fin", "hang"):
            await self.exchange.respond(status, data, content_type, only=len(data) // 2)
            if fault.name == "hang":
                await self.hang()
            (self.exchange.reset if fault.name == "reset" else self.exchange.close)()
            raise asyncio.CancelledError
        await self.exchange.respond(status, data, content_type)

    async def _refuse(self, refusal: ApiError) -> None:
        self.answered(refusal.status)
        headers = {}
        if refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
        body = refusal.body()
        if isinstance(body, str):
            kind = "text/html; charset=UTF-8" if body else "application/json"
            await self.exchange.respond(refusal.status, body.encode(), kind, headers)
        else:
            await self.exchange.respond_json(refusal.status, body, headers)


def _after(interaction: Interaction, last_event_id: str | None) -> int:
    """Where a stream that was interrupted goes on."""
    if not last_event_id:
        return 0
    for index, event in enumerate(interaction.events):
        if event.get("event_id") == last_event_id:
            return index + 1
    raise invalid(f"Invalid last_event_id '{last_event_id}'.")
