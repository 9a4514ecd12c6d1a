"""Git repository: where it is, whether all of it is its own, and git itself on a private copy.

A repository may be hostile: its configuration names programs (filters, external diffs, text
conversions, fsmonitor, hooks, signatures, a pager, a place to fetch missing objects from), its
links, alternates and git directory may lead to what is not its own. So git never sees its
configuration, hooks, attributes or working tree: it runs in a bare copy made here, which holds
the references and the index, and takes objects from the repository's own folder.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SECONDS = 20.0
"""How long one command of git may take."""
LARGEST_BLOB = 8 * 2**20
"""A larger file counts as binary."""
MOST_ENTRIES = 1_000_000
MOST_REFS = 100_000
LARGEST_REF = 4096
LARGEST_COPY = 256 * 2**20
DEEPEST_ALTERNATES = 5
LARGEST_ALLOCATION = "1g"

_FORMAT = re.compile(r"^\s*objectformat\s*=\s*\"?(sha1|sha256)\b", re.I | re.M)
_REFTABLE = re.compile(r"^\s*refstorage\s*=\s*\"?reftable\b", re.I | re.M)
_PARTIAL = re.compile(r"^\s*(?:partialclone|promisor)\s*=", re.I | re.M)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class GitTrouble(Exception):
    """Why a repository cannot be read: half a sentence, and a way out."""

    def __init__(self, what: str, way_out: str = "Name files instead.") -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository by its real paths: its working tree, the git directory of that, and the one
    that all its working trees share."""

    top: str
    git_dir: str
    common: str

    @classmethod
    def of(cls, working: str) -> Repository:
        """The repository that a folder is in; GitTrouble where there is none to be read."""
        for folder in (Path(working), *Path(working).parents):
            found = cls._at(str(folder))
            if found is not None:
                found._check()
                return found
        raise GitTrouble("needs a git repository, and the working folder is in none")

    @classmethod
    def _at(cls, top: str) -> Repository | None:
        dot_git = os.path.join(top, ".git")
        try:
            mode = os.lstat(dot_git).st_mode
        except OSError:
            return None
        if stat.S_ISLNK(mode):
            raise GitTrouble("would follow a link: the .git of the working folder is one")
        if stat.S_ISDIR(mode):
            return cls(top, dot_git, dot_git) if _exists(dot_git, "HEAD") else None
        return cls._linked(top, dot_git) if stat.S_ISREG(mode) else None

    @classmethod
    def _linked(cls, top: str, dot_git: str) -> Repository:
        """A linked working tree; its git directory must point back to it."""
        pointer = _text(dot_git)
        if not pointer.startswith("gitdir:"):
            raise GitTrouble("found a .git that is no git directory")
        git_dir = os.path.realpath(os.path.join(top, pointer.removeprefix("gitdir:").strip()))
        shared = _text(os.path.join(git_dir, "commondir"))
        common = os.path.realpath(os.path.join(git_dir, shared)) if shared else ""
        back = _text(os.path.join(git_dir, "gitdir"))
        is_linked = (
            common
            and os.path.dirname(git_dir) == os.path.join(common, "worktrees")
            and os.path.realpath(os.path.join(git_dir, back)) == os.path.realpath(dot_git)
        )
        if not is_linked:
            raise GitTrouble(
                "would read a git directory elsewhere, which does not point back to this folder",
                "Name files instead, or start this server in the repository itself.",
            )
        return cls(top, git_dir, common)

    def _check(self) -> None:
        """Refuse what is not all its own, or of a form that is not read here."""
        config = _text(os.path.join(self.common, "config"), 2**20)
        if _REFTABLE.search(config):
            raise GitTrouble("needs references as files, and this repository keeps them in a table")
        if _exists(self.common, "commondir"):
            raise GitTrouble("would read a git directory elsewhere")
        self.check_objects(os.path.join(self.common, "objects"), 0)

    @property
    def hash_name(self) -> str:
        found = _FORMAT.search(_text(os.path.join(self.common, "config"), 2**20))
        return found[1].lower() if found else "sha1"

    @property
    def is_partial(self) -> bool:
        """Whether some of its objects may have to be fetched first, which never happens here."""
        return bool(_PARTIAL.search(_text(os.path.join(self.common, "config"), 2**20)))

    def check_objects(self, folder: str, depth: int) -> None:
        """Refuse objects that are links, or are borrowed from outside the repository."""
        if os.path.islink(folder):
            raise GitTrouble("would follow a link: the objects of the repository are behind one")
        seen = 0
        for inside in ("", *_folders_in(folder)):
            with os.scandir(os.path.join(folder, inside)) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_symlink():
                        raise GitTrouble("would follow a link: some objects of the repository are")
                    if seen > MOST_ENTRIES:
                        raise GitTrouble("found too many loose objects", "Run `git gc` first.")
        for line in _text(os.path.join(folder, "info", "alternates"), 2**16).splitlines():
            if not line or line.startswith("#"):
                continue
            other = os.path.realpath(os.path.join(folder, line))
            own = (os.path.realpath(self.common), os.path.realpath(self.top))
            is_own = any(Path(other).is_relative_to(each) for each in own)
            if line.startswith('"') or not is_own or depth >= DEEPEST_ALTERNATES:
                raise GitTrouble(
                    "would read objects that the repository borrows from elsewhere (alternates)",
                    "Run `git repack -ad` in it, or name files instead.",
                )
            self.check_objects(other, depth + 1)


class PrivateCopy:
    """A bare repository in a folder of its own, in which git runs; see the module."""

    def __init__(self, repository: Repository, folder: str) -> None:
        self.repository = repository
        self.folder = folder
        self.hash_name = repository.hash_name
        objects = os.path.join(repository.common, "objects")
        if "\n" in objects:
            raise GitTrouble("cannot read a repository whose path has line ends in it")
        quoted = objects.replace("\\", "\\\\").replace('"', '\\"')
        self._objects = f'"{quoted}"'
        self._git = _program(repository.top)
        self._fill()

    @classmethod
    @contextmanager
    def of(cls, repository: Repository) -> Iterator[PrivateCopy]:
        with TemporaryDirectory(prefix="gemini-git-", ignore_cleanup_errors=True) as folder:
            try:
                yield cls(repository, os.path.realpath(folder))
            except OSError:
                raise GitTrouble("could not read the repository: the system refuses it") from None

    @property
    def empty_tree(self) -> str:
        if self.hash_name == "sha256":
            return "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        return "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

    @property
    def index_modified(self) -> int:
        """When the index was written, in nanoseconds; 0 where there is none."""
        try:
            return os.stat(os.path.join(self.repository.git_dir, "index")).st_mtime_ns
        except OSError:
            return 0

    def run(
        self,
        *arguments: str,
        given: bytes = b"",
        most: int = 64 * 2**20,
        index: str = "",
        may_fail: bool = False,
    ) -> bytes:
        """What git says, as much as `most` bytes of it; GitTrouble where it fails.

        With an `index` of its own it writes, and sees no objects but those of the copy.
        """
        command = [self._git, "--no-pager", "--literal-pathspecs", "--no-replace-objects"]
        # Every argument is ours, an id, or a revision behind --end-of-options.
        with subprocess.Popen(  # noqa: S603
            [*command, *arguments],
            cwd=self.folder,
            env=self._environment(index),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            return self._communicate(process, given, most, may_fail)

    def _communicate(
        self, process: subprocess.Popen[bytes], given: bytes, most: int, may_fail: bool
    ) -> bytes:
        timer = threading.Timer(SECONDS, process.kill)
        feeder = threading.Thread(target=_feed, args=(process, given), daemon=True)
        timer.start()
        feeder.start()
        try:
            said = process.stdout.read(most + 1) if process.stdout else b""
            is_cut = len(said) > most
            if is_cut:
                process.kill()
            code = process.wait()
        finally:
            is_late = not timer.is_alive()
            timer.cancel()
            process.kill()
        if is_late:
            raise GitTrouble("took too long to find out", "Name a smaller change, or a path in it.")
        if code and not is_cut and not may_fail:
            raise self._failed()
        return said[:most] if not (code and may_fail and not is_cut) else b""

    def _failed(self) -> GitTrouble:
        if self.repository.is_partial:
            return GitTrouble(
                "needs objects that are not here: this is a partial clone, and nothing is fetched",
                "Fetch them with git first, such as by `git show`.",
            )
        return GitTrouble("could not be read: git failed on this repository")

    def _environment(self, index: str) -> Mapping[str, str]:
        kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
        ours = {
            "HOME": self.folder,
            "XDG_CONFIG_HOME": self.folder,
            "LC_ALL": "C",
            "GIT_DIR": self.folder,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_ALLOC_LIMIT": LARGEST_ALLOCATION,
            "GIT_PAGER": "cat",
        }
        if index:
            # Git sets the time of an object that it would write and finds in the repository: what
            # writes does not see those.
            ours["GIT_INDEX_FILE"] = index
        else:
            ours["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = self._objects
        return {name: os.environ[name] for name in kept if name in os.environ} | ours

    def _fill(self) -> None:
        for name in ("objects/info", "objects/pack", "refs"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700)
        version = 1 if self.hash_name == "sha256" else 0
        config = (
            f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\tquotePath = false\n"
            f"\tbigFileThreshold = {LARGEST_BLOB}\n\tfsmonitor = false\n\tcommitGraph = false\n"
            f"\thooksPath = {os.devnull}\n\tattributesFile = {os.devnull}\n"
            "[protocol]\n\tallow = never\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n"
        )
        if version:
            config += "[extensions]\n\tobjectFormat = sha256\n"
        self._write("config", config.encode())
        git_dir, common = self.repository.git_dir, self.repository.common
        self._copy(git_dir, "HEAD", LARGEST_REF, needed=True)
        self._copy(git_dir, "index", LARGEST_COPY)
        for name in ("packed-refs", "shallow"):
            self._copy(common, name, LARGEST_COPY)
        for name in os.listdir(git_dir):
            if re.fullmatch(r"sharedindex\.[0-9a-f]{40,64}", name):
                self._copy(git_dir, name, LARGEST_COPY)
        self._copy_refs(os.path.join(common, "refs"))

    def _copy_refs(self, folder: str) -> None:
        if os.path.islink(folder):
            raise GitTrouble("would follow a link: the references of the repository are behind one")
        count = 0
        for where, folders, files in os.walk(folder, followlinks=False):
            inside = os.path.relpath(where, os.path.dirname(folder))
            for name in folders:
                if os.path.islink(os.path.join(where, name)):
                    raise GitTrouble("would follow a link: some references of the repository are")
                os.makedirs(os.path.join(self.folder, inside, name), exist_ok=True)
            for name in files:
                count += 1
                if count > MOST_REFS:
                    raise GitTrouble("found too many references", "Run `git pack-refs` first.")
                self._copy(os.path.dirname(folder), os.path.join(inside, name), LARGEST_REF)

    def _copy(self, folder: str, name: str, most: int, *, needed: bool = False) -> None:
        data = _bytes(os.path.join(folder, name), most)
        if data is not None:
            self._write(name, data)
        elif needed:
            raise GitTrouble("found a .git without a HEAD")

    def _write(self, name: str, data: bytes) -> None:
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)


def _feed(process: subprocess.Popen[bytes], given: bytes) -> None:
    if process.stdin is not None:
        with suppress(OSError, ValueError):
            process.stdin.write(given)
        with suppress(OSError, ValueError):
            process.stdin.close()


def _program(top: str) -> str:
    """Git itself, never a program of that name that stands in the repository."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if not os.path.isabs(folder) or Path(os.path.realpath(folder)).is_relative_to(top):
            continue
        if found := shutil.which("git", path=folder):
            return found
    raise GitTrouble("needs git, which is not installed here")


def _exists(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, name))


def _folders_in(folder: str) -> Sequence[str]:
    with os.scandir(folder) as entries:
        return [each.name for each in entries if each.is_dir(follow_symlinks=False)]


def _text(path: str, most: int = LARGEST_REF) -> str:
    return (_bytes(path, most) or b"").decode("utf-8", "surrogateescape").strip()


def _bytes(path: str, most: int) -> bytes | None:
    """What an ordinary file holds; None where there is none. A link is refused."""
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise GitTrouble("would follow a link inside the git directory")
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise GitTrouble("found something else than a file inside the git directory")
        data = file.read(most + 1)
    if len(data) > most:
        raise GitTrouble("found a file inside the git directory that is too large")
    return data
