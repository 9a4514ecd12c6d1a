"""Folders held open, so that nobody can swap what is in them while we look.

A path is only a wish: between checking it and opening it any part can become a link. Here a
folder is a handle, and what is in it is reached from the handle by one name at a time and
never through a link. Where the system has no such calls (Windows), the file is opened first
and the system is then asked where the opened file really is.

`Changed` says that something on the way is, or has just become, a link; `NotAFile` that it is
a folder, device, pipe or socket, which is not opened at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

_CLOSED = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# Never waits for the other end of a FIFO, never becomes a terminal's owner.
_READ = os.O_RDONLY | _CLOSED | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_WRITE = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOSED | _NO_LINK
# Linux can hold a folder that this user may pass through but not list.
_PASS = getattr(os, "O_PATH", 0)
_FOLDER = (_PASS or os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK | _CLOSED

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


class Changed(Exception):
    """A link stands where there was none when the path was resolved."""


class NotAFile(Exception):
    """What stands there holds no bytes of its own."""

    def __init__(self, mode: int) -> None:
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        self.what = kinds.get(stat.S_IFMT(mode), "a device")
        super().__init__(self.what)


class Folder(Protocol):
    """A folder held open; every name is of something directly in it."""

    path: str

    def folder(self, name: str) -> Folder: ...
    def file(self, name: str) -> int:
        """A descriptor of the ordinary file of that name, to read it."""

    def entries(self) -> list[tuple[str, os.stat_result]]: ...
    def make_folder(self, name: str, mode: int = 0o777) -> None: ...
    def new_file(self, name: str, mode: int) -> int: ...
    def settle(self, draft: str, name: str) -> None:
        """Give the draft its name; FileExistsError if something has that name already."""

    def replace(self, draft: str, name: str) -> None:
        """Give the draft its name; what has that name already is gone then."""

    def remove(self, name: str) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class OpenDirectory:
    """A folder by its descriptor: Linux, macOS and their like."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._at = descriptor
        self.path = path

    @classmethod
    def reach(cls, root: str, parts: Sequence[str]) -> OpenDirectory:
        """The folder `parts` below `root`, a real path in which no link is expected."""
        start, names = (os.sep, [*Path(root).parts[1:], *parts]) if _PASS else (root, list(parts))
        held = cls(os.open(start, _FOLDER), start)
        for name in names:
            with held:
                held = held.folder(name)
        return held

    def folder(self, name: str) -> OpenDirectory:
        return OpenDirectory(self._open(name, _FOLDER), os.path.join(self.path, name))

    def file(self, name: str) -> int:
        # Only a look: even to open a pipe would wake whoever waits at its other end.
        _must_be_file(os.stat(name, dir_fd=self._at, follow_symlinks=False))
        return _only_file(self._open(name, _READ | _NO_LINK))

    def entries(self) -> list[tuple[str, os.stat_result]]:
        descriptor = os.open(".", os.O_RDONLY | _CLOSED, dir_fd=self._at) if _PASS else self._at
        try:
            with os.scandir(descriptor) as found:
                return sorted((each.name, each.stat(follow_symlinks=False)) for each in found)
        finally:
            if _PASS:
                os.close(descriptor)

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        os.mkdir(name, mode, dir_fd=self._at)

    def new_file(self, name: str, mode: int) -> int:
        return os.open(name, _WRITE, mode, dir_fd=self._at)

    def settle(self, draft: str, name: str) -> None:
        try:
            os.link(draft, name, src_dir_fd=self._at, dst_dir_fd=self._at, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _copy(self, draft, name)
        self.remove(draft)

    def replace(self, draft: str, name: str) -> None:
        os.replace(draft, name, src_dir_fd=self._at, dst_dir_fd=self._at)

    def remove(self, name: str) -> None:
        os.unlink(name, dir_fd=self._at)

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self._at)
        except OSError as error:
            # A link answers ELOOP, ENOTDIR or EMLINK, by system and flags; a plain file that
            # stands where a folder should answers ENOTDIR too.
            if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
                raise
            now = os.stat(name, dir_fd=self._at, follow_symlinks=False).st_mode
            if stat.S_ISLNK(now) or stat.S_ISDIR(now):
                raise Changed from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._at)


class CheckedFolder:
    """A folder by its path, where there are no descriptors of folders: Windows.

    A file opened there is kept only if the system says that this very file is where we
    looked for it.
    """

    def __init__(self, path: str) -> None:
        if os.path.normcase(os.path.realpath(path)) != os.path.normcase(path):
            raise Changed
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):  # a loop, which nothing resolves
            raise Changed
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
        self.path = path

    @classmethod
    def reach(cls, root: str, parts: Sequence[str]) -> CheckedFolder:
        return cls(os.path.join(root, *parts))

    def folder(self, name: str) -> CheckedFolder:
        return CheckedFolder(self._path(name))

    def file(self, name: str) -> int:
        _must_be_file(os.lstat(self._path(name)))
        return _only_file(self._checked(os.open(self._path(name), _READ), name))

    def entries(self) -> list[tuple[str, os.stat_result]]:
        with os.scandir(self.path) as found:
            return sorted((each.name, each.stat(follow_symlinks=False)) for each in found)

    def make_folder(self, name: str, mode: int = 0o777) -> None:
        os.mkdir(self._path(name), mode)

    def new_file(self, name: str, mode: int) -> int:
        descriptor = os.open(self._path(name), _WRITE, mode)
        elsewhere = true_path(descriptor)
        try:
            return self._checked(descriptor, name)
        except Changed:
            with contextlib.suppress(OSError):
                os.unlink(elsewhere)  # empty, and ours a moment ago
            raise

    def settle(self, draft: str, name: str) -> None:
        if os.name == "nt":
            os.rename(self._path(draft), self._path(name))  # does not replace on Windows
        else:
            os.link(self._path(draft), self._path(name), follow_symlinks=False)
            self.remove(draft)

    def replace(self, draft: str, name: str) -> None:
        os.replace(self._path(draft), self._path(name))

    def remove(self, name: str) -> None:
        os.unlink(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self.path, name)

    def _checked(self, descriptor: int, name: str) -> int:
        really = true_path(descriptor)
        if os.path.normcase(really) != os.path.normcase(self._path(name)):
            os.close(descriptor)
            raise Changed
        return descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


CAN_HOLD = os.open in os.supports_dir_fd and os.link in os.supports_dir_fd


def reach(root: str, parts: Sequence[str] = ()) -> Folder:
    """The folder `parts` below the real path `root`, by the surest way this system has."""
    return OpenDirectory.reach(root, parts) if CAN_HOLD else CheckedFolder.reach(root, parts)


def true_path(descriptor: int) -> str:
    """Where the opened file really is, spelled as it is stored; "" if the system cannot say."""
    try:
        return _true_path(descriptor)
    except OSError:
        return ""


if sys.platform == "win32":

    def _true_path(descriptor: int) -> str:
        import ctypes
        import msvcrt
        from ctypes import wintypes

        ask = ctypes.WinDLL("kernel32", use_last_error=True).GetFinalPathNameByHandleW
        ask.argtypes = [wintypes.HANDLE, wintypes.LPWSTR, wintypes.DWORD, wintypes.DWORD]
        ask.restype = wintypes.DWORD
        answer = ctypes.create_unicode_buffer(32768)
        length = ask(msvcrt.get_osfhandle(descriptor), answer, len(answer), 0)
        path = answer.value if 0 < length < len(answer) else ""
        if path.startswith("\\\\?\\UNC\\"):
            return "\\\\" + path[8:]
        return path.removeprefix("\\\\?\\")

elif sys.platform == "darwin":

    def _true_path(descriptor: int) -> str:
        import fcntl

        found = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))
        return os.fsdecode(found.split(b"\0", 1)[0])

else:

    def _true_path(descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}")


def _must_be_file(facts: os.stat_result) -> None:
    if stat.S_ISLNK(facts.st_mode):
        raise Changed
    if not stat.S_ISREG(facts.st_mode):
        raise NotAFile(facts.st_mode)


def _only_file(descriptor: int) -> int:
    try:
        _must_be_file(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _copy(folder: Folder, draft: str, name: str) -> None:
    """For file systems without hard links (FAT, some network drives): the name is taken first,
    so nothing is replaced, but a crash may leave half a file."""
    with open(folder.file(draft), "rb") as source:
        mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
        try:
            with open(folder.new_file(name, mode), "wb") as target:
                shutil.copyfileobj(source, target)
        except FileExistsError:
            raise
        except BaseException:
            folder.remove(name)
            raise
