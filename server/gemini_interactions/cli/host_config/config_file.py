"""A host's configuration file: read, changed and written so that nothing in it can be lost.

The host may be running and write its file at any moment, a dotfiles manager may have put a link
in its place, and other programs' keys may stand in it. So: links are written through, what is
there is compared once more right before the new file takes its place, and one backup with the
mode of the original stays beside it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TRIES = 5
"""How often a file that its host writes meanwhile is read and changed anew."""

BACKUP = ".gemini-interactions-mcp.bak"
_LARGEST = 32 * 2**20


class NotWritten(Exception):
    """The file stays as it is; the words say why."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was done: `backup` is None where there was no file before or nothing had to change."""

    path: Path
    has_changed: bool
    backup: Path | None = None


def update(path: Path, change: Callable[[str], str]) -> Written:
    """Replace the text of a file by what `change` makes of it; "" stands for no file."""
    try:
        target = Path(os.path.realpath(path))
        for _ in range(TRIES):
            before = _read(target)
            text = _decoded(before)
            new = change(text)
            if before is not None and new == text:
                return Written(target, has_changed=False)
            done = _replace(target, before, new.encode())
            if done is not None:
                return done
    except OSError as error:
        raise NotWritten(
            f"the system refuses it ({error.strerror or type(error).__name__})"
        ) from None
    raise NotWritten("it is being changed by another program")


def _read(target: Path) -> bytes | None:
    try:
        with target.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(data) > _LARGEST:
        raise NotWritten("it is far larger than a configuration")
    return data


def _decoded(data: bytes | None) -> str:
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        raise NotWritten("it is not in UTF-8") from None


def _replace(target: Path, before: bytes | None, data: bytes) -> Written | None:
    """None where the file is no longer what it was when it was read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    there = os.stat(target) if before is not None else None
    if there is not None and there.st_nlink > 1:
        return _rewrite(target, before or b"", data, there)
    draft = _draft(target, data, there)
    try:
        backup = _backup(target, before, there)
        if _read(target) != before:
            return None
        if before is None:
            # Never over a file that came into being meanwhile.
            try:
                os.link(draft, target)
            except FileExistsError:
                return None
            except OSError:  # a file system without hard links
                os.rename(draft, target)
        else:
            os.replace(draft, target)
        return Written(target, has_changed=True, backup=backup)
    finally:
        with suppress(OSError):
            draft.unlink()


def _rewrite(target: Path, before: bytes, data: bytes, there: os.stat_result) -> Written | None:
    """Another name leads to the same file (a hard link), and is to lead to the new text too."""
    backup = _backup(target, before, there)
    with target.open("r+b") as file:
        if file.read() != before:
            return None
        file.seek(0)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    return Written(target, has_changed=True, backup=backup)


def _backup(target: Path, before: bytes | None, there: os.stat_result | None) -> Path | None:
    if before is None:
        return None
    backup = target.with_name(target.name + BACKUP)
    draft = _draft(target, before, there)
    try:
        os.replace(draft, backup)
    finally:
        with suppress(OSError):
            draft.unlink()
    return backup


def _draft(target: Path, data: bytes, like: os.stat_result | None) -> Path:
    """A new file beside the target, of the original's mode and owner, or for this user alone."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if like is not None and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            with suppress(OSError):  # only root may give a file away
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fsync(file.fileno())
    return draft
