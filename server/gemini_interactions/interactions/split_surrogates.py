"""Surrogate pairs that a stream splits: one delta ends in ``"\\ud83d"``, the next of its step
begins with ``"\\ude00"``.

JSON can carry such halves, nothing else can. The first is held back until the other comes; one
that nothing continues is left out at the end of its step, and replaced by U+FFFD before more text.
"""

from __future__ import annotations

from typing import Any

from ..domain.unicode_repair import replace_lone_surrogates
from .json_values import as_text, type_of

_FIRST_HALVES = ("\ud800", "\udbff")


class SurrogateJoiner:
    """Repairs the events of one stream, in their order. `waits` while a half is held back: only
    then, or where an event may hold one, does it need to be asked."""

    def __init__(self) -> None:
        # By the step's index, which is None where it is not given, and the type of the delta.
        self._halves: dict[tuple[int | None, str], str] = {}

    @property
    def waits(self) -> bool:
        return bool(self._halves)

    def repaired(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event without lone surrogates."""
        match event.get("event_type"):
            case "step.delta":
                self._join(event)
            case "step.start" | "step.stop":
                index = _index(event)
                self._halves = {key: half for key, half in self._halves.items() if key[0] != index}
            case _:
                self._halves = {}
        repaired: dict[str, Any] = replace_lone_surrogates(event)
        return repaired

    def _join(self, event: dict[str, Any]) -> None:
        delta = event.get("delta")
        kind = type_of(delta)
        holder, name = _text(delta, kind)
        if not holder:
            return
        key = (_index(event), kind)
        text = self._halves.pop(key, "") + as_text(holder[name])
        if text and _FIRST_HALVES[0] <= text[-1] <= _FIRST_HALVES[1]:
            text, self._halves[key] = text[:-1], text[-1]
        holder[name] = text


def _index(event: dict[str, Any]) -> int | None:
    index = event.get("index")
    return index if isinstance(index, int) else None


def _text(delta: Any, kind: str) -> tuple[dict[str, Any], str]:
    """The object that holds a delta's text, and under which name; an empty one where it has
    none."""
    match kind:
        case "text":
            holder, name = delta, "text"
        case "thought_summary":
            holder, name = delta.get("content"), "text"
        case "arguments_delta":
            holder, name = delta, "arguments"
        case _:
            return {}, ""
    is_text = isinstance(holder, dict) and isinstance(holder.get(name), str)
    return (holder, name) if is_text else ({}, "")
