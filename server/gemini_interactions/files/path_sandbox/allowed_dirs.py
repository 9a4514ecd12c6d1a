"""Allowed folders: every local file is read and written inside them.

By default that is the folder the server was started in, unless that is the disk, the home
folder or a part of the system, where desktop hosts start their servers: then it is none.

A path is resolved first, which only says where to look; the file is then reached through
folders held open, and through no link (`handles`), so whatever changes in between, a byte
from outside is never read and none is written there. A hard link is the file itself: one
made inside cannot be told from any other file, and is read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Self, TypeVar

from ...domain.file_errors import (
    BadPath,
    CannotSave,
    NoSuchFile,
    NotAllowed,
    NotTaken,
    Protected,
    printable,
)
from ..output.atomic_write import NewFile
from .default_dirs import roots
from .dir_fd import Changed, Folder, NotAFile, reach, true_path
from .lookalike_names import is_windows_path, really_named, spellings, windows_advice
from .path_policy import credential, path_of

TRIES = 4
"""How often a path that changes while it is opened is looked at anew."""

T = TypeVar("T")


@dataclass(slots=True)
class Opened:
    """A file inside the allowed folders, open for reading.

    `name` is how it is called in what we say: its path from its allowed folder.
    """

    file: BufferedReader
    path: Path
    name: str
    size: int
    inode: tuple[int, int]
    modified: int

    @property
    def is_unchanged(self) -> bool:
        now = os.fstat(self.file.fileno())
        return (now.st_size, now.st_mtime_ns) == (self.size, self.modified)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: `parts` below the allowed folder `root`, no link among them."""

    root: str
    parts: tuple[str, ...]

    @property
    def path(self) -> str:
        return os.path.join(self.root, *self.parts)

    @property
    def name(self) -> str:
        return printable("/".join(self.parts) or os.path.basename(self.root))


class Folders:
    """The allowed folders; None stands for `working`, the folder we were started in."""

    def __init__(
        self,
        allowed: Sequence[Path] | None,
        *,
        working: Path | None = None,
        home: Path | None = None,
        private: Sequence[Path] = (),
    ) -> None:
        known = (home, home) if home else (_home(), _account_home())
        self._roots, self._why_none = roots(allowed, working, *known)
        self._private = tuple(os.path.realpath(each) for each in private)
        # Relative paths start where we were started, else in the allowed folders in turn.
        self._working = os.path.realpath(working) if working else ""
        here = [self._working] if working else []
        self._starts = [*(each for each in here if _within(each, self._roots)), *self._roots]

    @property
    def start(self) -> str:
        """Where relative paths start."""
        return self._starts[0]

    @property
    def allowed(self) -> tuple[Path, ...]:
        return tuple(Path(each) for each in self._roots)

    def working_place(self, given: str) -> tuple[str, Callable[[str], str]]:
        """The working folder, if it is open; and what of a folder above or below it is: the part
        from there on that may be read, "" for all of it."""
        if not self._roots:
            raise NotAllowed.nothing(self._why_none)
        place = _within(self._working, self._roots) if self._working else None
        if place is None:
            raise NotAllowed.outside(given, self._roots)

        def scope(top: str) -> str:
            inside = _below(top, place.root)
            return "" if inside is not None else "/".join(_below(place.root, top) or ())

        return self._working, scope

    def open_inside(self, given: str) -> Opened:
        """The file at this path, if it is an ordinary file inside that holds no credentials."""
        return self.steadily(given, lambda: self._open(self._find(given), given))

    def _open(self, place: Place, given: str) -> Opened:
        with reading(given, self.start):
            if not place.parts:
                raise NotAFile(os.stat(place.root).st_mode)
            with reach(place.root, place.parts[:-1]) as folder:
                descriptor = folder.file(place.parts[-1])
        file = open(descriptor, "rb")  # noqa: SIM115  handed out, closed by its owner
        try:
            # Spelled as it is stored, where case or short names hide what it is called.
            self._refuse_credentials(Path(true_path(descriptor)).parts, given)
            facts = os.fstat(descriptor)
        except BaseException:
            file.close()
            raise
        return Opened(
            file,
            Path(place.path),
            place.name,
            facts.st_size,
            (facts.st_dev, facts.st_ino),
            facts.st_mtime_ns,
        )

    def create_inside(self, target: str, name: str) -> NewFile:
        """A new file at `target`, or called `name` in it if it is a folder or ends like one.

        Missing folders are made. The file is as readable as the user's other files.
        """
        return self.steadily(target, lambda: self._create(target, name))

    def check_new(self, target: str) -> None:
        """Refuse a target at which `create_inside` would fail, as far as can be seen before."""
        self.steadily(target, lambda: self._check_new(target))

    def name_of(self, path: str) -> str:
        """What a file inside is called in what we say: its path from its allowed folder."""
        place = _within(path, self._roots)
        return place.name if place else os.path.basename(path)

    def find(self, given: str) -> Place:
        """Where this path leads, which is inside and not protected; nothing is opened."""
        return self.steadily(given, lambda: self._find(given))

    def _find(self, given: str) -> Place:
        place = self._find_literal(given)
        if os.path.lexists(place.path):
            return place
        # Nothing has this very name: something may that only looks like it.
        if real := really_named(place.root, place.parts, given):
            return self._checked(Place(place.root, real), given)
        for spelling in spellings(given):
            other = self._find_literal(spelling, given)
            if os.path.lexists(other.path):
                return other
            if real := really_named(other.root, other.parts, given):
                return self._checked(Place(other.root, real), given)
        if os.name != "nt" and is_windows_path(given):
            raise BadPath(
                given,
                f"it is a path of Windows, and this is another system. {windows_advice(given)}",
            )
        return place

    def _checked(self, place: Place, given: str) -> Place:
        """A place whose names were found on the disk, by the rules for what was asked for."""
        return self._find_literal(place.path, given)

    def _find_literal(self, path: str, given: str = "") -> Place:
        given = given or path
        if not self._roots:
            raise NotAllowed.nothing(self._why_none)
        path = path_of(path)
        wishes = list(dict.fromkeys(os.path.join(start, path) for start in self._starts))
        real = [_resolved(each) for each in wishes]
        if any(_within(each, self._private) for each in real):
            raise Protected.ours(given)
        found = [place for each in real if (place := _within(each, self._roots))]
        if not found:
            if any(_within(os.path.normpath(each), self._roots) for each in wishes):
                raise NotAllowed.leads_out(given)
            raise NotAllowed.outside(given, self._roots)
        place = next((each for each in found if os.path.lexists(each.path)), found[0])
        parts = (*Path(place.root).parts, *place.parts)
        self._refuse_credentials(parts, given, is_folder=os.path.isdir(place.path))
        return place

    def _aim(self, target: str, name: str) -> tuple[Place, str]:
        """The folder that the target means, and the name in it."""
        path = path_of(target)
        if re.match(r"[a-z][a-z0-9+.-]+://", path, re.I):
            raise BadPath(target, "it is an address, not a place on this machine")
        place = self._find(target)
        if os.path.isdir(place.path) or os.path.basename(path) in ("", ".", ".."):
            return place, name
        # The last name is not followed: if it is a link, it is taken, as any name can be.
        name = os.path.basename(path)
        self._refuse_credentials((name,), target)
        return self._find(os.path.dirname(path) or "."), name

    def _check_new(self, target: str) -> None:
        place, _ = self._aim(target, "")
        depth = len(place.parts)
        while depth and not os.path.lexists(os.path.join(place.root, *place.parts[:depth])):
            depth -= 1
        there = place.parts[:depth]
        try:
            with reach(place.root, there):
                pass
            if not os.access(os.path.join(place.root, *there), os.W_OK):
                raise PermissionError(errno.EACCES, "may not be written to")
        except OSError as error:
            raise CannotSave.because(target, error) from None

    def _create(self, target: str, name: str) -> NewFile:
        place, name = self._aim(target, name)
        try:
            folder = _made(place)
            try:
                return NewFile(
                    folder, name, mode=0o666, refused=partial(CannotSave.because, target)
                )
            except BaseException:
                with folder:
                    raise
        except OSError as error:
            raise CannotSave.because(target, error) from None

    def _refuse_credentials(
        self, parts: Sequence[str], given: str, *, is_folder: bool = False
    ) -> None:
        if rule := credential(parts, is_folder=is_folder):
            raise Protected.by_name(given, rule)

    def steadily(self, given: str, attempt: Callable[[], T]) -> T:
        """What the attempt finds; made again while links come in between, then given up."""
        for _ in range(TRIES):
            with contextlib.suppress(Changed):
                return attempt()
        raise NotAllowed.restless(given)


@contextlib.contextmanager
def reading(given: str, start: str) -> Iterator[None]:
    """What goes wrong with a file, as a sentence about what the caller gave."""
    try:
        yield
    except NotAFile as found:
        raise NotTaken(given, f"is {found.what}, not a file", "Name an ordinary file.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchFile(given, start) from None
    except OSError:
        raise NotTaken(
            given, "cannot be read: the system refuses it", "Check its permissions."
        ) from None


def _made(place: Place) -> Folder:
    """The folder at this place, made if need be."""
    folder = reach(place.root)
    for part in place.parts:
        with folder:
            try:
                folder = folder.folder(part)
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    folder.make_folder(part)
                folder = folder.folder(part)
    return folder


def _resolved(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # a link that was there a moment ago, and no longer is
        raise Changed from None


def _within(real: str, roots: Sequence[str]) -> Place | None:
    """Where this is in the first of these folders that it is in."""
    # By name first; then by being the same folder, spelled in another case or seen elsewhere.
    for way_down in (_below, _same_file_above):
        for root in roots:
            parts = way_down(real, root)
            if parts is not None:
                return Place(root, parts)
    return None


def _below(path: str, root: str) -> tuple[str, ...] | None:
    """The names that lead from the folder `root` to `path`, if it is there."""
    try:
        return Path(path).relative_to(root).parts
    except ValueError:
        return None


def _same_file_above(path: str, root: str) -> tuple[str, ...] | None:
    parts: list[str] = []
    with contextlib.suppress(OSError):
        wanted = os.stat(root)
        for above in (Path(path), *Path(path).parents):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.stat(above), wanted):
                    return tuple(reversed(parts))
            parts.append(above.name)
    return None


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _account_home() -> Path | None:
    """The home folder the system knows of; HOME may name another, made for one process."""
    try:
        import pwd
    except ImportError:  # Windows
        return None
    try:
        known = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container's user without a name
        return None
    return Path(known) if known else None
