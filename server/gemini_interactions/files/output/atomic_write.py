"""A new file: a draft under a made-up name until it is whole, then the first free name.

Nothing of somebody else's is ever overwritten: a name that is taken gets a number.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gemini_interactions.domain.errors import Refused

from ..path_sandbox.dir_fd import Folder

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # which is what its users ask

MOST_OF_ONE_NAME = 1000
ABANDONED = 3600.0
"""Seconds after which a draft counts as nobody's where locks cannot tell."""

# What people call the extensions that our own files get.
SPELLINGS = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tif": ".tiff"}
EXTENSIONS = frozenset(
    {".jpg", ".png", ".webp", ".gif", ".bmp", ".tiff", ".heic", ".heif", ".avif"}
    | {".mp3", ".wav", ".ogg", ".opus", ".flac", ".aac", ".m4a", ".mp4", ".mov", ".webm"}
)


class NewFile:
    """Write to `file`, then `keep`; left without that, nothing remains of it.

    `wish` is the name asked for. Its extension gives way to the one of the bytes. `refused`
    says what an error of the system means to the caller. With `replaces` a file of the same name
    gives way: names with an id in them are written by several processes at once, each of them
    the same file.
    """

    def __init__(
        self,
        folder: Folder,
        wish: str,
        *,
        mode: int,
        refused: Callable[[OSError], Refused],
        replaces: bool = False,
        split: Callable[[str], tuple[str, str]] | None = None,
    ) -> None:
        self._folder = folder
        self._replaces = replaces
        self.refused = refused
        self._stem, self._extension = (split or _split)(wish)
        self._draft = draft_name()
        self._is_kept = False
        self.file = open(folder.new_file(self._draft, mode), "w+b")  # noqa: SIM115  closed in __exit__
        hold(self.file.fileno())

    @property
    def extension(self) -> str:
        """The one of the name that was asked for, where that is one of a file of ours."""
        return _usual(self._extension)

    def keep(self, extension: str) -> Path:
        """Give the file its name and say what that is; `extension` is what the bytes are."""
        try:
            self.file.close()
            return Path(self._folder.path, self._named(extension))
        except OSError as error:
            raise self.refused(error) from None

    def _named(self, extension: str) -> str:
        if _usual(self._extension) == extension:
            extension = self._extension
        elif extension and self._stem.lower().endswith(extension.lower()):
            # A name of any other kind is whole as it is.
            end = len(self._stem) - len(extension)
            self._stem, extension = self._stem[:end], self._stem[end:]
        if self._replaces:
            name = f"{self._stem}{extension}"
            self._folder.replace(self._draft, name)
            self._is_kept = True
            return name
        for number in range(1, MOST_OF_ONE_NAME):
            name = f"{self._stem}{f'-{number}' if number > 1 else ''}{extension}"
            try:
                self._folder.settle(self._draft, name)
            except FileExistsError:
                continue
            self._is_kept = True
            return name
        raise FileExistsError(errno.EEXIST, "too many files of one name")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._folder:
            with contextlib.suppress(OSError):  # a full disk says so again when it is closed
                self.file.close()
            if not self._is_kept:
                with contextlib.suppress(OSError):
                    self._folder.remove(self._draft)


def draft_name() -> str:
    """What a file is called until it is whole."""
    return f".gemini-{secrets.token_hex(6)}.part"


def hold(descriptor: int) -> None:
    """Show other processes that somebody is writing this draft; a kill ends that."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_drafts(folder: Path) -> None:
    """Remove the drafts of processes that were killed; those that are being written stay."""
    with contextlib.suppress(OSError):
        for draft in [*folder.glob(".gemini-*.part"), *folder.glob("*.part")]:
            if _is_abandoned(draft):
                draft.unlink(missing_ok=True)


def _is_abandoned(draft: Path) -> bool:
    try:
        descriptor = os.open(draft, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:  # a link, or somebody else's
        return False
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: time must tell
        return time.time() - os.fstat(descriptor).st_mtime > ABANDONED
    else:
        # Windows does not let go of a file that somebody has open.
        return True
    finally:
        os.close(descriptor)


def _split(wish: str) -> tuple[str, str]:
    """A name without its extension, where that is one of a file of ours, and the extension."""
    stem, extension = os.path.splitext(wish)
    return (stem, extension) if _usual(extension) in EXTENSIONS else (wish, "")


def _usual(extension: str) -> str:
    return SPELLINGS.get(extension.lower(), extension.lower())
