"""What a project's own ``.gitignore`` files leave out, as git reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .path_sandbox.dir_fd import Changed, Folder, NotAFile

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LONGEST = 2**16
LONGEST_PATH = 400
"""A longer one is left out unasked: even a tame pattern takes a second for some of them."""

_MOST_STARS = 3


@dataclass(frozen=True, slots=True)
class Ignores:
    """The rules that hold in a folder: its own before those of the folders it is in.

    Each comes with how many names deep its folder is, since its patterns start there.
    """

    rules: tuple[tuple[int, GitIgnoreSpec], ...] = ()

    def within(self, folder: Folder, depth: int) -> Ignores:
        """The rules in a folder so many names deep, with those of its own ``.gitignore``."""
        lines = _lines(folder)
        if not lines:
            return self
        from pathspec import GitIgnoreSpec  # 8 ms, for those who send folders

        try:
            rule = GitIgnoreSpec.from_lines(lines)
        except ValueError:  # git skips what it cannot read
            rule = GitIgnoreSpec.from_lines([line for line in lines if _is_readable(line)])
        return Ignores(((depth, rule), *self.rules))

    def leave_out(self, names: tuple[str, ...], *, is_folder: bool) -> bool:
        for depth, rule in self.rules:
            path = "/".join(names[depth:]) + ("/" if is_folder else "")
            if len(path) > LONGEST_PATH:
                return True
            verdict = rule.check_file(path).include
            if verdict is not None:
                return verdict
        return False


def _lines(folder: Folder) -> list[str]:
    try:
        with open(folder.file(".gitignore"), "rb") as file:
            text = file.read(LONGEST).decode("utf-8", "replace")
    except (OSError, Changed, NotAFile):
        return []
    return [tamed for line in text.splitlines() if (tamed := _tamed(line))]


def _is_readable(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _tamed(line: str) -> str:
    """The pattern, or a laxer one where it has many stars.

    Patterns become regular expressions that try every way to fit: five stars against a long
    name, or five ``**`` against a deep path, take a minute during which nothing else runs. A
    laxer pattern leaves out more, never less, so one that takes something in again is dropped
    instead.
    """
    names = line.split("/")
    tamed = [name.split("*")[0] + "*" if _stars(name) > _MOST_STARS else name for name in names]
    whole = len(tamed) - (tamed[-1] == "**")  # which costs nothing at the end
    while _stars("/".join(tamed[:whole])) > _MOST_STARS:
        whole -= 1
        tamed = tamed[:whole]
    if tamed == names:
        return line
    return "" if line.startswith("!") else "/".join(tamed)


def _stars(pattern: str) -> int:
    return len(re.findall(r"\*+", pattern))
