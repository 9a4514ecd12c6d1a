"""Text files that carry bytes as base64: notebooks, recordings of web traffic, drawings.

470 bytes of code with two plots are 4 MB of base64, which a model reads as prose. The bytes are
left out with a note in their place; of a notebook's plots the first go along as pictures.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ENDINGS = (".ipynb", ".har", ".svg")
LARGEST = 32 * 2**20
"""Bytes of a file that is looked into; a larger one goes out as it is."""
PICTURES = 4
_PICTURE_BYTES = 3 * 2**20
_LONG = re.compile(r"(?:[A-Za-z0-9+/]|\\[nr/]|%2[BF]){600,}(?:=|%3D){0,2}")
_TYPES = {"image/png": "image/png", "image/jpeg": "image/jpeg", "image/webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Reduced:
    """A text without embedded bytes; `pictures` are (mime type, base64) of a notebook's plots."""

    text: str
    left_out: int
    pictures: tuple[tuple[str, str], ...] = ()


def is_candidate(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def reduced(name: str, text: str) -> Reduced | None:
    """The text without its embedded bytes; None where there are none."""
    if name.lower().endswith(".ipynb") and (notebook := _notebook(text)):
        return notebook
    left_out = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal left_out
        left_out += len(found[0])
        return f"[{len(found[0]) * 3 // 4:,} bytes left out]"

    short = _LONG.sub(replaced, text)
    return Reduced(short, left_out) if left_out else None


def _notebook(text: str) -> Reduced | None:
    """A Jupyter notebook as its cells: prose, code in fences, and what each printed."""
    try:
        whole = json.loads(text)
        cells = whole["cells"]
        language = str(whole.get("metadata", {}).get("language_info", {}).get("name", ""))
        parts: list[str] = []
        pictures: list[tuple[str, str]] = []
        for cell in cells:
            source = _joined(cell.get("source"))
            is_code = cell.get("cell_type") == "code"
            parts.append(f"```{language}\n{source}\n```" if is_code else source)
            for output in cell.get("outputs") or ():
                parts += _output(output, pictures)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    short = "\n\n".join(part for part in parts if part.strip())
    return Reduced(short, max(len(text) - len(short), 0), tuple(pictures))


def _output(output: Any, pictures: list[tuple[str, str]]) -> Iterator[str]:
    if output.get("output_type") == "stream":
        yield f"```text\n{_without_bytes(_joined(output.get('text')))}\n```"
        return
    if output.get("output_type") == "error":
        yield f"```text\n{output.get('ename')}: {output.get('evalue')}\n```"
        return
    data = output.get("data") or {}
    for kind in _TYPES:
        if kind in data:
            yield _picture(kind, _joined(data[kind]), pictures)
            return
    if "text/plain" in data:
        yield f"```text\n{_without_bytes(_joined(data['text/plain']))}\n```"


def _picture(kind: str, data: str, pictures: list[tuple[str, str]]) -> str:
    plain = "".join(data.split())
    size = len(plain) * 3 // 4
    if len(pictures) >= PICTURES or size > _PICTURE_BYTES or not _is_base64(plain):
        return f"[a picture of {size:,} bytes left out]"
    pictures.append((kind, plain))
    return f"[picture {len(pictures)}, sent with this file]"


def _is_base64(data: str) -> bool:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return False
    return True


def _without_bytes(text: str) -> str:
    return _LONG.sub(lambda found: f"[{len(found[0]) * 3 // 4:,} bytes left out]", text)


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value or "")
