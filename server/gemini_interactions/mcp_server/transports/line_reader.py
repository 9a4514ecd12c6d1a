"""Lines from standard input, with what the SDK could not read replaced.

A host that cuts a text in the middle of an emoji sends half of it (``"\\ud83d"``), and a model may
nest its arguments without end. The SDK drops such a line without a word, so its client would wait
for the answer until its own time-out.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence

import anyio.to_thread

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves: an emoji
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # one half alone
    r"|.)",  # any other escape, an escaped backslash among them
    re.DOTALL,
)


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
DEEPEST = 150
"""Levels of nesting in a line; the SDK reads about 200."""
ARGUMENT = 4
"""The level at which the arguments of a call begin: message, params, arguments, argument."""
_TOO_DEEP = f'[["nested more than {DEEPEST} levels deep"]]'
"""What no parameter takes, so that the call is refused in words, by the parameter's name."""


def shallow(line: str) -> str:
    """The line with arguments that are nested too deeply replaced."""
    if line.count("[") + line.count("{") <= DEEPEST:
        return line
    parts: list[str] = []
    done = depth = start = deepest = 0
    for token in _TOKEN.finditer(line):
        if token[0] in "[{":
            depth += 1
            if depth == ARGUMENT:
                start, deepest = token.start(), 0
            deepest = max(deepest, depth)
        elif token[0] in "]}":
            if depth == ARGUMENT and deepest > DEEPEST:
                parts += [line[done:start], _TOO_DEEP]
                done = token.end()
            depth -= 1
    return "".join([*parts, line[done:]])


def sound(line: str) -> str:
    """The line with lone halves of surrogate pairs replaced."""
    if "\\ud" not in line and "\\uD" not in line:
        return line
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], line)


class LineReader:
    """Standard input, line by line: first what was read of it before, then the rest of `wire`."""

    def __init__(self, wire: int, waiting: Sequence[str] = (), rest: bytes = b"") -> None:
        self._waiting = waiting
        self._rest = rest
        # Not closed: a thread may still wait for a line when we leave.
        self._file = os.fdopen(wire, "rb", closefd=False)

    async def __aiter__(self) -> AsyncIterator[str]:
        for line in self._waiting:
            yield shallow(sound(line))
        while part := await self._read():
            line = (self._rest + part).decode("utf-8", "replace")
            self._rest = b""
            yield shallow(sound(line))
        if self._rest:
            yield shallow(sound(self._rest.decode("utf-8", "replace")))

    async def _read(self) -> bytes:
        # Abandoned when its caller is cancelled: the next line may never come.
        return await anyio.to_thread.run_sync(self._file.readline, abandon_on_cancel=True)
