"""Names as people write them, and names that look the same and are not.

macOS puts U+202F into the names of its screenshots, file systems keep accents in one piece or
in two, and people quote, escape and mark (`@path`) what they paste. The name that is there,
to the byte, always wins.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence

from ...domain.file_errors import BadPath

_BLANKS = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2009\u200a\u2002\u2003\u3000"), " ")
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_QUOTES = (("'", "'"), ('"', '"'), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"), ("<", ">"))
_WINDOWS = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\[^\\]+\\|[^/\\]+\\[^/\\])")
_MOST = 20_000
"""Entries of a folder that are looked through."""


def spellings(given: str) -> Iterator[str]:
    """What else may have been meant by a path, the likeliest first."""
    bare = given.strip("\r\n")
    seen = {given}
    for each in (bare, bare.strip()):
        for one in (each, _unquoted(each), _unmarked(each), _unescaped(each)):
            if one and one not in seen:
                seen.add(one)
                yield one


def is_windows_path(given: str) -> bool:
    """Whether this is a path of Windows, which leads nowhere on another system."""
    return _WINDOWS.match(given.strip("\"' \r\n")) is not None


def windows_advice(given: str) -> str:
    """The same place as WSL sees it, where the path has a drive."""
    drive = re.match(r"([A-Za-z]):[\\/]+(.*)", given.strip("\"' \r\n"))
    if not drive:
        return "Write it with forward slashes"
    return f"In WSL it is /mnt/{drive[1].lower()}/{drive[2].replace(chr(92), '/')}"


def really_named(root: str, parts: Sequence[str], given: str) -> tuple[str, ...] | None:
    """The names under `root` that differ from these only in what nobody sees; None if none do."""
    found: list[str] = []
    for part in parts:
        folder = os.path.join(root, *found)
        if os.path.lexists(os.path.join(folder, part)):
            found.append(part)
            continue
        wanted = _visible(part)
        alike = [name for name in _names(folder) if _visible(name) == wanted]
        if len(alike) > 1:
            raise BadPath(
                given, "several files there differ from it only in invisible ways; rename one"
            )
        if not alike:
            return None
        found.append(alike[0])
    return tuple(found)


def _visible(name: str) -> str:
    return unicodedata.normalize("NFC", name.translate(_BLANKS).translate(_UNSEEN))


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for _, entry in zip(range(_MOST), entries, strict=False)]
    except OSError:
        return []


def _unquoted(text: str) -> str:
    for before, after in _QUOTES:
        if len(text) > 2 and text.startswith(before) and text.endswith(after):
            return text[1:-1]
    return text


def _unmarked(text: str) -> str:
    return _unquoted(text[1:]) if text.startswith("@") else text


def _unescaped(text: str) -> str:
    return text if os.name == "nt" else re.sub(r"\\([ ()&'\"\[\]{}$!;*?#~`|<>\\])", r"\1", text)
