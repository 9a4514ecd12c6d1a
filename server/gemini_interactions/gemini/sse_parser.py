"""Server-sent events, read from bytes as they arrive.

The SDK's own reader looks at every byte in a Python loop (seven seconds for a large image)
and builds a pydantic model for each event; this one hands out the JSON objects themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gemini_interactions.domain.unicode_repair import may_need_repair
from gemini_interactions.interactions.split_surrogates import SurrogateJoiner

_LINE_END = re.compile(rb"\r\n|\n|\r")

END = b"\n\n"
"""What completes an event that was not followed by a blank line."""


LARGE = 500_000
"""Bytes of one event's JSON above which reading it takes milliseconds."""

Event = dict[str, Any]


class UnreadEvent:
    """A large event whose JSON is still to be read, best in a worker thread and before anything
    that comes after it."""

    def __init__(self, read: Callable[[], Event | None]) -> None:
        self.read = read
        """Returns the event; None where it is no JSON object."""


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

    def feed(self, chunk: bytes) -> list[Event]:
        """The events this chunk completes. What is no JSON object is passed over."""
        came = (
            each.read() if isinstance(each, UnreadEvent) else each for each in self.arrivals(chunk)
        )
        return [event for event in came if event is not None]

    def arrivals(self, chunk: bytes) -> Iterator[Event | UnreadEvent]:
        """The same one by one; of large ones the JSON is not read yet."""
        if not self._begun:
            chunk, self._begun = chunk.removeprefix(b"\xef\xbb\xbf"), True
        if self._ended_in_cr:
            chunk = chunk.removeprefix(b"\n")
        self._ended_in_cr = chunk.endswith(b"\r")
        # One event may be a 25 MB line in a thousand chunks: looked at once, joined once.
        first, *more = _LINE_END.split(chunk)
        self._rest.append(first)
        for following in more:
            event = self._line(b"".join(self._rest))
            self._rest = [following]
            if event is not None:
                yield event

    def close(self) -> list[Event]:
        """The event that was complete but for its blank line, if the stream ended on one."""
        return self.feed(END)

    def _line(self, line: bytes) -> Event | UnreadEvent | None:
        if not line:
            return self._event()
        if line.startswith(b"data:"):
            # One copy, of what may be megabytes.
            self._data.append(line[6 if line[5:6] == b" " else 5 :])
            return None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id":
            self._id = value.decode(errors="replace")
        return None

    def _event(self) -> Event | UnreadEvent | None:
        data, name, id = b"\n".join(self._data), self._name, self._id
        self._data, self._name = [], ""
        if self.done or not data:
            return None
        if data == b"[DONE]":
            self.done = True
            return None
        if len(data) > LARGE:
            return UnreadEvent(partial(self._read, data, name, id))
        return self._read(data, name, id)

    def _read(self, data: bytes, name: str, id: str) -> Event | None:
        try:
            event = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError):
            return None
        if not isinstance(event, dict):
            return None
        if name:
            event.setdefault("event_type", name)
        if id:
            event.setdefault("event_id", id)
        if self._surrogates.waits or may_need_repair(data):
            return self._surrogates.repaired(event)
        return event
