"""Changes: what a `git:` entry stands for, as text for a model, cut by file where it is long."""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...domain.file_errors import NotAllowed, NotTaken, printable
from ..interaction_content import holds_key, size_of
from ..mime_sniffing import kind_of
from ..path_sandbox.allowed_dirs import Folders
from ..path_sandbox.path_policy import credential
from ..text_decoding import decoded, encoding_of
from .repository import GitTrouble, PrivateCopy, Repository
from .working_tree import Snapshot, WorkingTree, is_ignored

PREFIX = "git:"
FORMS = "git:diff, git:staged, git:REV, git:A..B or git:A...B, each with or without :PATH"
MOST_LISTED = 1000
"""Files named in the list of what changed."""
MOST_COMMITS = 50
LONGEST_MESSAGE = 4000
MOST_LOOKED_THROUGH = 64 * 2**20
"""As much of the files that changed is searched for private keys."""

# Branches, tags, ids, HEAD~2, v1^{}, main@{…} not: there is no reflog in the private copy.
_REV = re.compile(
    r"(?:[A-Za-z0-9_]|@(?![{]))[A-Za-z0-9_./@+#=-]{0,250}(?:[~^]\d{0,6}|\^\{\}){0,20}"
)
_RAW = re.compile(rb":(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])\d*")


@dataclass(frozen=True, slots=True)
class GitEntry:
    """A `git:` entry taken apart: `left` and `right` are revisions, `dots` what stood between."""

    given: str
    left: str = ""
    right: str = ""
    dots: str = ""
    path: str = ""

    @classmethod
    def parse(cls, given: str) -> GitEntry:
        spec, _, path = given.removeprefix(PREFIX).partition(":")
        spec = spec.strip()
        left, dots, right = spec, "", ""
        if ".." in spec:
            dots = "..." if "..." in spec else ".."
            left, _, right = spec.partition(dots)
            left, right = left or "HEAD", right or "HEAD"
        named = [left, right] if dots else [left]
        if not all(_REV.fullmatch(each) and ".." not in each for each in named):
            raise NotTaken(given, "names no change of a git repository", f"Forms are {FORMS}.")
        return cls(given, left, right, dots, path)

    @property
    def is_working_tree(self) -> bool:
        return (self.left, self.dots) == ("diff", "")

    @property
    def is_staged(self) -> bool:
        return (self.left, self.dots) == ("staged", "")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that changed: modes and objects before and after, and its patch."""

    status: str
    path: str
    old_path: str
    modes: tuple[str, str]
    oids: tuple[str, str]
    patch: bytes = b""

    @property
    def name(self) -> str:
        new, old = printable(self.path), printable(self.old_path)
        return new if self.path == self.old_path else f"{old} → {new}"

    @property
    def is_binary(self) -> bool:
        return bool(re.search(rb"^Binary files .* differ$", self.patch[:20_000], re.M))


@dataclass(frozen=True, slots=True)
class GitChange:
    """A change, ready to send: its text, a line about it, and notes for the caller."""

    text: str
    label: str
    notes: tuple[str, ...] = ()


def read(folders: Folders, given: str, most: int) -> GitChange:
    """The change an entry stands for, in at most so many bytes. Blocking. Raises a refusal."""
    entry = GitEntry.parse(given)
    working, scope_of = folders.working_place(given)
    try:
        repository = Repository.of(working)
        scope = scope_of(repository.top)
        path = _path(entry, repository.top, working, scope)
        with PrivateCopy.of(repository) as copy:
            return _Reading(copy, entry, scope, path, most).change()
    except GitTrouble as trouble:
        raise NotTaken(given, trouble.what, trouble.way_out) from None


def _path(entry: GitEntry, top: str, working: str, scope: str) -> str:
    """The path wanted, from the top of the repository on; "" for all that is in scope."""
    if not entry.path.strip():
        return scope
    here = Path(working).relative_to(top).as_posix()
    wanted = posixpath.normpath(posixpath.join(here, entry.path.strip().replace("\\", "/")))
    if wanted in (".", ""):
        return scope
    is_outside = posixpath.isabs(wanted) or wanted == ".." or wanted.startswith("../")
    if is_outside or (scope and wanted != scope and not wanted.startswith(f"{scope}/")):
        raise NotAllowed.outside(entry.given, (top,))
    return wanted


@dataclass(slots=True)
class _Reading:
    """One change being read."""

    copy: PrivateCopy
    entry: GitEntry
    scope: str
    path: str
    most: int
    left_out: list[tuple[str, str]] = field(default_factory=list)
    heading: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    """Objects that are not sent, with the reason."""

    def change(self) -> GitChange:
        compared = self._compared()
        changes = list(self._changes(compared))
        if not changes and not self.untracked:
            raise NotTaken(
                self.entry.given,
                "holds no change" + (f" under {printable(self.path)}" if self.path else ""),
                "Commit or change something, or name another revision.",
            )
        self.keys = self._objects_with_keys(changes)
        shown = [each for each in changes if not self._is_left_out(each)]
        texts, cut = self._texts(shown)
        if not texts and not self.untracked:
            names = _listed(self.left_out + [(each.name, "too long") for each in cut])
            raise NotTaken(
                self.entry.given, f"holds nothing that can be sent: {names}", "Name another change."
            )
        listing = [_line(each) for each in shown[:MOST_LISTED]]
        if len(shown) > MOST_LISTED:
            listing.append(f"… and {len(shown) - MOST_LISTED} more files")
        listing += [
            f"? {printable(each)} (untracked, content not shown)" for each in self.untracked
        ]
        if cut:
            listing.append(f"Too long to be shown here: {_listed([(c.name, '') for c in cut])}")
        body = "\n".join([*self.heading, "", "Files:", *listing, "", *texts]).strip()
        name = self.entry.given.replace("&", "&amp;").replace('"', "&quot;")
        text = f'<change name="{name}">\n{body}\n</change>'
        return GitChange(text, self._label(changes, text), self._notes(cut))

    # -- what is compared -------------------------------------------------------------

    def _compared(self) -> tuple[str, ...]:
        """The arguments that make git compare what is wanted."""
        entry, run = self.entry, self.copy.run
        if entry.is_working_tree:
            head = self._head()
            snapshot: Snapshot = WorkingTree(self.copy, self.scope).snapshot(head)
            self.heading = ["The working tree against the last commit (HEAD)."]
            self.untracked = [each for each in snapshot.untracked if self._may_name(each)]
            self.left_out += [each for each in snapshot.left_out if self._is_wanted(each[0])]
            return ("diff-tree", "-r", head, snapshot.tree)
        if entry.is_staged:
            self.heading = ["What is staged for the next commit, against the last one (HEAD)."]
            return ("diff-index", "--cached", self._head())
        left = self._commit(entry.left)
        if not entry.dots:
            return self._of_commit(left)
        right = self._commit(entry.right)
        commits = run("rev-list", f"--max-count={MOST_COMMITS + 1}", right, f"^{left}").split()
        if entry.dots == "...":
            base = run("merge-base", left, right, may_fail=True).decode().split()
            if not base:
                raise GitTrouble("names two revisions that have no commit in common")
            left = base[0]
        self.heading = [f"The changes from {entry.left} to {entry.right}."]
        self.heading += self._commits([each.decode() for each in commits])
        return ("diff-tree", "-r", left, right)

    def _of_commit(self, commit: str) -> tuple[str, ...]:
        line = self.copy.run("rev-list", "--parents", "--max-count=1", commit).decode().split()
        parents = line[1:]
        self.heading = [f"Commit {commit}.", self._message(commit)]
        if len(parents) > 1:
            self.heading.append("It is a merge; shown is what it changed in its first parent.")
        return ("diff-tree", "-r", parents[0] if parents else self.copy.empty_tree, commit)

    def _head(self) -> str:
        said = self.copy.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True)
        return said.decode().strip() or self.copy.empty_tree  # nothing was committed yet

    def _commit(self, rev: str) -> str:
        wanted = f"{rev}^{{commit}}"
        said = self.copy.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, may_fail=True
        )
        found = said.decode().split()
        if not found or not re.fullmatch(r"[0-9a-f]{40,64}", found[-1]):
            raise GitTrouble(f"names a revision that is not here: '{rev}'", f"Forms are {FORMS}.")
        return found[-1]

    def _commits(self, ids: Sequence[str]) -> list[str]:
        shown = [f"- {each[:12]} {self._message(each, 200)}" for each in ids[:MOST_COMMITS]]
        more = ["- … and more"] if len(ids) > MOST_COMMITS else []
        return [f"{len(shown)}{'+' if more else ''} commits, newest first:", *shown, *more]

    def _message(self, commit: str, longest: int = LONGEST_MESSAGE) -> str:
        data = self.copy.run("cat-file", "commit", commit, most=2**20)
        text = data.partition(b"\n\n")[2].decode("utf-8", "replace").strip()
        if longest < LONGEST_MESSAGE:
            text = text.partition("\n")[0]
        return text if len(text) <= longest else text[: longest - 1] + "…"

    # -- what has changed -------------------------------------------------------------

    def _changes(self, compared: tuple[str, ...]) -> Iterator[FileChange]:
        form = ("-M", "-l400", "--no-ext-diff", "--no-textconv")
        where = ("--", self.path) if self.path else ("--",)
        raw = self.copy.run(
            *compared[:1], *form, "--raw", "--no-abbrev", "-z", *compared[1:], *where
        )
        patches = self.copy.run(
            *compared[:1],
            *form,
            *(
                "-p",
                "--abbrev=10",
                "--no-color",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                "--submodule=short",
            ),
            *compared[1:],
            *where,
        )
        pieces = [b"diff --git " + each for each in re.split(rb"^diff --git ", patches, flags=re.M)]
        at = 1
        for change in _raw_changes(raw):
            count = {"U": 0, "T": 2}.get(change.status, 1)
            yield FileChange(
                change.status,
                change.path,
                change.old_path,
                change.modes,
                change.oids,
                b"".join(pieces[at : at + count]),
            )
            at += count

    def _is_left_out(self, change: FileChange) -> bool:
        why = self._why_not(change)
        if why:
            self.left_out.append((change.name, why))
        return bool(why)

    def _why_not(self, change: FileChange) -> str:
        top = Path(self.copy.repository.top)
        for path in {change.path, change.old_path}:
            if credential((*top.parts, *path.split("/"))):
                return "may hold credentials"
            if self.path != path and is_ignored(self.copy.repository.top, path):
                return ".gitignore"
        return next((self.keys[oid] for oid in change.oids if oid in self.keys), "")

    def _objects_with_keys(self, changes: Sequence[FileChange]) -> dict[str, str]:
        """The files, before or after the change, that hold a private key, or are so much that
        nobody looked."""
        wanted = [
            oid
            for change in changes
            if not change.is_binary
            for mode, oid in zip(change.modes, change.oids, strict=True)
            if mode.startswith("1") and mode != "160000" and oid.strip("0")
        ]
        wanted = list(dict.fromkeys(wanted))
        given = "".join(f"{oid}\n" for oid in wanted).encode()
        said = self.copy.run("cat-file", "--batch", given=given, most=MOST_LOOKED_THROUGH)
        found = dict.fromkeys(wanted, "too much to be searched for private keys")
        for oid, data in _objects(said):
            found.pop(oid, None)
            if b"KEY" in data or b"private" in data or b"kty" in data or b"PuTTY" in data:
                file = io.BytesIO(data)
                if holds_key(file, kind_of(file)):
                    found[oid] = "contains a private key"
        return found

    # -- what is sent -------------------------------------------------------------------

    def _texts(self, changes: Sequence[FileChange]) -> tuple[list[str], list[FileChange]]:
        """As many patches as fit, in their order; and the files whose patches do not."""
        left = self.most - 4096 - sum(len(line.encode()) for line in self.heading)
        left -= min(sum(len(each.name) + 24 for each in changes[:MOST_LISTED]), self.most // 4)
        texts: list[str] = []
        cut: list[FileChange] = []
        for change in changes:
            text = self._text(change)
            size = len(text.encode("utf-8", "replace")) + 1
            if size > left:
                cut.append(change)
                continue
            left -= size
            texts.append(text)
        return texts, cut

    def _text(self, change: FileChange) -> str:
        if change.is_binary:
            return f"Binary file {change.name}: {self._sizes(change)}"
        patch = change.patch.rstrip(b"\n")
        return decoded(patch, encoding_of(patch) or "utf-8").encode("utf-8", "replace").decode()

    def _sizes(self, change: FileChange) -> str:
        sizes = []
        for oid in change.oids:
            said = b""
            if oid.strip("0"):
                said = self.copy.run("cat-file", "-s", oid, may_fail=True).strip()
            sizes.append(size_of(int(said)) if said.isdigit() else "nothing")
        return " → ".join(sizes)

    def _may_name(self, path: str) -> bool:
        if not self._is_wanted(path):
            return False
        parts = (*Path(self.copy.repository.top).parts, *path.rstrip("/").split("/"))
        if credential(parts, is_folder=path.endswith("/")):
            self.left_out.append((path, "may hold credentials"))
            return False
        return True

    def _is_wanted(self, path: str) -> bool:
        bare = path.rstrip("/")
        return not self.path or bare == self.path or bare.startswith(f"{self.path}/")

    def _label(self, changes: Sequence[FileChange], text: str) -> str:
        files = "1 file" if len(changes) == 1 else f"{len(changes)} files"
        return f"{printable(self.entry.given)} ({files} changed, {size_of(len(text.encode()))})"

    def _notes(self, cut: Sequence[FileChange]) -> tuple[str, ...]:
        notes = []
        given = printable(self.entry.given)
        if cut:
            names = _listed([(each.name, "") for each in cut])
            notes.append(
                f"{given} is longer than GEMINI_MCP_MAX_PROMPT_BYTES: sent without {names}. Name "
                "them one by one, such as by git:…:PATH."
            )
        if self.left_out:
            notes.append(f"Left out of {given}: {_listed(self.left_out)}.")
        if self.untracked:
            names = _listed([(each, "") for each in self.untracked])
            notes.append(f"Untracked files are named, not sent: {names}.")
        return tuple(notes)


def _objects(said: bytes) -> Iterator[tuple[str, bytes]]:
    """The objects, by name, that `git cat-file --batch` gave in full."""
    at = 0
    while (end := said.find(b"\n", at)) >= 0:
        facts = said[at:end].decode("ascii", "replace").split()
        if len(facts) != 3 or not facts[2].isdigit():
            at = end + 1  # one that is missing
            continue
        start, size = end + 1, int(facts[2])
        if start + size > len(said):
            return
        yield facts[0], said[start : start + size]
        at = start + size + 1


def _raw_changes(raw: bytes) -> Iterator[FileChange]:
    fields = iter(raw.split(b"\0"))
    for each in fields:
        found = _RAW.fullmatch(each)
        if found is None:
            continue
        old_mode, new_mode, old, new, status = (part.decode() for part in found.groups())
        first = next(fields, b"").decode("utf-8", "surrogateescape")
        second = first
        if status in "RC":
            second = next(fields, b"").decode("utf-8", "surrogateescape")
        yield FileChange(status, second, first, (old_mode, new_mode), (old, new))


def _line(change: FileChange) -> str:
    if change.is_binary:
        return f"{change.status} {change.name} (binary)"
    lines: Mapping[bytes, int] = {
        sign: sum(
            line.startswith(sign) and not line.startswith(sign * 3)
            for line in change.patch.split(b"\n")
        )
        for sign in (b"+", b"-")
    }
    return f"{change.status} {change.name} (+{lines[b'+']} −{lines[b'-']})"


def _listed(named: Sequence[tuple[str, str]], limit: int = 600) -> str:
    """As many names as fit, each with its reason, and how many more there are."""
    shown: list[str] = []
    for name, why in named:
        each = f"{printable(name)} ({why})" if why else printable(name)
        limit -= len(each) + 2
        if limit < 0 and shown:
            return f"{', '.join(shown)} and {len(named) - len(shown)} more"
        shown.append(each)
    return ", ".join(shown)
