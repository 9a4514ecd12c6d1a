"""Who calls, in which session, and how much its client can take."""

from __future__ import annotations

import os
from typing import Any

from mcp.server.context import ServerRequestContext

from .. import paging
from ..app import App
from ..tools.calls import Key
from ..tools.result import Room

Context = ServerRequestContext[App, Any]

LOCAL = "local"
"""The owner on stdio, and on loopback HTTP without tokens."""

_HOST_SESSIONS = ("CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID")


def owner(_context: Context) -> str:
    """Whose things this call may see."""
    return LOCAL


def session(context: Context, app: App) -> str:
    """What a host lets us know a thread by (a hint, never an authority); "" where there is none."""
    thread = (context.meta or {}).get("threadId")
    if isinstance(thread, str) and thread:
        return f"thread:{thread[:200]}"
    if context.request is not None:
        return _legacy_session(context)
    for name in _HOST_SESSIONS:
        if os.environ.get(name):
            return f"{name}:{os.environ[name]}"
    return f"process:{app.session}"


def room(context: Context, app: App) -> Room:
    """The text budget of this client; files mean something only to clients on this machine."""
    client = context.session.client_params
    name = client.client_info.name if client else None
    budget = paging.budget(name, app.config.max_output_chars)
    return Room(budget, app.keep_whole if context.request is None else None)


def key(context: Context, request_id: Any) -> Key:
    """Where a request is found again when its cancel comes."""
    return _legacy_session(context), str(request_id)


def _legacy_session(context: Context) -> str:
    session = context.request.headers.get("mcp-session-id", "") if context.request else ""
    return f"http:{session}" if session else ""
