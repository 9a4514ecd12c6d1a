"""Server-sent events, read from bytes as they arrive.

The SDK's own reader looks at every byte in a Python loop (seven seconds for a large image)
and builds a pydantic model for each event; this one hands out the JSON objects themselves.
"""

from __future__ import annotations

import json
import re
from typing import Any

from gemini_interactions.domain.unicode_repair import may_need_repair
from gemini_interactions.interactions.split_surrogates import SurrogateJoiner

_LINE_END = re.compile(rb"\r\n|\n|\r")


class Reader:
    """Puts chunks of bytes together into events; `done` once the stream said `[DONE]`."""

    def __init__(self) -> None:
        self.done = False
        self._begun = False
        self._ended_in_cr = False
        self._rest: list[bytes] = []
        self._name = ""
        self._id = ""
        self._data: list[bytes] = []
        self._surrogates = SurrogateJoiner()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The events this chunk completes. What is no JSON object is passed over."""
        if not self._begun:
            chunk, self._begun = chunk.removeprefix(b"\xef\xbb\xbf"), True
        if self._ended_in_cr:
            chunk = chunk.removeprefix(b"\n")
        self._ended_in_cr = chunk.endswith(b"\r")
        # One event may be a 25 MB line in a thousand chunks: looked at once, joined once.
        first, *more = _LINE_END.split(chunk)
        self._rest.append(first)
        events = []
        for following in more:
            event = self._line(b"".join(self._rest))
            self._rest = [following]
            if event is not None:
                events.append(event)
        return events

    def close(self) -> list[dict[str, Any]]:
        """The event that was complete but for its blank line, if the stream ended on one."""
        return self.feed(b"\n\n")

    def _line(self, line: bytes) -> dict[str, Any] | None:
        if not line:
            return self._event()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id":
            self._id = value.decode(errors="replace")
        return None

    def _event(self) -> dict[str, Any] | None:
        data, name = b"\n".join(self._data), self._name
        self._data, self._name = [], ""
        if self.done or not data:
            return None
        if data == b"[DONE]":
            self.done = True
            return None
        try:
            event = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError):
            return None
        if not isinstance(event, dict):
            return None
        if name:
            event.setdefault("event_type", name)
        if self._id:
            event.setdefault("event_id", self._id)
        if self._surrogates.waits or may_need_repair(data):
            return self._surrogates.repaired(event)
        return event
