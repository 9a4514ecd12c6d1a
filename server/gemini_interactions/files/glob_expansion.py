"""A folder or a pattern of files: which of them are sent, and what is left out and why.

A folder of code is more than its code. What version control, package managers and builds put
there is left out, as is what ``.gitignore`` names, what is not text, and credentials.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ..domain.file_errors import NotTaken, printable
from .gitignore import Ignores
from .interaction_content import holds_key, size_of
from .mime_sniffing import UNKNOWN, kind_of
from .path_sandbox.allowed_dirs import Folders, Place, reading
from .path_sandbox.dir_fd import Changed, Folder, NotAFile, reach
from .path_sandbox.path_policy import credential

MOST_FILES = 400
MOST_BYTES = 2 * 2**20
MOST_BYTES_OF_ONE = 256 * 2**10
MOST_BYTES_OF_MEDIA = 100 * 2**20
MOST_SEEN = 20_000
MOST_ALTERNATIVES = 64
LONGEST_NAME = 100
DEEPEST = 40

_VERSION_CONTROL = {".git", ".hg", ".svn"}
_MADE_BY_TOOLS = {
    **dict.fromkeys(("node_modules", "bower_components", "jspm_packages"), "dependencies"),
    **dict.fromkeys((".venv", "venv", "site-packages", "vendor", "Pods"), "dependencies"),
    **dict.fromkeys(("dist", "build", "target", "out", "DerivedData", "obj"), "build output"),
    **dict.fromkeys(("__pycache__", "coverage", "htmlcov"), "made by tools"),
}
_GENERATED = (
    *("*.min.js", "*.min.css", "*.map", "package-lock.json", "npm-shrinkwrap.json", "go.sum"),
    *("*.lock", "pnpm-lock.yaml", "bun.lockb", "Package.resolved"),
)
_KEPT_HIDDEN = {".github", ".gitlab", ".circleci", ".devcontainer", ".vscode", ".storybook"}
_MAGIC = re.compile(r"[*?\[{]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one folder or pattern may stand for; `takes_media` also takes what is not text."""

    files: int = MOST_FILES
    bytes: int = MOST_BYTES
    bytes_of_one: int = MOST_BYTES_OF_ONE
    bytes_of_media: int = MOST_BYTES_OF_MEDIA
    seen: int = MOST_SEEN
    takes_media: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """The files to send, by their real paths and by name, and what was left out."""

    paths: tuple[Path, ...]
    names: tuple[str, ...] = ()
    size: int = 0
    left_out: tuple[tuple[str, str], ...] = ()

    def listing(self, limit: int = 1200) -> str:
        """What was sent and what was not, in about so many characters; "" for a single file."""
        if not self.names:
            return ""
        files = "1 file" if len(self.names) == 1 else f"{len(self.names)} files"
        sent = f"Sent {files} ({size_of(self.size)}): {_some(self.names, limit // 2)}."
        if not self.left_out:
            return sent
        left = [f"{name} ({why})" for name, why in self.left_out]
        return f"{sent} Left out: {_some(left, limit // 2)}."

    def without(self, paths: Sequence[Path]) -> Gathered:
        """The same, less what could no longer be opened when it was its turn."""
        kept = [(path, name) for path, name in zip(self.paths, self.names, strict=True)]
        lost = tuple((name, "changed meanwhile") for path, name in kept if path in paths)
        kept = [(path, name) for path, name in kept if path not in paths]
        return replace(
            self,
            paths=tuple(path for path, _ in kept),
            names=tuple(name for _, name in kept),
            left_out=(*self.left_out, *lost),
        )


def gather(folders: Folders, given: str, limits: Limits | None = None) -> Gathered:
    """The files that a path, a folder or a pattern stands for.

    A path with nothing special about it comes back as it is, to be opened or refused; so does
    one that exists though it looks like a pattern, such as ``app/[id]/page.tsx``.
    """
    return folders.steadily(given, lambda: _gathered(folders, given, limits or Limits()))


def _gathered(folders: Folders, given: str, limits: Limits) -> Gathered:
    place = folders.find(given)
    if os.path.isdir(place.path):
        return _Walk(folders, given, place, [("**", "*")], limits).gathered()
    if os.path.lexists(place.path) or not _MAGIC.search(given):
        return Gathered((Path(given),))
    base, pattern = _split(given)
    return _Walk(folders, given, folders.find(base), pattern, limits).gathered()


State = tuple[int, int]
"""Which of the alternative patterns, and how many of its names are used up."""


class _Walk:
    def __init__(
        self,
        folders: Folders,
        given: str,
        place: Place,
        patterns: list[tuple[str, ...]],
        limits: Limits,
    ) -> None:
        self.start = folders.start
        self.given = given
        self.place = place
        self.patterns = patterns
        self.named = {name for pattern in patterns for name in pattern}
        # Who writes *.png means pictures; who writes * means code.
        self.takes_media = limits.takes_media or all(
            re.search(r"\w$", pattern[-1]) for pattern in patterns
        )
        self.limits = limits
        self.files: list[tuple[Path, str]] = []
        self.left_out: list[tuple[str, str]] = []
        self.size = self.media = self.seen = 0

    def gathered(self) -> Gathered:
        """Walk, and say what was found; NotTaken when that is nothing."""
        parts, rules = self.place.parts, Ignores()
        with reading(self.given, self.start):
            for depth in range(len(parts)):
                with reach(self.place.root, parts[:depth]) as above:
                    rules = rules.within(above, depth)
            if rules.leave_out(parts, is_folder=True):
                rules = Ignores()  # somebody asks for it all the same
            with reach(self.place.root, parts) as folder:
                start = {(which, 0) for which in range(len(self.patterns))}
                self._visit(folder, parts, self._reached(start), rules)
        if not self.files:
            left = _some([f"{name} ({why})" for name, why in self.left_out], 300)
            what = "stands for no file that can be sent" + (f"; left out: {left}" if left else "")
            raise NotTaken(self.given, what, "Name the files themselves, or another pattern.")
        paths, names = zip(*self.files, strict=True)
        return Gathered(paths, names, self.size + self.media, tuple(self.left_out))

    def _visit(
        self, folder: Folder, parts: tuple[str, ...], states: set[State], rules: Ignores
    ) -> None:
        rules = rules.within(folder, len(parts))
        # A folder's own files before those of the folders in it.
        for name, facts in sorted(folder.entries(), key=lambda each: stat.S_ISDIR(each[1].st_mode)):
            self.seen += 1
            below = (*parts, name)
            now = self._after(states, name)
            is_folder = stat.S_ISDIR(facts.st_mode)
            if not now:
                continue
            if self.seen > self.limits.seen:
                self._stop()
                return
            why = self._why_not(below, rules, is_folder=is_folder)
            if is_folder and any(used < len(self.patterns[which]) for which, used in now):
                why = why or self._enter(folder, below, now, rules)
            elif not is_folder and self._is_whole(now):
                why = why or self._take(folder, below, facts)
            else:
                continue
            if why:
                self.left_out.append((self._name(below) + "/" * is_folder, why))

    def _stop(self) -> None:
        why = ("everything further", f"more than {self.limits.seen:,} files and folders")
        if why not in self.left_out:
            self.left_out.append(why)

    def _enter(
        self, folder: Folder, parts: tuple[str, ...], states: set[State], rules: Ignores
    ) -> str:
        if len(parts) > len(self.place.parts) + DEEPEST:
            return "too deep"
        try:
            with folder.folder(parts[-1]) as inner:
                self._visit(inner, parts, states, rules)
        except (OSError, Changed):
            return "cannot be read"
        return ""

    def _take(self, folder: Folder, parts: tuple[str, ...], facts: os.stat_result) -> str:
        """Add one file, or say why not."""
        if stat.S_ISLNK(facts.st_mode):
            return "a link"
        if not facts.st_size:
            return "empty"
        if len(self.files) >= self.limits.files:
            return f"over the limit of {self.limits.files} files"
        try:
            with open(folder.file(parts[-1]), "rb") as file:
                kind = kind_of(file)
                has_key = facts.st_size <= self.limits.bytes_of_one and holds_key(file, kind)
        except (OSError, Changed, NotAFile):
            return "cannot be read"
        if not kind.type or (kind.type != "text" and not self.takes_media):
            return kind.called if kind.mime != UNKNOWN.mime else "not text"
        if has_key:
            return "contains a private key"
        if kind.type != "text":
            if self.media + facts.st_size > self.limits.bytes_of_media:
                return f"over the limit of {size_of(self.limits.bytes_of_media)} in all"
            self.media += facts.st_size
        elif facts.st_size > self.limits.bytes_of_one:
            return f"{size_of(facts.st_size)}, too long in a folder"
        elif self.size + facts.st_size > self.limits.bytes:
            return f"over the limit of {size_of(self.limits.bytes)} in all"
        else:
            self.size += facts.st_size
        self.files.append((Path(self.place.root, *parts), self._name(parts)))
        return ""

    def _why_not(self, parts: tuple[str, ...], rules: Ignores, *, is_folder: bool) -> str:
        """Why a file or folder is left out for its name alone, or ""."""
        name = parts[-1]
        if credential((*Path(self.place.root).parts, *parts), is_folder=is_folder):
            return "version control" if name in _VERSION_CONTROL else "may hold credentials"
        if name in self.named:
            return ""
        if is_folder and name in _MADE_BY_TOOLS:
            return _MADE_BY_TOOLS[name]
        if is_folder and name.startswith(".") and name not in _KEPT_HIDDEN:
            return "hidden"
        if not is_folder and any(fnmatchcase(name, each) for each in _GENERATED):
            return "generated"
        return ".gitignore" if rules.leave_out(parts, is_folder=is_folder) else ""

    def _name(self, parts: tuple[str, ...]) -> str:
        return printable("/".join(parts))

    # Matching goes along with the walk, so that only folders are entered that can matter.

    def _after(self, states: set[State], name: str) -> set[State]:
        following: set[State] = set()
        for which, used in states:
            pattern = self.patterns[which]
            if used < len(pattern):
                if pattern[used] == "**":
                    following.add((which, used))
                elif fnmatchcase(name, pattern[used]):
                    following.add((which, used + 1))
        return self._reached(following)

    def _reached(self, states: set[State]) -> set[State]:
        """With every state that needs no further name: ``**`` may stand for none."""
        found = set(states)
        for which, used in states:
            pattern = self.patterns[which]
            while used < len(pattern) and pattern[used] == "**":
                used += 1
                found.add((which, used))
        return found

    def _is_whole(self, states: set[State]) -> bool:
        return any(used == len(self.patterns[which]) for which, used in states)


def _split(given: str) -> tuple[str, list[tuple[str, ...]]]:
    """The folder before the first wildcard, and the names that follow, for each alternative."""
    names = re.split(r"[/\\]" if os.name == "nt" else "/", given)
    first = next(at for at, name in enumerate(names) if _MAGIC.search(name))
    base = "/".join(names[:first]) or ("/" if first else ".")
    rest = "/".join(name for name in names[first:] if name not in ("", "."))
    return base, [tuple(each.split("/")) for each in _alternatives(rest)]


def _alternatives(pattern: str) -> list[str]:
    """``*.{ts,tsx}`` is two patterns."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        each = waiting.pop(0)
        braces = re.search(r"\{([^{}]*)\}", each)
        if braces and len(done) + len(waiting) < MOST_ALTERNATIVES:
            choices = braces[1].split(",")
            waiting = [each[: braces.start()] + c + each[braces.end() :] for c in choices] + waiting
        else:
            done.append(each)
    return done


def _some(names: Sequence[str], limit: int) -> str:
    """As many names as fit, and how many more there are."""
    some: list[str] = []
    for name in names:
        short = name if len(name) <= LONGEST_NAME else "…" + name[-LONGEST_NAME + 1 :]
        limit -= len(short) + 2
        if limit < 0 and some:
            return f"{', '.join(some)} and {len(names) - len(some)} more"
        some.append(short)
    return ", ".join(some)
