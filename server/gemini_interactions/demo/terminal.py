"""Terminal output of the demo: lines, with colours only where they show."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MOST_LINES = 6
WIDEST = 100


class Terminal:
    """Everything the demo says, said as it happens."""

    def __init__(self) -> None:
        self._width = min(shutil.get_terminal_size().columns, WIDEST)
        wanted = sys.stdout.isatty() or "FORCE_COLOR" in os.environ
        self._coloured = wanted and "NO_COLOR" not in os.environ
        self._sections = 0
        self._progress = ""

    def title(self, *lines: str) -> None:
        for line in lines:
            self._line(line, style="1")

    def section(self, name: str) -> None:
        self._sections += 1
        self._line("")
        self._line(f"{self._sections}. {name}", style="1;36")

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        given = ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
        self._progress = ""
        self._line(f"> {tool}({given})", indent=3, style="33")

    def progress(self, message: str) -> None:
        if message != self._progress:
            self._line(f"… {message}", indent=5, style="2")
        self._progress = message

    def answer(self, text: str, tail: Sequence[str]) -> None:
        """The beginning of a text, and all of what stands below its line."""
        lines = [line for line in text.splitlines() if line.strip()]
        for line in lines[:MOST_LINES]:
            self._line(line, indent=3)
        if len(lines) > MOST_LINES:
            self.note(f"and {len(lines) - MOST_LINES} more lines")
        for line in tail:
            self._line(line, indent=3, style="2")

    def note(self, words: str) -> None:
        self._line(f"({words})", indent=3, style="2")

    def end(self, words: str) -> None:
        self._line("")
        self._line(words, style="1;32")

    def failed(self, reason: str, log: Path) -> None:
        self._line("")
        self._line(f"This did not work: {reason}.", style="1;31")
        last = log.read_text("utf-8", "replace").splitlines()[-20:] if log.exists() else []
        sys.stderr.writelines(f"{line}\n" for line in last)

    def _line(self, words: str, *, indent: int = 0, style: str = "") -> None:
        margin = " " * indent
        wrapped = textwrap.wrap(
            words,
            self._width,
            initial_indent=margin,
            subsequent_indent=margin + "  " * bool(indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in wrapped or [""]:
            shown = f"\x1b[{style}m{line}\x1b[0m" if style and self._coloured else line
            sys.stdout.write(f"{shown}\n")
        sys.stdout.flush()
