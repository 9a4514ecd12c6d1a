"""Call records: what a tool call came to, for metrics and the audit log; never its words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import mcp_types as types

from ..app import App
from ..bridge.usage.usage_budget import price
from ..domain.types import Usage
from ..telemetry import tool_call_metrics
from ..tools.rendering.result import META

_IDS = (
    *("id", "conversation_id", "turn", "interaction_id", "research_id", "image_id"),
    *("audio_id", "video_id", "environment_id"),
)


class CallRecord:
    """One call, from its beginning to what it came to."""

    def __init__(self, app: App, owner: str, tool: str) -> None:
        self._app = app
        self._owner = owner
        self._tool = tool
        self._began = time.perf_counter()

    def close(self, answer: types.CallToolResult | None) -> Mapping[str, Any]:
        """Counts the call, and returns its entry in the audit log; None is one that nobody waited
        for to its end."""
        outcome, facts = _outcome(answer)
        seconds = time.perf_counter() - self._began
        tool_call_metrics.answered(self._tool, outcome, seconds)
        now = self._app.now()
        usage = facts.get("usage")
        usage = usage if isinstance(usage, Mapping) else {}
        return {
            "owner": self._owner,
            "tool": self._tool,
            "ids": {name: facts[name] for name in _IDS if name in facts},
            "model": facts.get("model"),
            "tokens": usage.get("total_tokens"),
            "cost": _usd(facts, usage, now),
            "outcome": outcome,
            "seconds": round(seconds, 3),
        }


def _outcome(answer: types.CallToolResult | None) -> tuple[str, Mapping[str, Any]]:
    if answer is None:
        return "abandoned", {}
    facts = (answer.meta or {}).get(META)
    facts = facts if isinstance(facts, Mapping) else {}
    return str(facts.get("status") or ("refused" if answer.is_error else "answered")), facts


def _usd(facts: Mapping[str, Any], usage: Mapping[str, Any], now: float) -> float | None:
    """The estimate that the footer shows, in US dollars."""
    if not usage:
        return None
    counted = {name: int(usage.get(f"{name}_tokens", 0)) for name in _COUNTS}
    try:
        used = Usage(**counted)
    except TypeError:  # another shape of usage is no reason to lose the line
        return None
    usd = price(str(facts.get("model", "")), used, now, str(facts.get("service_tier", "")))
    return round(usd, 6) if usd is not None else None


_COUNTS = ("input", "output", "thought", "cached", "tool_use", "total")
