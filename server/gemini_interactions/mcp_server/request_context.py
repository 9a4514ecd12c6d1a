"""Who calls, in which session, and how much its client can take."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request

from ..app import App
from ..config.normalization import given
from ..domain.client_profiles import ClientProfile, client_profile
from ..tools.rendering.result import ClientLimits
from .cancellation import Key

Context = ServerRequestContext[App, Any]

LOCAL = "local"
"""The owner on stdio, and on loopback HTTP without tokens."""

_HOST_SESSIONS = ("CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID")


def owner(context: Context) -> str:
    """Whose things this call may see; over HTTP the gate has found out."""
    if context.request is None:
        return LOCAL
    return str(context.request.user.username)


def credential(context: Context) -> str:
    """What they came in with, as the tokens file knows it; "" where nothing can be removed."""
    if context.request is None:
        return ""
    return str((context.request.user.access_token.claims or {}).get("credential", ""))


def session(context: Context, app: App) -> str:
    """What a host lets us know a thread by (a hint, never an authority); "" where there is none."""
    thread = (context.meta or {}).get("threadId")
    if isinstance(thread, str) and thread:
        # Hashed, since hosts choose how long it is.
        return f"thread:{hashlib.sha256(thread.encode('utf-8', 'replace')).hexdigest()[:32]}"
    if context.request is not None:
        return _legacy_session(context, app)
    for name in _HOST_SESSIONS:
        if hint := given(os.environ.get(name)):
            return f"{name}:{hint}"
    return f"process:{app.session}"


def client_name(context: Context) -> str:
    """What the client calls itself; "" where it does not say."""
    client = context.session.client_params
    return client.client_info.name if client else ""


def profile(context: Context) -> ClientProfile:
    """What is known of the client that calls, by the name it goes by and its era."""
    is_legacy = context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
    return client_profile(client_name(context), "legacy" if is_legacy else "modern")


def time_budget(context: Context, app: App) -> float:
    """Seconds after which a call of this client answers "running"."""
    return app.config.max_wait_seconds or profile(context).time_budget


def limits(context: Context, app: App) -> ClientLimits:
    """What this client takes; files mean something only to clients on this machine."""
    client, config = profile(context), app.config
    link = page = None
    if context.request is not None and app.link:
        link = partial(app.link, owner(context), credential=credential(context))
    if context.request is not None and app.page:
        page = partial(app.page, owner(context), credential=credential(context))
    return ClientLimits(
        budget=config.max_output_chars or client.text_budget,
        keep_whole=app.keep_whole if context.request is None else None,
        structured=config.structured,
        link=link,
        page=page,
        wait=max(1, min(40, int(time_budget(context, app)))),
        previews=config.previews and client.previews,
        facts=client.facts if config.facts is None else config.facts,
        has_session=bool(session(context, app)),
    )


def key(context: Context, request_id: Any, app: App) -> Key | None:
    """Where a request is found again when its cancel comes; None where no cancel can be its own.

    Request ids are the client's choice, so they tell calls apart only within one connection.
    """
    if context.request is None:
        return "", str(request_id)
    session = _legacy_session(context, app)
    return (session, str(request_id)) if session else None


@asynccontextmanager
async def connected(context: Context, app: App) -> AsyncIterator[None]:
    """Cuts its body off when the client of a legacy session hangs up.

    The SDK does so everywhere else. Here it lets a call run on, whose answer nobody gets and
    which would then count as delivered.
    """
    if context.request is None or not _legacy_session(context, app):
        yield
        return
    request: Request = context.request
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cut_off, request, tasks.cancel_scope)
        yield
        tasks.cancel_scope.cancel()


async def _cut_off(request: Request, call: anyio.CancelScope) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    call.cancel()


def _legacy_session(context: Context, app: App) -> str:
    """The session a legacy client was given, which the SDK has checked to be its owner's.

    Modern clients have none, and without sessions nobody has: there the header is only
    something a client said.
    """
    is_legacy = context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS
    if context.request is None or not is_legacy or not app.config.has_sessions:
        return ""
    given = context.request.headers.get("mcp-session-id", "")
    return f"http:{given}" if given else ""
