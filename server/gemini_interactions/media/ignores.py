"""What a project's own ``.gitignore`` files leave out, as git reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .handles import Changed, Folder, NotAFile

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LONGEST = 2**16
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
    """The pattern, or a laxer one where it has many stars in a name.

    Patterns become regular expressions that try every way to fit: five stars against a long
    name take a minute, during which nothing else runs. A laxer pattern leaves out more, never
    less, so one that takes something in again is dropped instead.
    """
    names = line.split("/")
    wild = [name for name in names if len(re.findall(r"\*+", name)) > _MOST_STARS]
    if not wild:
        return line
    if line.startswith("!"):
        return ""
    return "/".join(name.split("*")[0] + "*" if name in wild else name for name in names)
