"""Gemini: sends calls to the Interactions API and hands back what it answers.

All traffic goes through google-genai, but past its models of the answer: the answers are read
as the JSON the API sent. So steps are stored and sent again verbatim, types nobody knows yet
pass untouched, and an event costs 0.05 ms of CPU instead of nearly 2. What the SDK does for its
own models (going on after `requires_continuation`) is therefore done here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, suppress
from io import BufferedIOBase
from math import inf
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from gemini_interactions import telemetry
from gemini_interactions.domain.errors import (
    ConnectionLost,
    ForeignSchema,
    Gone,
    NoKey,
    Refused,
    TimedOut,
    UpstreamError,
    WrongKey,
)
from gemini_interactions.domain.types import CreateRequest, Interaction, UploadedFile
from gemini_interactions.gemini import error_mapping, serialization, sse_parser, uploads
from gemini_interactions.gemini.agent_environments import AgentEnvironments
from gemini_interactions.gemini.file_search import FileSearchStores
from gemini_interactions.gemini.response_body import read_error, read_json
from gemini_interactions.gemini.sdk import prebuilt_request, sdk_loader
from gemini_interactions.gemini.secret_redaction import SecretRedactor
from gemini_interactions.gemini.serialization import Hop, Model, interaction_id
from gemini_interactions.interactions.stream_accumulator import InteractionAccumulator

log = logging.getLogger(__name__)

Event = dict[str, Any]
Events = AsyncGenerator[Event, None]
T = TypeVar("T")
BeforeSend = Callable[[], Awaitable[None]]

_SHORT = 60.0
_DOWNLOAD = 300.0
# However large a file is: this long without a byte of it is too long.
_SILENT_DOWNLOAD = 120.0
# What follows the end of an interaction, `[DONE]` and the end of the stream, comes at once;
# waiting for it keeps the connection for reuse, and an answer that is there waits no longer.
_LAST_WORD = 1.0
_FAREWELL = 0.1
_ENDS = ("interaction.completed", "error")
# Events taken in before others on the loop have their turn, at 0.1 ms of work each: those that
# have arrived are handed out without waiting for anything.
_AT_A_TIME = 16
_CLOSING = 2.0


class Gemini:
    """Google's side. Every failure is an `UpstreamError`, or `NoKey`.

    `key` is asked at every call, so that a key set later works without a restart; `looked` says
    where it is looked for.
    """

    def __init__(
        self,
        key: Callable[[], str],
        base_url: str = "",
        api_version: str = "v1",
        *,
        looked: str = "",
        other_version: str = "",
        max_continuations: int = 64,
    ) -> None:
        self._key = key
        self._looked = looked
        self._base_url = base_url
        self._api_version = api_version
        # Some models are served by this version only; tried once where the first has no such
        # model. Which one a model needs, and an interaction was made with, is remembered.
        self._other_version = other_version
        self._versions: dict[str, str] = {}
        self._max_continuations = max_continuations
        self._sent_secrets = SecretRedactor()
        # Served by the other version alone, as far as is known.
        self.environments = AgentEnvironments(self._connected, other_version)
        self.stores = FileSearchStores(self._connected, other_version)
        self._lock = threading.Lock()
        self._client_key: str | None = None
        self._client: Future[Any] | None = None
        # Calls may still run on the client of an earlier key.
        self._former: list[Future[Any]] = []

    async def warm(self) -> None:
        """Do beforehand what makes the first call slow."""
        try:
            key = self._usable_key()
        except (NoKey, WrongKey):
            key = "none yet"
        try:
            await sdk_loader.finished(self._client_for(key))
        except (UpstreamError, Refused):
            log.info("the environment does not lead to Google; each call will say why")

    def require_key(self) -> None:
        """Raise what a call would, if there is no usable key."""
        self._usable_key()

    @asynccontextmanager
    async def stream(
        self, call: CreateRequest, before_send: BeforeSend | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Create an interaction and follow it; sent when the first event is asked for.

        Leaving the block closes the connection, and with it a foreground interaction. A stream
        that ends before its interaction does raises `ConnectionLost`.
        """
        async with aclosing(self._created(call, before_send, stream=True)) as events:
            yield events

    async def create(
        self, call: CreateRequest, before_send: BeforeSend | None = None
    ) -> Interaction:
        """Create an interaction and wait for the answer in one piece."""
        return await _drafted(self._created(call, before_send, stream=False))

    async def get(self, id: str, timeout: float = _SHORT, *, api_version: str = "") -> Interaction:
        """Look at an interaction; `api_version` is the one it was made with, if it is known."""
        return await _drafted(
            self._asked("get", id, timeout, inf, **self._version(id, api_version))
        )

    async def cancel(self, id: str, *, api_version: str = "") -> Interaction:
        return await _drafted(
            self._asked("cancel", id, _SHORT, inf, **self._version(id, api_version))
        )

    async def delete(self, id: str, *, api_version: str = "") -> None:
        version = self._version(id, api_version)
        with self._telling("delete", id):
            async with self._answer(_in(_SHORT), "delete", interaction_id(id), **version):
                pass

    @asynccontextmanager
    async def follow(
        self,
        id: str,
        last_event_id: str = "",
        silence: float = 120.0,
        *,
        api_version: str = "",
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Follow a stored interaction, from the start or from after an event.

        Google ends such streams after ten minutes, so an early end is no failure here; nothing
        at all for `silence` seconds is (`TimedOut`), for replays are known to hang.
        """
        resume = {"last_event_id": last_event_id} if last_event_id else {}
        resume |= self._version(id, api_version)
        events = self._asked("get", id, inf, silence, stream=True, **resume)
        async with aclosing(events):
            yield events

    async def models(self) -> list[Model]:
        """The models this key may use."""
        client = await self._connected(deadline := _in(_SHORT))

        async def listed() -> list[Model]:
            pager = await client.aio.models.list(config={"page_size": 1000})
            return [serialization.model(one) async for one in pager]

        with telemetry.asking(
            "list_models", self._base_url, is_enterprise=sdk_loader.is_enterprise()
        ):
            return await _by(deadline, listed())

    async def upload(self, file: BufferedIOBase, mime_type: str, name: str) -> UploadedFile:
        """Send a file to Google's Files API and wait until it can be used."""
        client = await self._connected(_in(_SHORT))
        return await uploads.until_ready(
            client, await uploads.upload(client, file, mime_type, name)
        )

    async def uploaded(self, name: str) -> UploadedFile:
        """What Google says of an uploaded file (``files/…``)."""
        client = await self._connected(deadline := _in(_SHORT))
        return await _by(deadline, uploads.look(client, name))

    async def download(self, address: str) -> bytes:
        """A file that Gemini made and gives by its address there."""
        client = await self._connected(deadline := _in(_DOWNLOAD))
        return await _by(deadline, uploads.download(client, address))

    async def download_to(self, address: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        """The same in pieces, for what is too large for memory."""
        client = await self._connected(_in(_SHORT))
        with anyio.CancelScope(deadline=_in(_SILENT_DOWNLOAD)) as scope:

            async def heard(piece: bytes) -> None:
                await write(piece)
                scope.deadline = _in(_SILENT_DOWNLOAD)

            await uploads.download_to(client, address, heard)
            return
        raise TimedOut()

    async def voices(self) -> list[str]:
        """The ids of the voices this key may speak with, its own ones first."""
        client = await self._connected(deadline := _in(_SHORT))

        async def listed() -> list[str]:
            page = await client.aio.voices.list(page_size=1000)
            return [str(each.id) for each in page.voices or () if each.id]

        return await _by(deadline, listed())

    async def aclose(self) -> None:
        """Close all connections."""
        with self._lock:
            clients = [*self._former, *([self._client] if self._client else [])]
            self._former, self._client, self._client_key = [], None, None
        for client in clients:
            if client.done() and not client.exception():
                with anyio.move_on_after(_CLOSING, shield=True):
                    await client.result().aio.aclose()
                client.result().close()

    async def _created(
        self, call: CreateRequest, before_send: BeforeSend | None, *, stream: bool
    ) -> Events:
        deadline = _in(call.timeout)
        part = serialization.create(call, is_enterprise=sdk_loader.is_enterprise())
        self._sent_secrets.remember(call)
        if stream:
            part["stream"] = True
        version = self._versions.get(call.model) or call.api_version
        hops = 0
        while part:
            hop = Hop()
            try:
                async for event in self._hop(call, part, version, deadline, before_send):
                    hop.hear(event)
                    self._note_version(event, version)
                    yield event
            except Gone as gone:
                # No model was reached, so nothing is sent twice.
                if not (gone.is_model and self._other_version) or version or hops or hop.heard:
                    raise
                version = self._other_version
                continue
            except ConnectionLost:
                # What breaks after the end breaks nothing.
                if not hop.last:
                    raise
            if call.model and version:
                self._versions[call.model] = version
            if hop.is_foreign:
                raise ForeignSchema(hop.shape)
            if not hop.last:
                raise ConnectionLost()
            part = serialization.continuation(part, hop.last)
            hops += 1
            if hop.wants_more and (not part or not hop.moved or hops > self._max_continuations):
                yield serialization.ended_early(hop, hops - 1, self._max_continuations)
                return

    async def _hop(
        self,
        call: CreateRequest,
        part: dict[str, Any],
        version: str,
        deadline: float,
        before_send: BeforeSend | None,
    ) -> Events:
        """One request of a create, and the events it is answered with."""
        # A background run is never continued from here, and the SDK insists on that.
        hops: dict[str, Any] = {} if call.background else {"automatic_continuation": False}
        if version:
            hops["api_version"] = version
        with telemetry.creating(
            call, self._base_url, is_enterprise=sdk_loader.is_enterprise()
        ) as asked:
            async with (
                self._answer(deadline, "create", before_send=before_send, **part, **hops) as answer,
                aclosing(_events(answer, deadline)) as events,
            ):
                async for event in events:
                    asked.hear(event)
                    yield self._sent_secrets.scrubbed(event)

    def _version(self, id: str, known: str) -> dict[str, Any]:
        version = known or self._versions.get(id, "")
        return {"api_version": version} if version else {}

    def _note_version(self, event: Event, version: str) -> None:
        """Say with an interaction which version it was made with, where that is not the usual."""
        interaction = event.get("interaction")
        if version and isinstance(interaction, dict):
            interaction["api_version"] = version
            if isinstance(id := interaction.get("id"), str) and id:
                self._versions[id] = version

    async def _asked(
        self, what: str, id: str, within: float, silence: float = inf, **arguments: Any
    ) -> Events:
        deadline = _in(within)
        first = min(deadline, _in(silence))
        with self._telling(what, id) as asked:
            async with (
                self._answer(first, what, interaction_id(id), **arguments) as answer,
                aclosing(_events(answer, deadline, silence)) as events,
            ):
                async for event in events:
                    asked.hear(event)
                    yield self._sent_secrets.scrubbed(event)

    def _telling(self, what: str, id: str) -> AbstractContextManager[telemetry.Asked]:
        return telemetry.asking(
            f"{what}_interaction", self._base_url, id, is_enterprise=sdk_loader.is_enterprise()
        )

    @asynccontextmanager
    async def _answer(
        self,
        deadline: float,
        what: str,
        *arguments: Any,
        before_send: BeforeSend | None = None,
        **named: Any,
    ) -> AsyncIterator[Any]:
        """Send one request; what it yields is the SDK's response, its body not read yet."""
        client = await self._connected(deadline)
        request = getattr(client.aio.interactions.with_streaming_response, what)
        check = sdk_loader.SendCheck(before_send) if before_send is not None else None
        with sdk_loader.called_before_send(check):
            if check is not None:
                await check()
            try:
                answer = await _by(deadline, _sent(request, arguments, named))
            except UpstreamError as problem:
                if check is not None and check.problem is not None:
                    raise check.problem from None
                problem.said = self._sent_secrets.scrub(problem.said)
                raise
        try:
            if not 200 <= answer.status_code < 300:
                raise error_mapping.answered(answer.status_code, None, dict(answer.headers))
            yield answer
        finally:
            # Also when cancelled: Google stops working for us when the connection closes.
            with anyio.move_on_after(_CLOSING, shield=True):
                await answer.close()

    async def _connected(self, deadline: float) -> Any:
        client = self._client_for(self._usable_key())
        with anyio.CancelScope(deadline=deadline):
            try:
                return await sdk_loader.finished(client)
            except (UpstreamError, Refused):
                raise
            except Exception as error:
                # Vertex AI without a project or credentials, a proxy or certificate that cannot
                # be used: the SDK minds when it is built.
                raise error_mapping.unbuilt(
                    error, is_enterprise=sdk_loader.is_enterprise()
                ) from None
        raise TimedOut()

    def _usable_key(self) -> str:
        key = self._key().strip()
        if not key and not sdk_loader.is_enterprise():
            raise NoKey(self._looked)
        if not key.isascii() or len(key.split()) > 1 or not key.isprintable():
            raise WrongKey()
        return key

    def _client_for(self, key: str) -> Future[Any]:
        with self._lock:
            current = self._client
            broken = current is not None and current.done() and current.exception() is not None
            if current is None or broken or self._client_key != key:
                if current is not None and not broken:
                    self._former.append(current)
                current = sdk_loader.off_the_loop(
                    lambda: sdk_loader.client(key, self._base_url, self._api_version)
                )
                self._client, self._client_key = current, key
            return current


async def _events(answer: Any, deadline: float, silence: float = inf) -> Events:
    """The events of an answer, in whichever of its two forms it came."""
    kind = answer.headers.get("content-type", "")
    if "event-stream" not in kind:
        if "json" not in kind:
            raise await _by(deadline, read_error(answer))
        for event in serialization.events(await _by(deadline, read_json(answer))):
            yield event
        return
    reader = sse_parser.Reader()
    taken, is_over = 0, False
    async with aclosing(answer.iter_bytes()) as chunks:
        while not reader.done:
            limit = min(deadline, _in(_LAST_WORD if is_over else silence))
            try:
                chunk = await _by(limit, anext(chunks, None))
            except (TimedOut, ConnectionLost):
                if is_over:
                    return
                raise
            for came in reader.arrivals(sse_parser.END if chunk is None else chunk):
                arrived = came if isinstance(came, dict) else await _read_apart(came)
                if arrived is None:
                    continue
                is_over = arrived.get("event_type") in _ENDS
                yield arrived
                taken += 1
                if taken % _AT_A_TIME == 0:
                    await anyio.lowlevel.checkpoint()
            if chunk is None:
                return
        with anyio.move_on_after(_FAREWELL), suppress(Exception):
            async for _ in chunks:
                pass


async def _read_apart(event: sse_parser.UnreadEvent) -> Event | None:
    return await anyio.to_thread.run_sync(event.read)


async def _drafted(events: Events) -> Interaction:
    draft = InteractionAccumulator()
    async with aclosing(events):
        try:
            async for event in events:
                draft.add(event)
        except ForeignSchema as problem:
            problem.partial = draft.interaction()
            raise
    if draft.foreign_shape:
        raise ForeignSchema(draft.foreign_shape, draft.interaction())
    return draft.interaction()


async def _by(deadline: float, wait: Awaitable[T]) -> T:
    """Wait for something of the SDK's, but not longer than until then."""
    with anyio.CancelScope(deadline=deadline), error_mapping.mapped_errors():
        return await wait
    raise TimedOut()


def _in(seconds: float) -> float:
    return anyio.current_time() + seconds


async def _sent(request: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The SDK's response to a request, which it builds here.

    A create goes past its models where that can be. Otherwise it refuses to send steps whose shape
    its models do not know: those are then sent past its models alone.
    """
    built = prebuilt_request.past_models(named) if "input" in named else None
    if built is not None:
        return await request(*arguments, **built).__aenter__()
    try:
        return await request(*arguments, **named).__aenter__()
    except (TypeError, ValueError) as error:
        raw = serialization.past_models(named) if prebuilt_request.minds_the_shape(error) else None
        if raw is None:
            raise
    return await request(*arguments, **raw).__aenter__()
