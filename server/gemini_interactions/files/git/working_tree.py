"""Working tree: what of its files differs from the last commit, read by our own reader.

Git would run filters to know that, and look where links lead. Here files are opened below a
folder that is held open, through no link, and their contents become objects of the private copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..gitignore import Ignores
from ..path_sandbox.dir_fd import Changed, Folder, NotAFile, reach
from .repository import LARGEST_BLOB, GitTrouble, PrivateCopy

MOST_READ = 256 * 2**20
MOST_SEEN = 50_000
MOST_UNTRACKED = 200
_SUBMODULE, _LINK = "160000", "120000"
_ENTRY = re.compile(rb"(\S) (\d{6}) ([0-9a-f]{40,64}) (\d)\t(.+)", re.S)
_STAT = re.compile(rb"mtime: (\d+):(\d+)\n.*?size: (\d+)\tflags: [0-9a-f]+\n", re.S)
_POINTER = re.compile(rb"version https://git-lfs\S*\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")
_CRYPT = b"\0GITCRYPT\0"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the index: as git has it, and as its file looked when that was last so."""

    mode: str
    oid: str
    modified: int = 0
    size: int = -1
    is_left_alone: bool = False


@dataclass(slots=True)
class Snapshot:
    """The working tree as a tree of git, and what is not in it."""

    tree: str
    untracked: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


class WorkingTree:
    """`scope` is the part of the tree that may be read, from its top on ("" is all of it)."""

    def __init__(self, copy: PrivateCopy, scope: str) -> None:
        self._copy = copy
        self._top = copy.repository.top
        self._scope = scope
        self._read = 0
        self._left_out: list[tuple[str, str]] = []

    def snapshot(self, head_tree: str) -> Snapshot:
        """The working tree where it is in scope, the last commit elsewhere."""
        head = self._tree(head_tree)
        index = self._index()
        now = {path: each for path, each in head.items() if not self._is_in_scope(path)}
        for path, entry in index.items():
            if self._is_in_scope(path) and (found := self._now(path, entry, head.get(path))):
                now[path] = found
        lines = [f"{mode} {oid}\t{path}" for path, (mode, oid) in now.items()]
        given = b"".join(line.encode("utf-8", "surrogateescape") + b"\0" for line in lines)
        own = os.path.join(self._copy.folder, "index-of-the-working-tree")
        self._copy.run("update-index", "-z", "--index-info", given=given, index=own)
        tree = self._copy.run("write-tree", "--missing-ok", index=own).decode().strip()
        return Snapshot(tree or self._copy.empty_tree, self._untracked(index), self._left_out)

    def _is_in_scope(self, path: str) -> bool:
        return not self._scope or path.startswith(f"{self._scope}/")

    def _tree(self, tree: str) -> dict[str, tuple[str, str]]:
        said = self._copy.run("ls-tree", "-r", "-z", "--full-tree", tree)
        found = {}
        for record in said.split(b"\0"):
            facts, tab, path = record.partition(b"\t")
            if tab:
                mode, _, oid = facts.decode().split(" ")
                found[_str(path)] = (mode, oid)
        return found

    def _index(self) -> dict[str, Entry]:
        said = self._copy.run("ls-files", "-s", "-z", "-t", "--debug")
        found: dict[str, Entry] = {}
        at = 0
        while at < len(said):
            end = said.index(b"\0", at)
            entry, at = _ENTRY.fullmatch(said[at:end]), end + 1
            facts = _STAT.search(said, at)
            if entry is None or facts is None:
                raise GitTrouble("could not read the index of the repository")
            at = facts.end()
            tag, mode, oid, _, path = entry.groups()
            modified = int(facts[1]) * 10**9 + int(facts[2])
            found[_str(path)] = Entry(
                mode.decode(), oid.decode(), modified, int(facts[3]), tag in b"Sh"
            )
        return found

    def _now(
        self, path: str, entry: Entry, before: tuple[str, str] | None
    ) -> tuple[str, str] | None:
        """Mode and object of a file as it is now; None where it is gone."""
        if entry.mode == _SUBMODULE or entry.is_left_alone:
            return entry.mode, entry.oid
        try:
            with reach(self._top, path.split("/")[:-1]) as folder:
                return self._looked_at(folder, path, entry, before)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, Changed, NotAFile):
            self._left_out.append((path, "cannot be read"))
            return before or (entry.mode, entry.oid)

    def _looked_at(
        self, folder: Folder, path: str, entry: Entry, before: tuple[str, str] | None
    ) -> tuple[str, str] | None:
        name = path.rpartition("/")[2]
        there = os.path.join(folder.path, name)
        facts = os.lstat(there)
        if stat.S_ISLNK(facts.st_mode):
            return _LINK, self._blob(os.fsencode(os.readlink(there)))
        mode = "100755" if facts.st_mode & stat.S_IXUSR else "100644"
        if os.name == "nt" and entry.mode.startswith("100"):
            mode = entry.mode
        # A file written in the same moment as the index may have changed since without a trace.
        is_racy = facts.st_mtime_ns >= self._copy.index_modified
        if (facts.st_size, facts.st_mtime_ns) == (entry.size, entry.modified) and not is_racy:
            return mode, entry.oid
        if facts.st_size > LARGEST_BLOB or self._read + facts.st_size > MOST_READ:
            self._left_out.append((path, "too large to be compared"))
            return before or (entry.mode, entry.oid)
        with open(folder.file(name), "rb") as file:
            data = file.read(LARGEST_BLOB + 1)
        self._read += len(data)
        oid = self._as_kept(path, data, entry.oid, before[1] if before else entry.oid)
        return (mode, oid) if oid else (before or (entry.mode, entry.oid))

    def _as_kept(self, path: str, data: bytes, staged: str, before: str) -> str:
        """The object of these bytes as git would keep them; "" where that cannot be told."""
        if self._oid(data) in (staged, before):
            return self._oid(data)
        plain = data.replace(b"\r\n", b"\n")
        if self._oid(plain) in (staged, before):  # checked out with the line ends of Windows
            return self._oid(plain)
        kept = self._copy.run("cat-file", "blob", before, most=LARGEST_BLOB, may_fail=True)
        if pointer := _POINTER.match(kept):
            digest = hashlib.sha256(data).hexdigest()
            if digest == pointer[1].decode():
                return before
            first = kept.partition(b"\n")[0]
            told = b"%s\noid sha256:%s\nsize %d\n" % (first, digest.encode(), len(data))
            return self._blob(told)
        if kept.startswith(_CRYPT) or (b"\0" in kept[:8000] and b"\0" not in data[:8000]):
            self._left_out.append((path, "kept in another form (a filter)"))
            return ""
        if b"\r\n" in data and kept and b"\r\n" not in kept:
            return self._blob(plain)
        return self._blob(data)

    def _oid(self, data: bytes) -> str:
        digest = hashlib.new(self._copy.hash_name, usedforsecurity=False)
        digest.update(b"blob %d\0" % len(data))
        digest.update(data)
        return digest.hexdigest()

    def _blob(self, data: bytes) -> str:
        """Keep an object in the private copy; its name."""
        oid = self._oid(data)
        folder = os.path.join(self._copy.folder, "objects", oid[:2])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, oid[2:]), "wb") as file:
            file.write(zlib.compress(b"blob %d\0" % len(data) + data, 1))
        return oid

    # -- what git does not know -----------------------------------------------------

    def _untracked(self, index: Mapping[str, Entry]) -> list[str]:
        """Names of files that are neither known nor ignored, as many as anybody reads."""
        parts = tuple(self._scope.split("/")) if self._scope else ()
        known = {path[:at] for path in index for at, each in enumerate(path) if each == "/"}
        found: list[str] = []
        try:
            rules = self._rules(parts)
            with reach(self._top, parts) as folder:
                for path in self._walk(folder, parts, rules, known, index):
                    found.append(path)
                    if len(found) > MOST_UNTRACKED:
                        break
        except (OSError, Changed):
            pass
        return found

    def _rules(self, parts: tuple[str, ...]) -> Ignores:
        rules = Ignores()
        for depth in range(len(parts)):
            with reach(self._top, parts[:depth]) as above:
                rules = rules.within(above, depth)
        return rules

    def _walk(
        self,
        folder: Folder,
        parts: tuple[str, ...],
        rules: Ignores,
        known: set[str],
        index: Mapping[str, Entry],
        seen: list[int] | None = None,
    ) -> Iterator[str]:
        rules = rules.within(folder, len(parts))
        seen = [0] if seen is None else seen
        entries = folder.entries()
        is_other = bool(parts) and any(name == ".git" for name, _ in entries)
        for name, facts in () if is_other else entries:
            seen[0] += 1
            below = (*parts, name)
            path = "/".join(below)
            is_folder = stat.S_ISDIR(facts.st_mode)
            if seen[0] > MOST_SEEN or name == ".git":
                continue
            if path in index or rules.leave_out(below, is_folder=is_folder):
                continue
            if is_folder:
                with folder.folder(name) as inner:
                    inside = self._walk(inner, below, rules, known, index, seen)
                    if path in known:
                        yield from inside
                    elif next(inside, ""):  # a folder of nothing but ignored files is none
                        yield f"{path}/"
            elif stat.S_ISREG(facts.st_mode):
                yield path


def is_ignored(top: str, path: str) -> bool:
    """Whether a .gitignore of the working tree leaves this file out."""
    parts = tuple(path.split("/"))
    rules = Ignores()
    try:
        for depth in range(len(parts)):
            with reach(top, parts[:depth]) as folder:
                rules = rules.within(folder, depth)
            inside = depth < len(parts) - 1
            if rules.leave_out(parts[: depth + 1], is_folder=inside):
                return True
    except (OSError, Changed):
        return False
    return False


def _str(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
