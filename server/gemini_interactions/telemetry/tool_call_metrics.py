"""Tool calls: counted for Prometheus, measured for OpenTelemetry by its MCP conventions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .metrics import TOOL_CALLS, TOOL_SECONDS, registry

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram


def answered(tool: str, outcome: str, seconds: float) -> None:
    """One call: the outcome is a status, `refused`, or `abandoned` where nobody heard it."""
    registry.add(TOOL_CALLS, tool, outcome)
    registry.observe(TOOL_SECONDS, tool, seconds=seconds)
    about = {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
    }
    if outcome in ("failed", "refused"):
        about["error.type"] = "tool_error"
    elif outcome == "abandoned":
        about["error.type"] = "cancelled"
    _durations().record(seconds, about)


@cache
def _durations() -> Histogram:
    from . import _meter

    return _meter().create_histogram("mcp.server.operation.duration", "s", "Requests answered.")
