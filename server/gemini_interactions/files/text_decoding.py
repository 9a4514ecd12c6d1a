"""Text, in whatever encoding it was saved: told from its bytes, since no file says so.

UTF-8 and UTF-16 are told surely, and so is older Western text (Windows-1252) by its lone letters;
for any other `encoding_detection` is asked.
"""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with UTF-16's mark, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What no text has, but for the odd control character in a log: tab, line and page ends,
# backspace and escape are none of it.
_CONTROLS = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")
_NOT_LETTERS = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_ROWS = re.compile(rb"[\x80-\xff]{3,}")
_RARE = re.compile(rb"[\x82-\x84\x86-\x90\x98\x9a-\x9f]")
_NOT_WESTERN = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def encoding_of(head: bytes) -> str:
    """The encoding of a text that begins like this, or "" if it is none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding if _decodes(head, encoding) else ""
    if b"\0" in head:
        return _unmarked_utf16(head)
    if len(_CONTROLS.findall(head)) * 1000 > len(head):
        return ""
    if _decodes(head, "utf-8"):
        return "utf-8"
    high = len(head) - len(head.translate(None, bytes(range(128, 256))))
    is_western = high * 10 <= len(head) * 3 and not _NOT_WESTERN.search(head)
    if _CONTROLS.search(head) or not is_western:
        return ""
    # Accented letters stand alone in Western words; in other scripts they come in a row, or as
    # bytes that would be rare punctuation.
    in_rows = sum(map(len, _ROWS.findall(head)))
    rare = len(_RARE.findall(head))
    return "cp1252" if (in_rows + rare) * 5 <= high else ""


def may_be_text(head: bytes) -> bool:
    """Whether this has no more control characters than a text, so that a detector is worth
    asking."""
    return b"\0" not in head and not _CONTROLS.search(head)


def decoded(data: bytes, encoding: str) -> str:
    """The text with plain line ends; what is damaged becomes "\N{REPLACEMENT CHARACTER}"."""
    return with_plain_ends(data.decode(encoding, "replace").removeprefix("\ufeff"))


def with_plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        # Not final: the head may end in the middle of a character.
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _unmarked_utf16(head: bytes) -> str:
    """UTF-16 without its mark shows by every other byte of plain letters being 0."""
    half = len(head) // 2
    if half < 2:
        return ""
    for encoding, zeros, others in (
        ("utf-16-le", head[1::2], head[0::2]),
        ("utf-16-be", head[0::2], head[1::2]),
    ):
        is_likely = zeros.count(0) * 10 >= half * 4 and not _NOT_LETTERS.search(others)
        if is_likely and _decodes(head, encoding):
            return encoding
    return ""
