"""Progress of an agent's run: what it does in its sandbox, and what that has used so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..research.progress import ResearchProgress

_COUNTED = {
    "code_execution_call": ("command", "commands"),
    "function_call": ("call", "calls"),
    "mcp_server_tool_call": ("call", "calls"),
}


class AgentProgress(ResearchProgress):
    """What a run has told so far, from a look at it or from its events."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._work: dict[int, tuple[str, str]] = {}

    @property
    def known(self) -> int:
        return super().known + len(self._work)

    @property
    def counted(self) -> str:
        done = list(self._work.values())
        parts = [
            f"{done.count(names)} {names[0] if done.count(names) == 1 else names[1]}"
            for names in dict.fromkeys(done)
        ]
        tokens = self._draft.tokens_so_far
        parts += [super().counted, f"{tokens:,} tokens" if tokens else ""]
        return ", ".join(part for part in parts if part)

    def _count(self, number: int, said: Mapping[str, Any]) -> None:
        super()._count(number, said)
        kind = said.get("type")
        if isinstance(kind, str) and kind in _COUNTED:
            self._work[number] = _COUNTED[kind]
