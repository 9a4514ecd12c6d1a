"""Attachments: what a file is to Gemini, and the content it is sent as.

Text and code go in as text, under their name. Everything else goes in as its real type:
its bytes when it is small, a reference to an uploaded copy when it is large.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

from .addresses import Address, type_of
from .folders import Opened
from .kinds import HEAD, Kind, kind_of
from .refusals import NotTaken, Protected
from .texts import decoded

INLINE = 4 * 2**20
"""Files up to this size travel inside the request."""

INLINE_TEXT = 2**20
"""A longer text would fill most of a model's context; uploaded, Google deals with it."""

INLINE_TOTAL = 15 * 2**20
"""All that travels inside one request; base64 adds a third, and hosts' proxies have limits."""

LARGEST = 2 * 2**30
"""What the Files API takes of one file."""

# A key in full: the line that begins one, then its letters; in code and JSON, too. What speaks
# of such a line, and documents that show "…" in its place, stay readable. (Compiled at the first
# use: starting up has no time for it.)
_PRIVATE_KEY = (
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\"'+]|\\[nr])+(?:[A-Za-z-]+: .*\s+)*[A-Za-z0-9+/=]{40}"
)
_PUTTY_KEY = r"PuTTY-User-Key-File-\d"
_GOOGLE_KEY = r'"(?:private_key|refresh_token)"\s*:\s*"[^"]{20}'
_GOOGLE_TYPE = r'"type"\s*:\s*"(?:service_account|authorized_user)"'


@dataclass(frozen=True, slots=True)
class Attachment:
    """A local file that can be sent."""

    name: str
    kind: Kind
    size: int

    @property
    def mime(self) -> str:
        """What an uploaded copy is declared as."""
        is_table = self.kind.type == "text" and self.name.lower().endswith(".csv")
        return "text/csv" if is_table else self.kind.mime

    def content_at(self, uri: str) -> dict[str, Any]:
        """The content that refers to an uploaded copy; text is a document there."""
        return {"type": type_of(self.mime), "uri": uri, "mime_type": self.mime}


def attach(opened: Opened) -> Attachment:
    """What an open file is; NotTaken or Protected when it cannot be sent."""
    if not opened.size:
        raise NotTaken(opened.name, "is empty", "Leave it out.")
    if opened.size > LARGEST:
        what = f"is {size_of(opened.size)}, and Google takes files up to {size_of(LARGEST)}"
        raise NotTaken(opened.name, what, "Split it, or send the part that matters.")
    kind = kind_of(opened.file)
    if not kind.type:
        what = f"is {_an(kind.called)}, which Gemini does not take"
        if kind.called.startswith("kind"):
            what = "is of a kind that Gemini does not take"
        raise NotTaken(opened.name, what, kind.advice)
    if kind.type == "text":
        _refuse_keys(decoded(opened.file.read(HEAD), kind.encoding), opened.name)
        opened.file.seek(0)
    return Attachment(opened.name, kind, opened.size)


def inline(attachment: Attachment, opened: Opened) -> dict[str, Any]:
    """The content with the file's bytes, or words, in it."""
    opened.file.seek(0)
    data = opened.file.read(attachment.size)  # no more than was planned for, should it grow
    if attachment.kind.type != "text":
        words = base64.b64encode(data).decode("ascii")
        return {"type": attachment.kind.type, "data": words, "mime_type": attachment.mime}
    text = decoded(data, attachment.kind.encoding)
    _refuse_keys(text, attachment.name)
    name = attachment.name.replace("&", "&amp;").replace('"', "&quot;")
    return {"type": "text", "text": f'<file name="{name}">\n{text.rstrip()}\n</file>'}


def go_inline(attachments: Sequence[Attachment]) -> list[bool]:
    """Which of these travel inside the request; the others are to be uploaded.

    The smallest first, so that as few as possible need an upload.
    """
    chosen = [False] * len(attachments)
    total = 0
    for at in sorted(range(len(attachments)), key=lambda at: attachments[at].size):
        each = attachments[at]
        limit = INLINE_TEXT if each.kind.type == "text" else INLINE
        if each.size <= limit and total + each.size <= INLINE_TOTAL:
            chosen[at] = True
            total += each.size
    return chosen


def hash_of(file: BufferedReader) -> str:
    """SHA-256 of the whole file, read in pieces; it is left at its beginning."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def describe(item: Attachment | Address) -> str:
    """One line about it, such as "main.py (text, 3.1 KB)"."""
    if isinstance(item, Address):
        return item.label
    return f"{item.name} ({item.kind.called}, {size_of(item.size)})"


def size_of(size: int) -> str:
    """A size as people write it: "3.1 KB"."""
    if size < 1000:
        return f"{size} bytes" if size != 1 else "1 byte"
    amount = size / 1000
    for unit in ("KB", "MB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _refuse_keys(text: str, name: str) -> None:
    is_key = re.search(_PRIVATE_KEY, text) or re.match(_PUTTY_KEY, text)
    if is_key or (re.search(_GOOGLE_TYPE, text) and re.search(_GOOGLE_KEY, text)):
        raise Protected.by_content(name)


def _an(called: str) -> str:
    is_vowel = called[0] in "AEIOUaeiou" or called.startswith(("MPEG", "SVG"))
    return f"{'an' if is_vowel else 'a'} {called}"
