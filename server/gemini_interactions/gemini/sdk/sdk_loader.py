"""google-genai itself: imported late, in a thread of its own, and warmed there.

Importing it and its first call take most of a second of CPU, so neither happens while
somebody waits for a handshake. The threads are daemons: a process whose standard input ends
must not stay for an import.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import logging
import os
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from gemini_interactions import lean_import
from gemini_interactions.gemini import network_settings
from gemini_interactions.gemini.sdk import sdk_memoization

T = TypeVar("T")

# Seconds. A connection that is not there after this long will not come; a body that cannot
# be written for this long is stuck. Reading has no limit here: a model may think for minutes,
# and every call has a limit of its own.
_CONNECT, _WRITE = 20.0, 60.0

_one_at_a_time = threading.Lock()


class SendCheck:
    """What is called when a request is about to leave, and why it forbade that: the SDK and its
    HTTP client may make something else of an exception that goes through them."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self.problem: Exception | None = None

    async def __call__(self) -> None:
        try:
            await self._check()
        except Exception as problem:
            self.problem = problem
            raise


_before_send: ContextVar[SendCheck | None] = ContextVar("before_send", default=None)


@contextmanager
def called_before_send(check: SendCheck | None) -> Iterator[None]:
    """Within the block, requests of this task call `check` when they are about to leave."""
    token = _before_send.set(check)
    try:
        yield
    finally:
        _before_send.reset(token)


async def _check_before_send(_request: object) -> None:
    check = _before_send.get()
    if check is not None:
        await check()


def off_the_loop(work: Callable[[], T]) -> Future[T]:
    """Start work in a daemon thread."""
    future: Future[T] = Future()
    # From here on it cannot be cancelled: whoever stops waiting leaves it to the next.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="google-genai", daemon=True).start()
    return future


async def finished(future: Future[T]) -> T:
    """What such work came to."""
    return future.result() if future.done() else await asyncio.wrap_future(future)


def is_enterprise() -> bool:
    """Whether google-genai's own variables choose Vertex AI; read the way it reads them."""
    for name in ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI"):
        if (value := os.environ.get(name)) is not None:
            return value.lower() in ("true", "1")
    return False


def client(key: str, base_url: str, api_version: str) -> Any:
    """A client of google-genai that sends nothing twice by itself."""
    # First: the rehearsal builds a client too, and would raise what nobody understands.
    network_settings.check(os.environ, is_secure=not base_url.startswith("http://"))
    with _one_at_a_time:
        _warm()
    if is_enterprise():
        # Project, location and credentials are google-genai's business, and so is which of
        # them beats a key; ours only helps where it has nothing else.
        named = os.environ.get("GOOGLE_CLOUD_PROJECT") or os.environ.get("GOOGLE_CLOUD_LOCATION")
        return _client(None if named else key or None, base_url, "")
    return _client(key, base_url, api_version)


def _client(key: str | None, base_url: str, api_version: str, **options: Any) -> Any:
    import httpx2
    from google import genai
    from google.genai import types

    arguments: dict[str, Any] = {
        # Owners have limits of their own. With 100 connections for all of them, somebody's long
        # calls would keep others' calls waiting, and everybody's looks and cancels.
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        "timeout": (_CONNECT, None, _WRITE, None),
        # The key's header would follow a redirect to any host; the API has none.
        "follow_redirects": False,
        # The SDK has built the request by then, which takes tens of milliseconds.
        "event_hooks": {"request": [_check_before_send]},
    }
    if base_url.startswith("http://"):
        # The emulator: without TLS the certificates, 40 ms of loading, are never looked at.
        arguments["verify"] = arguments["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    elif trusted := network_settings.extra_authorities(os.environ):
        arguments["verify"] = arguments["ssl"] = trusted
    made = genai.Client(
        api_key=key,
        http_options=types.HttpOptions(
            base_url=base_url or None,
            api_version=api_version or None,
            retry_options=types.HttpRetryOptions(attempts=1),
            async_client_args=arguments,
            **options,
        ),
    )
    _ = made.aio.interactions  # imported at first use: half of the whole
    if not is_enterprise():
        authenticate_inline(made)
    return made


@functools.cache
def _warm() -> None:
    """Import everything, and take one call as far as the wire."""
    # Their INFO lines carry URLs, google.genai's DEBUG lines (GOOGLE_GENAI_DEBUG) even the key;
    # google_genai warns when two keys are set, and we chose one.
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "google.genai"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("google_genai").setLevel(logging.ERROR)
    with _gently():
        # The Interactions API is 270 models, of which calls use a handful (10 MB); images are never
        # handed to it as Pillow's (2 MB). Seen in 3.4.0 and 3.6.1.
        with lean_import.models_built_at_first_use(), lean_import.hidden("PIL"):
            sdk_memoization.install()
        asyncio.run(_rehearsal())
    # All of it stays: looked at no more, a full garbage collection takes 5 ms instead of 60.
    gc.freeze()
    _give_back()


def _give_back() -> None:
    """Importing leaves 3 MB of memory that nothing uses; glibc keeps it unless told."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another libc
            ctypes.CDLL(None).malloc_trim(0)


async def _rehearsal() -> None:
    import httpx2

    async def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={})

    there = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    rehearsed = _client("rehearsal", "http://rehearsal.invalid", "v1", httpx_async_client=there)
    async with rehearsed.aio.interactions.with_streaming_response.create(
        model="none", input="", stream=True
    ) as response:
        await response.read()
    await rehearsed.aio.aclose()
    rehearsed.close()


@contextmanager
def _gently() -> Iterator[None]:
    """Let the event loop breathe meanwhile.

    Importing holds the interpreter; handed over more often, the loop waits 1.6 instead of
    5 ms (p95). A full garbage collection in the middle of it would stop everything for 40 ms.
    """
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(0.0005)
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collecting:
            gc.enable()


def authenticate_inline(client: Any) -> None:
    """Let a client's hook that sets the key's header run where it is called, in no thread.

    Not for Vertex AI, whose hook may fetch a token over the network. Does nothing where the SDK is
    not as expected.
    """
    try:
        from google.genai._gaos._hooks.adapters import SyncToAsyncBeforeRequestAdapter
        from google.genai._gaos._hooks.google_genai_auth import GoogleGenAIAuthHook

        configuration = client.aio.interactions.sdk_configuration
        hooks = configuration.__dict__["_async_hooks"].before_request_hooks
        for place, hook in enumerate(hooks):
            inner = getattr(hook, "_sync_hook", None)
            if type(hook) is SyncToAsyncBeforeRequestAdapter and isinstance(
                inner, GoogleGenAIAuthHook
            ):
                hooks[place] = _InlineHook(inner)
    except (ImportError, AttributeError, KeyError, TypeError):
        return


class _InlineHook:
    """A hook of the SDK that is called without a thread."""

    def __init__(self, hook: Any) -> None:
        self._hook = hook

    async def before_request(self, context: Any, request: Any) -> Any:
        return self._hook.before_request(context, request)
