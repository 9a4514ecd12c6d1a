"""Redaction of secrets of tools (headers, addresses): an error of Google's may repeat them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.interactions.json_values import as_mapping, as_text

REMEMBERED = 1000
SHORTEST = 6
"""Characters; shorter values, such as `true`, are words that errors may hold."""


class SecretRedactor:
    """What was sent lately; in memory only."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, None] = OrderedDict()

    def remember(self, call: CreateRequest) -> None:
        for tool in call.tools:
            values = [as_text(each) for each in as_mapping(tool.get("headers")).values()]
            values += [part for value in values for part in value.split()]
            values += _in_query(as_text(tool.get("url")))
            for value in values:
                if len(value) >= SHORTEST:
                    self._values[value] = None
        while len(self._values) > REMEMBERED:
            self._values.popitem(last=False)

    def scrub(self, text: str) -> str:
        """The text without any of them; the longest first, since one may hold another."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, "…")
        return text

    def scrubbed(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event whose words about what went wrong hold none of them; the rest is untouched."""
        if not self._values:
            return event
        for holder in (event, event.get("interaction")):
            if isinstance(holder, dict):
                for name in ("error", "errors"):
                    if holder.get(name):
                        holder[name] = self._without(holder[name])
        steps = as_mapping(event.get("interaction")).get("steps")
        started = [event.get("step"), *(steps if isinstance(steps, list) else ())]
        for step in started:
            if isinstance(step, dict) and isinstance(step.get("error"), Mapping):
                step["error"] = self._without(step["error"])
        return event

    def _without(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, list):
            return [self._without(each) for each in value]
        if isinstance(value, Mapping):
            return {name: self._without(each) for name, each in value.items()}
        return value


def _in_query(url: str) -> list[str]:
    try:
        return [value for _, value in parse_qsl(urlsplit(url).query)]
    except ValueError:
        return []
