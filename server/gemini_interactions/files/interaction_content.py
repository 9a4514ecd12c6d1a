"""Attachments: what a file is to Gemini, and the content it is sent as.

Text and code go in as text, under their name. Everything else goes in as its real type:
its bytes when it is small, a reference to an uploaded copy when it is large.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from itertools import islice
from typing import Any, BinaryIO

from ..domain.file_errors import NotTaken, Protected
from .mime_sniffing import UNKNOWN, FileType, kind_by_name, kind_of
from .path_sandbox.allowed_dirs import Opened
from .remote_urls import Address, type_of
from .text_decoding import decoded, with_plain_ends

INLINE = 4 * 2**20
"""Files up to this size travel inside the request."""

INLINE_TEXT = 2**20
"""A longer text would fill most of a model's context; uploaded, Google deals with it."""

INLINE_TOTAL = 15 * 2**20
"""All that travels inside one request; base64 adds a third, and hosts' proxies have limits."""

LARGEST = 2 * 2**30
"""What the Files API takes of one file."""

# A key in full: the line that begins one, then its letters; in code and JSON, too. What speaks
# of such a line, and documents that show "…" in its place, stay readable. What stands between is
# bounded, since a text of nothing but such lines would be read on from each of them. (Compiled at
# the first use: starting up has no time for it.)
_PRIVATE_KEY = (
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[\s\"'+]|\\[nr])+(?:[A-Za-z-]+: .{0,200}\n\s*){0,9}[A-Za-z0-9+/=]{40}"
)
_PUTTY_KEY = r"PuTTY-User-Key-File-\d"
# What age, and JSON Web Keys, call one.
_OTHER_KEYS = r"AGE-SECRET-KEY-1[A-Z0-9]{20}|\"d\"\s*:\s*\"[\w-]{40}[\w-]*\""
_KEY_TYPE = r"\"kty\"\s*:|AGE-SECRET-KEY-1"
_GOOGLE_KEY = r'"(?:private_key|refresh_token)"\s*:\s*"[^"]{20}'
_GOOGLE_TYPE = r'"type"\s*:\s*"(?:service_account|authorized_user)"|"client_secret"\s*:'
_PIECE = 2**20
_LONGEST_KEY = 8192
"""Characters in which a key is recognised; so many of one piece are looked at with the next."""
_LOOKED_THROUGH = 64 * 2**20
"""As much of a text is searched for keys: half a minute's worth would keep a caller waiting."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A local file that can be sent."""

    name: str
    kind: FileType
    size: int
    note: str = ""
    """What a caller should know of how it was read."""

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
    note = ""
    if kind is UNKNOWN and (named := kind_by_name(opened.name)).type:
        kind = named
        note = f"{opened.name} was taken for {_an(kind.called)} by its name; its bytes do not say."
    if kind.type == "text" and not kind.encoding.startswith("utf-8"):
        note = _decoding_note(opened.name, kind.encoding)
        if opened.size > INLINE_TEXT and not kind.encoding.startswith(("utf", "cp1252")):
            # It would be uploaded as it is, and Google is told no encoding.
            what = f"is {size_of(opened.size)} of text that is not in UTF-8"
            raise NotTaken(opened.name, what, "Save it as UTF-8, or send the part that matters.")
    if not kind.type:
        what = f"is {_an(kind.called)}, which Gemini does not take"
        if kind.called.startswith("kind"):
            what = "is of a kind that Gemini does not take"
        raise NotTaken(opened.name, what, kind.advice)
    if holds_key(opened.file, kind):
        raise Protected.by_content(opened.name)
    return Attachment(opened.name, kind, opened.size, note)


def inline(attachment: Attachment, opened: Opened) -> dict[str, Any]:
    """The content with the file's bytes, or words, in it."""
    opened.file.seek(0)
    data = opened.file.read(attachment.size)  # no more than was planned for, should it grow
    if attachment.kind.type != "text":
        words = base64.b64encode(data).decode("ascii")
        return {"type": attachment.kind.type, "data": words, "mime_type": attachment.mime}
    if holds_key(BytesIO(data), attachment.kind):  # it may have changed since
        raise Protected.by_content(attachment.name)
    return text_content(attachment, decoded(data, attachment.kind.encoding))


def _decoding_note(name: str, encoding: str) -> str:
    if encoding in ("utf-16", "utf-32"):  # which its mark says
        return ""
    from .encoding_detection import title_of

    return f"{name} is not in UTF-8; it was read as {title_of(encoding)}."


def text_content(attachment: Attachment, text: str) -> dict[str, Any]:
    """A text under its name."""
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


def holds_key(file: BinaryIO, kind: FileType) -> bool:
    """Whether a text has a private key in it; the file is left at its beginning."""
    if kind.type != "text":
        return False
    file.seek(0)
    try:
        return _has_key(iter(lambda: file.read(_PIECE), b""), kind.encoding)
    finally:
        file.seek(0)


def _has_key(pieces: Iterator[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text, is_googles, has_googles = "", False, False
    for piece in islice(pieces, _LOOKED_THROUGH // _PIECE):
        is_first = not text
        text = text[-_LONGEST_KEY:] + with_plain_ends(decoder.decode(piece))
        if re.search(_PRIVATE_KEY, text) or (is_first and re.match(_PUTTY_KEY, text)):
            return True
        if re.search(_OTHER_KEYS, text) and re.search(_KEY_TYPE, text):
            return True
        is_googles = is_googles or bool(re.search(_GOOGLE_TYPE, text))
        has_googles = has_googles or bool(re.search(_GOOGLE_KEY, text))
        if is_googles and has_googles:
            return True
    return False


def hash_of(file: BufferedIOBase) -> str:
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


def _an(called: str) -> str:
    is_vowel = called[0] in "AEIOUaeiou" or called.startswith(("MPEG", "SVG"))
    return f"{'an' if is_vowel else 'a'} {called}"
