"""Request handler: admits a request, and answers it at the endpoint it is for."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ..api_errors import ApiError, invalid
from ..control import EmulatorControl
from ..interaction import Interaction
from ..json_types import Json
from ..model_catalog import MODELS
from ..responders.media import VOICES
from ..responders.scripted_answer import Answer
from . import response_faults, routes
from .connection import RequestResponse
from .files_api import KINDS as FILE_KINDS
from .files_api import FilesApi
from .request_context import SNAKE_CASE, RequestContext
from .sandbox_api import SandboxApi
from .sse_writer import SSEWriter
from .stores_api import StoresApi

MOST_INLINE = 100 * 1024 * 1024  # bytes of a whole create request


class RequestHandler:
    """One request, from its arrival to its end."""

    def __init__(self, control: EmulatorControl, exchange: RequestResponse) -> None:
        self._context = RequestContext(control, exchange)
        self._control, self._exchange = control, exchange
        self._service = self._context.service
        self._request, self._plan = self._context.request, self._context.plan
        self._interaction: Interaction | None = None

    async def run(self) -> None:
        try:
            try:
                await self._answer()
            except ApiError as refusal:
                await self._refuse(refusal)
        except asyncio.CancelledError:
            if not self._exchange.is_over:
                self._control.note(self._request, closed_early=True)
                if self._interaction is not None and self._request.kind == "create":
                    self._service.left(self._interaction)
            raise
        finally:
            self._control.note(self._request, ended=True)

    async def _answer(self) -> None:
        await self._fault_before()
        if self._plan.refusal:
            raise self._plan.refusal
        self._admit()
        await self._context.gate("before_created")
        await self._context.sleep(self._plan.delay.first_byte or 0)
        handlers: Mapping[str, Callable[[], Any]] = {
            "create": self._create,
            "get": self._get,
            "cancel": self._cancel,
            "delete": self._delete,
            "models": self._models,
            "voices": self._voices,
        }
        if self._request.kind in FILE_KINDS:
            await FilesApi(self._context).run()
        elif self._request.kind in ("agents", "environments"):
            await SandboxApi(self._context).run()
        elif self._request.kind in ("stores", "store_chunk"):
            await StoresApi(self._context).run()
        else:
            await handlers.get(self._request.kind, self._other)()

    async def _fault_before(self) -> None:
        """The faults that need no answer at all."""
        if fault := self._context.has("slow_first_byte"):
            await self._context.sleep(float(fault.options.get("seconds", 0.05)))
        elif self._context.has("api_key_not_valid"):
            message = "API key not valid. Please pass a valid API key."
            raise ApiError(400, message, "API_KEY_INVALID", shape="google")
        elif self._request.kind in ("chunk", "store_chunk"):
            return  # what breaks it off comes in the middle of its bytes
        elif self._context.fault is not None and self._context.fault.after_events is None:
            if self._context.fault.name == "hang":
                await self._context.hang()
            elif self._context.fault.name == "reset":
                self._exchange.reset()
                raise asyncio.CancelledError
            elif self._context.fault.name == "fin":
                self._exchange.close()
                raise asyncio.CancelledError

    def _admit(self) -> None:
        if self._request.kind in ("chunk", "store_chunk"):
            return  # known by its upload_id
        try:
            self._service.admit(self._context.key)
        except ApiError as refusal:
            if self._request.kind in ("models", "other", "stores", *FILE_KINDS):
                refusal.shape = "google"  # the classic endpoints speak google.rpc
            raise

    async def _create(self) -> None:
        if self._context.body is routes.BROKEN:
            raise ApiError(400, "Invalid JSON payload received.", shape="google")
        if self._request.bytes > MOST_INLINE:
            message = f"Request payload size exceeds the limit: {MOST_INLINE} bytes."
            raise ApiError(400, message, shape="google")
        self._check_version()
        interaction = self._interaction = self._service.create(
            self._context.body, self._context.key
        )
        if interaction.stored:
            self._control.note(self._request, interaction_id=interaction.id)
        self._spoil(interaction)
        wants_stream = self._request.stream and not self._context.has(
            *response_faults.NEVER_A_STREAM
        )
        if wants_stream or self._context.has("stream_instead_of_unary"):
            await SSEWriter(self._context, interaction).run()
            return
        if interaction.background:
            await self._context.before_response()
            await self._show_interaction(interaction)
            return
        await self._context.gate("after_created")
        await self._context.sleep(self._plan.delay.seconds + interaction.answer.delay)
        await self._context.gate("before_completed")
        with self._service.lock:
            interaction.conclude(self._service.now())
        await self._context.gate("before_response")
        await self._show_interaction(interaction)

    def _spoil(self, interaction: Interaction) -> None:
        """The faults that lie in the answer itself."""
        if self._context.has("missing_thought_type") and interaction.is_agents:
            interaction.types_thoughts = False  # of the thoughts to come
            return
        steps = response_faults.spoiled_steps(interaction.planned, self._context.fault)
        if steps is not None:
            self._service.replan(interaction, Answer(steps=steps))

    def _check_version(self) -> None:
        """Version v1 lacks ids that float, such as gemini-flash-latest, and models of speech."""
        model = self._context.body.get("model") if isinstance(self._context.body, dict) else None
        if not isinstance(model, str) or routes.version(self._exchange.path) != "v1":
            return
        known = MODELS.get(model.removeprefix("models/"))
        if model.endswith("-latest") or (known is not None and known.makes == "speech"):
            message = f"{model} is not found for API version v1, or is not supported there."
            raise ApiError(404, message, "model_not_found")

    async def _get(self) -> None:
        if self._request.query.get("fields", "*") != "*":
            raise invalid("Field masks are not supported.")
        interaction = self._service.look(self._context.rest)
        self._control.note(self._request, interaction_id=interaction.id)
        if self._request.stream:
            first = _after(interaction, self._request.query.get("last_event_id"))
            await SSEWriter(self._context, interaction, first).run()
            return
        await self._context.before_response()
        await self._show_interaction(interaction, include_input=True)

    async def _cancel(self) -> None:
        interaction = self._service.cancel(self._context.rest.removesuffix("/cancel"))
        self._control.note(self._request, interaction_id=interaction.id)
        await self._context.before_response()
        await self._show_interaction(interaction)

    async def _delete(self) -> None:
        self._service.delete(self._context.rest)
        self._control.note(self._request, interaction_id=self._context.rest)
        await self._context.before_response()
        await self._context.show({})

    async def _models(self) -> None:
        await self._context.before_response()
        if self._context.rest:
            await self._context.show(self._service.model(self._context.rest))
            return
        await self._context.show(self._context.page("models", self._service.models(), 50))

    async def _voices(self) -> None:
        await self._context.before_response()
        voices: list[Json] = [
            {"id": name, "display_name": name, "type": "prebuilt", "language_code": "en-US"}
            for name in VOICES
        ]
        await self._context.show(self._context.page("voices", voices, 50, SNAKE_CASE))

    async def _other(self) -> None:
        is_known = routes.version(self._exchange.path)
        raise ApiError(404, shape="google" if is_known else "html")

    async def _show_interaction(
        self, interaction: Interaction, *, include_input: bool = False
    ) -> None:
        with self._service.lock:  # a test's thread may be ending it right now
            body = interaction.public(include_input=include_input)
        await self._context.show(body)

    async def _refuse(self, refusal: ApiError) -> None:
        self._context.answered(refusal.status)
        headers = {}
        if refusal.retry_after is not None:
            headers["Retry-After"] = str(refusal.retry_after)
        body = refusal.body()
        if isinstance(body, str):
            kind = "text/html; charset=UTF-8" if body else "application/json"
            await self._exchange.respond(refusal.status, body.encode(), kind, headers)
        else:
            await self._exchange.respond_json(refusal.status, body, headers)


def _after(interaction: Interaction, last_event_id: str | None) -> int:
    """Where a stream that was interrupted goes on."""
    if not last_event_id:
        return 0
    for index, event in enumerate(interaction.events):
        if event.get("event_id") == last_event_id:
            return index + 1
    raise invalid(f"Invalid last_event_id '{last_event_id}'.")
