"""Reading JSON whose shape nobody promised: what is not of the kind wanted reads as nothing.

Upstream answers, tool results and callers' arguments may hold any JSON anywhere. A value is
never used as a key, an index or a text before it went through one of these functions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from gemini_interactions.domain.types import CONTENTS

Json = Mapping[str, Any]

MEDIA = CONTENTS - {"text"}

# CSI and OSC sequences and the two-character escapes of ECMA-48, in their 7-bit and 8-bit forms.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


OBJECT = (dict, Mapping)
"""What JSON objects are: nearly always a dict, which is told at once; asking the abstract class
costs ten times that, hundreds of times an answer."""


def as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_mapping(value: object) -> Json:
    return {} if value is None or not isinstance(value, OBJECT) else value


def type_of(value: object) -> str:
    """The `type` of a step, content, delta or annotation; "" where that is no text."""
    return as_text(value.get("type")) if isinstance(value, OBJECT) else ""


def size_of(value: object) -> int:
    """How many characters the texts in some JSON have together, keys left out."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(size_of, value.values()))
    return sum(map(size_of, value)) if isinstance(value, list | tuple) else 0


def is_media(content: object) -> bool:
    return type_of(content) in MEDIA


def objects_in(value: object) -> list[Json]:
    if value is None:
        return []
    if isinstance(value, OBJECT):
        return [value]
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, OBJECT)]
    return []


def contents_in(value: object) -> list[Json]:
    """Content objects; a bare string, or one without a type, is text."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    return objects_in(value)


def strings_in(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [item for item in values if isinstance(item, str) and item.strip()]


def printable(text: str) -> str:
    """The text without terminal escapes, control characters and marks that reorder what is read;
    line ends and tabs stay."""
    if text.isprintable():
        return text if not _BIDI & set(text) else _without_controls(text)
    return _without_controls(_ESCAPES.sub("", text))


def one_line(value: object, most: int = 200) -> str:
    """Somebody's words as one printable line of bounded length; "" for what is no text."""
    line = " ".join(printable(as_text(value)).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _without_controls(text: str) -> str:
    return "".join(
        each
        for each in text
        if each in "\n\t\r\u2028\u2029\x85"
        or (unicodedata.category(each) != "Cc" and each not in _BIDI)
    )
