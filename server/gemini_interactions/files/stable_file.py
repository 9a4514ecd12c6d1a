"""Unchanged file reader: a file to upload that is still what it was when it was opened.

An upload takes minutes, is announced with a size, and is remembered by a hash: what somebody
writes to the file meanwhile would make a lie of both. (The SDK, for one, sends empty pieces
for ever when a file becomes shorter.)
"""

from __future__ import annotations

import io
import os

from ..domain.file_errors import NotTaken
from .path_sandbox.allowed_dirs import Opened


class UnchangedFileReader(io.BufferedIOBase):
    """Reads an opened file; refuses once it has changed."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def stamp(self) -> str:
        """Another one for each file, and for one that was written to."""
        opened = self._opened
        return f"{opened.inode} {opened.size} {opened.modified}"

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._opened.size - self.tell()
        data = self._opened.file.read(left if size is None or size < 0 else min(size, left))
        if not self._opened.is_unchanged or (not data and left and size):
            raise NotTaken(
                self._opened.name,
                "was written to while it was being sent",
                "Send it again once nothing writes to it, or send a copy.",
            )
        return data

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # as we call it
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            offset, whence = self._opened.size + offset, os.SEEK_SET
        return self._opened.file.seek(offset, whence)

    def tell(self) -> int:
        return self._opened.file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._opened.file.close()
        super().close()
