"""Files of agents: what comes out of a sandbox, under a name that can do no harm here.

Paths and contents are those of an agent that may have been talked into anything. A file is never
put over another, is never executable, and has no name that a program reads by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from ...domain.file_errors import CannotKeepMedia, NotFetched
from ..mime_sniffing import UNKNOWN, kind_of
from ..path_sandbox.dir_fd import reach
from ..path_sandbox.path_policy import LONGEST_NAME, credential, windows_trouble
from .atomic_write import NewFile
from .images import Saved

MOST_OF_ONE = 100 * 2**20
"""Bytes of one file."""
MOST_IN_ALL = 2**30
"""Bytes of all files of agents that are kept here."""
DEEPEST = 32


def trouble(path: str) -> str:
    """Why a path of a sandbox is not fetched; "" where it may be."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(not part for part in parts):
        return "it is no plain path"
    if any(part in (".", "..") for part in parts):
        return "it leads elsewhere"
    if any(part.startswith(".") for part in parts):
        return "it has a name that begins with a dot"
    if len(parts) > DEEPEST or any(len(os.fsencode(_safe(part))) > LONGEST_NAME for part in parts):
        return "it is too long"
    if not path.isprintable() or re.search(r"[\u2028\u2029\u200b-\u200f\u202a-\u202e\ufeff]", path):
        return "it has characters in it that cannot be seen"
    if why := windows_trouble(path):
        return why
    if credential(parts):
        return "programs read credentials from a file of that name"
    return ""


def new_file(folder: Path, path: str) -> NewFile:
    """A new file of our own for what lies at this path in a sandbox, with the first free name."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = reach(os.path.realpath(folder))
        try:
            name = path.rsplit("/", 1)[-1]
            return NewFile(held, name, mode=0o600, refused=CannotKeepMedia, split=os.path.splitext)
        except BaseException:
            with held:
                raise
    except OSError as error:
        raise CannotKeepMedia(error) from None


class BoundedWriter:
    """Writes what comes in, and refuses what is too much; `taken` is what is kept already."""

    def __init__(
        self, new: NewFile, path: str, taken: int, run: Callable[..., Awaitable[None]]
    ) -> None:
        self._new = new
        self._path = path
        self._taken = taken
        self._run = run
        self._size = 0

    async def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MOST_OF_ONE:
            raise NotFetched.too_large(self._path, MOST_OF_ONE)
        if self._taken + self._size > MOST_IN_ALL:
            raise NotFetched.full(MOST_IN_ALL)
        await self._run(partial(_write, self._new, piece))


def taken(folder: Path) -> int:
    """Bytes of the files of agents that are kept."""
    try:
        with os.scandir(folder) as found:
            return sum(each.stat(follow_symlinks=False).st_size for each in found)
    except OSError:
        return 0


def finish(new: NewFile) -> Saved:
    """Give a file whose bytes are all there its name."""
    try:
        new.file.flush()
        size = new.file.seek(0, os.SEEK_END)
        new.file.seek(0)
        kind = kind_of(new.file)
    except OSError as error:
        raise new.refused(error) from None
    mime = kind.mime if kind is not UNKNOWN and kind.mime else "application/octet-stream"
    return Saved(str(new.keep(new.extension)), mime, size)


def _write(new: NewFile, piece: bytes) -> None:
    try:
        new.file.write(piece)
    except OSError as error:
        raise new.refused(error) from None


def _safe(part: str) -> str:
    return part.encode("utf-8", "replace").decode("utf-8")
