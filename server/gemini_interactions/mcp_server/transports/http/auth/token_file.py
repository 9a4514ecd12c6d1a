"""Tokens file: who may come in over HTTP, one `owner:sha256-hex-of-token` a line.

The file holds no token, only what one hashes to. It is looked at with every request and read
again when it has changed; while it cannot be read, or holds a bad line, those read before hold.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import time
from pathlib import Path

from .....config.setting_table import BadSetting
from ....request_context import LOCAL

log = logging.getLogger(__name__)

LARGEST = 2**20
"""Bytes that a file of tokens may have."""
FRESH = 1.0
"""Seconds after a change in which another may have the same time stamp, or still be going on."""

_SETTING = "GEMINI_MCP_TOKENS_FILE (--tokens-file)"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OWNER = re.compile(r"\S{1,100}")

Owners = dict[str, str]
"""Owners by the hex digest of a token of theirs."""
Stamp = tuple[int, ...]


class Tokens:
    """The tokens of one file; raises `BadSetting` where it cannot be used from the start."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: Stamp | None = None
        self._complaint = ""
        self._owners = self._read()
        if not self._owners:
            raise BadSetting(f"{_SETTING} names a file without a token in it.")

    @property
    def owners(self) -> frozenset[str]:
        """Everybody who has a token."""
        return frozenset(self._owners.values())

    def principal(self, token: bytes) -> tuple[str, str] | None:
        """Whose token this is, and a credential that names it without giving it away.

        Compared in constant time with every one there is.
        """
        self._look_again()
        digest = hashlib.sha256(token).hexdigest()
        found = None
        for known, owner in self._owners.items():
            if hmac.compare_digest(known, digest):
                found = owner, _credential(digest)
        return found

    def owner(self, token: bytes) -> str | None:
        found = self.principal(token)
        return found[0] if found else None

    def holder(self, credential: str) -> str | None:
        """Whose token a credential names; None once that token was removed."""
        self._look_again()
        return self._holders.get(credential)

    @property
    def _owners(self) -> Owners:
        return self._owners_read

    @_owners.setter
    def _owners(self, owners: Owners) -> None:
        self._owners_read = owners
        self._holders = {_credential(digest): owner for digest, owner in owners.items()}

    def _look_again(self) -> None:
        stamp: Stamp
        try:
            status = os.stat(self._file)
        except OSError:
            stamp, is_fresh = (), False
        else:
            stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            is_fresh = abs(time.time() - status.st_mtime) < FRESH
        if stamp == self._stamp:
            return
        self._stamp = None if is_fresh else stamp
        try:
            owners = self._read()
        except BadSetting as bad:
            self._complain(f"{bad} The tokens read before still hold.")
            return
        if not owners and is_fresh:
            return  # somebody is writing it right now
        self._complain("" if owners else f"{_SETTING} holds no token: nobody can come in.")
        self._owners = owners

    def _complain(self, complaint: str) -> None:
        """Once for each trouble, however many requests see it."""
        if complaint and complaint != self._complaint:
            log.warning("%s", complaint)
        self._complaint = complaint

    def _read(self) -> Owners:
        try:
            with open(self._file, "rb") as file:
                text = file.read(LARGEST + 1)
            if len(text) > LARGEST:
                raise BadSetting(f"{_SETTING} names a file of more than {LARGEST:,} bytes.")
            lines = text.decode("utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError):
            raise BadSetting(f"{_SETTING} names a file that cannot be read as text.") from None
        owners: Owners = {}
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if line and not line.startswith("#"):
                digest, owner = _entry(line, number)
                if owners.setdefault(digest, owner) != owner:
                    raise BadSetting(f"{_SETTING}: line {number} gives one token to two owners.")
        return owners


def _credential(digest: str) -> str:
    """Kept in the database and in links: it is not what the file holds, nor leads back to it."""
    return hashlib.sha256(f"gateway token\0{digest}".encode()).hexdigest()[:32]


def _entry(line: str, number: int) -> tuple[str, str]:
    owner, _, digest = line.rpartition(":")
    owner, digest = owner.strip(), digest.strip().lower()
    if not (_OWNER.fullmatch(owner) and owner.isprintable() and _DIGEST.fullmatch(digest)):
        # Never what stands there: it may be a token itself.
        raise BadSetting(f"{_SETTING}: line {number} is not owner:sha256-hex-of-token.")
    if owner == LOCAL:
        raise BadSetting(
            f"{_SETTING}: line {number} names the owner {LOCAL}, which is whoever comes without "
            "a token; choose another name."
        )
    return digest, owner
