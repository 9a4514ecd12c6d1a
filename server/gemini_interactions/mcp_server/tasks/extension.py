"""The Tasks extension of 2026-07-28: who declares it, and the requests it adds."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ..declared_extensions import Context, settings

EXTENSION = "io.modelcontextprotocol/tasks"


class TaskParams(types.RequestParams):
    """Of `tasks/get` and `tasks/cancel`."""

    task_id: str


class TaskUpdateParams(TaskParams):
    """Of `tasks/update`: answers by the keys of what was asked; nothing of them is trusted."""

    input_responses: dict[str, Any]


def is_declared(context: Context) -> bool:
    """Whether the client takes tasks, by what it declares on this very request."""
    is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    return is_modern and settings(context, EXTENSION) is not None


def takes_forms(context: Context) -> bool:
    """Whether the client can show its user a form, by what it declares on this request."""
    declared = context.session.client_capabilities
    elicitation = declared.elicitation if declared else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)
