"""Extensions of the protocol that a client declares, and how a server says that it has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcp.server.context import HandlerResult, ServerRequestContext
from pydantic import BaseModel

from ..app import App

Context = ServerRequestContext[App, Any]


def settings(context: Context, extension: str) -> Mapping[str, Any] | None:
    """What the client says of this extension on this request; None where it does not declare it."""
    if context.method == "initialize":  # before the SDK has taken in what it says
        capabilities = (context.params or {}).get("capabilities")
        extensions = capabilities.get("extensions") if isinstance(capabilities, Mapping) else None
    else:
        declared = context.session.client_capabilities
        extensions = declared.extensions if declared else None
    said = extensions.get(extension) if isinstance(extensions, Mapping) else None
    return said if isinstance(said, Mapping) else None


def with_extensions(result: HandlerResult, names: Iterable[str]) -> HandlerResult:
    """An `initialize` or `server/discover` result that names these extensions: mcp 2.3 drops those
    of a server from `initialize`, and some hosts use one only if they see it."""
    added: dict[str, Any] = {name: {} for name in names}
    if not added:
        return result
    if isinstance(result, BaseModel):
        result = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    if not isinstance(result, dict):
        return result
    capabilities = dict(result.get("capabilities") or {})
    extensions = {**(capabilities.get("extensions") or {}), **added}
    return {**result, "capabilities": {**capabilities, "extensions": extensions}}
