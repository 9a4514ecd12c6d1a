"""Links to images over HTTP: whoever has one may fetch that image, until it runs out.

A browser sends no token along, so the link itself carries the right: whose image it is, until
when, and a signature of both that only this server (and its replicas) can make.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

from ..path_sandbox.dir_fd import reach

VALID = 24 * 3600
"""Seconds that a link holds."""

SHORTEST_KEY = 16

FILE = "gemini-signing-key"

_TICKET = re.compile(r"([A-Za-z0-9_-]{1,2000})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


class Links:
    """Makes and checks tickets, the part of a link that gives the right; `now` is handed in."""

    def __init__(self, key: bytes) -> None:
        if len(key) < SHORTEST_KEY:
            raise ValueError(f"a signing key has at least {SHORTEST_KEY} bytes")
        # The same key may sign other things: a signature of one is none of the other.
        self._key = hashlib.sha256(b"gemini-interactions-mcp image link\0" + key).digest()

    def ticket(self, owner: str, image_id: str, now: float) -> str:
        """What makes a link to this image work for a day; safe in a URL as it is."""
        return self._ticket(owner, image_id, str(int(now) + VALID))

    def owner(self, image_id: str, ticket: str, now: float) -> str | None:
        """Whose image a ticket opens, None if it does not open this one (any more)."""
        parts = _TICKET.fullmatch(ticket)
        if parts is None:
            return None
        try:
            owner = _bytes(parts[1]).decode()
        except ValueError:
            return None
        # Compared first and in constant time, so nothing is learned of one that is forged.
        is_ours = hmac.compare_digest(ticket, self._ticket(owner, image_id, parts[2]))
        return owner if is_ours and now <= int(parts[2]) else None

    def _ticket(self, owner: str, image_id: str, until: str) -> str:
        # NUL is in none of them, so no two messages read the same.
        message = "\0".join((owner, image_id, until)).encode("utf-8", "surrogatepass")
        signature = hmac.digest(self._key, message, "sha256")
        return f"{_letters(owner.encode())}.{until}.{_letters(signature)}"


def signing_key(data_dir: Path) -> bytes:
    """The key kept in the data folder, made at the first need.

    Processes that need it at once agree on the first one written. A key that others could
    read, or that is damaged, is replaced: links made with it end there.
    """
    file = data_dir / FILE
    try:
        if key := _read(file):
            return key
        file.unlink()
    except FileNotFoundError:
        pass
    with reach(os.path.realpath(data_dir)) as folder:
        draft = f".{FILE}-{secrets.token_hex(4)}"
        with open(folder.new_file(draft, 0o600), "w", encoding="ascii") as new:
            new.write(secrets.token_hex(32) + "\n")
        try:
            folder.settle(draft, FILE)
        except FileExistsError:
            folder.remove(draft)
    if key := _read(file):
        return key
    raise OSError("the signing key could not be kept")


def _read(file: Path) -> bytes:
    """The key in the file, or b"" when it must not be used."""
    with open(file, encoding="ascii", errors="replace") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        try:
            key = bytes.fromhex(opened.read(1024).strip())
        except ValueError:
            return b""
    is_private = os.name == "nt" or not mode & 0o077
    return key if is_private and len(key) >= SHORTEST_KEY else b""


def _letters(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _bytes(letters: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        raise ValueError(letters) from None
