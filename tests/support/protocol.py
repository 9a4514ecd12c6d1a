"""What every client by hand writes and reads: versions of MCP, JSON-RPC messages, HTTP headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
Era = Literal["modern", "legacy"]
ERAS: tuple[Era, ...] = ("legacy", "modern")
ACCEPT = "application/json, text/event-stream"

Message = dict[str, Any]


def envelope(name: str = "raw", capabilities: Mapping[str, Any] | None = None) -> Message:
    """The `_meta` that a modern client, called so, sends with every request."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": name, "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": dict(capabilities or {}),
    }


ENVELOPE = envelope()


def request(method: str, params: Mapping[str, Any], id: int | str = 1) -> Message:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": dict(params)}


def notification(method: str, params: Mapping[str, Any] | None = None) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": dict(params or {})}


def initialize(name: str = "claude-code", version: str = LEGACY) -> Message:
    """The params of a legacy client's first request."""
    client = {"name": name, "version": "1"}
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": client}


def http_headers(method: str, params: Mapping[str, Any]) -> dict[str, str]:
    """The headers by which a modern client names what its body asks for."""
    name = params.get("taskId") or params.get("name") or params.get("uri")
    return {
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        **({"mcp-name": str(name)} if name else {}),
    }


def last_message(body: str) -> Message:
    """The message in an HTTP answer, be it JSON or the last event of a stream."""
    lines = [line.removeprefix("data: ") for line in body.splitlines()]
    message: Message = json.loads([line for line in lines if line.startswith("{")][-1])
    return message
