"""Lines from standard input, with what JSON can carry and no text can hold replaced.

A host that cuts a text in the middle of an emoji sends half of it (``"\\ud83d"``). The SDK drops
such a line without a word, so its client would wait for the answer until its own time-out.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from typing import Any, TextIO

import anyio

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves: an emoji
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # one half alone
    r"|.)",  # any other escape, an escaped backslash among them
    re.DOTALL,
)


def sound(line: str) -> str:
    """The line with lone halves of surrogate pairs replaced."""
    if "\\ud" not in line and "\\uD" not in line:
        return line
    return _ESCAPE.sub(lambda found: r"\ufffd" if found[1] else found[0], line)


class Lines:
    """Standard input as `stdio_server` reads it: line by line."""

    def __init__(self) -> None:
        self._file = anyio.wrap_file(_claimed())

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in self._file:
            yield sound(line)


def stdin() -> Any:
    """What to hand to `stdio_server`, which only iterates over it."""
    return Lines()


def _claimed() -> TextIO:
    """The wire, under a number of its own: a child process that reads stdin finds it empty."""
    wire = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # Not closed: a thread may still wait for a line when we leave.
    return os.fdopen(wire, encoding="utf-8", errors="replace", closefd=False)
