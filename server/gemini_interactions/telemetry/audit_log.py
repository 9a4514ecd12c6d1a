"""Audit log: one JSON line a call, of who did what at which cost; never a word of what was said.

The file is the operator's to move away: the next line opens a new one. A disk that is full fails
no call; `is_failing` says so until a line could be written again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import anyio
import anyio.to_thread

log = logging.getLogger(__name__)


class AuditLog:
    """Appends to a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._file: int | None = None
        self._is_torn = False
        self.is_failing = False

    async def record(self, now: float, entry: Mapping[str, Any]) -> None:
        """Writes one line; never raises for a file that cannot be written."""
        time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        told = {"time": time, **entry}
        line = json.dumps(told, ensure_ascii=True, separators=(",", ":")) + "\n"
        with anyio.CancelScope(shield=True):
            # In a thread: a disk may be slow, or on another machine.
            await anyio.to_thread.run_sync(self._write, line.encode())

    def _write(self, line: bytes) -> None:
        with self._lock:
            try:
                file = self._current()
                if self._is_torn:
                    line = b"\n" + line
                written = os.write(file, line)
                self._is_torn = written < len(line)
                if self._is_torn:
                    raise OSError("the disk is full")
            except OSError:
                if not self.is_failing:
                    log.exception("the audit log cannot be written")
                self.is_failing = True
            else:
                self.is_failing = False

    def _current(self) -> int:
        """The file at the path, opened anew where it was moved away."""
        if self._file is not None:
            ours = os.fstat(self._file)
            try:
                there = os.stat(self._path)
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return self._file
            os.close(self._file)
            self._file = None
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._file

    def check(self) -> None:
        """Raises OSError where the file cannot be opened."""
        with self._lock:
            self._current()

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
