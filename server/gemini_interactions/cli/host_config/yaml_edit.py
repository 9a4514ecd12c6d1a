"""The little YAML that one host needs: a new entry under a key, or two lines of ours changed.

No YAML library keeps a file as it is, so only plain block style is touched, by its lines;
anything else is `NotEditable` and printed instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .json_edit import NotEditable


def entry(text: str, section: str, name: str) -> dict[str, Any] | None:
    """The entry's own keys with their scalars and one-line lists; None where it is not there."""
    block = _block(text.splitlines(), section, name)
    return None if block is None else _read(block[2])


def with_entry(text: str, section: str, name: str, snippet: str) -> str:
    """The text with a new entry; `snippet` is the section with that entry alone in it."""
    lines = text.splitlines(keepends=True)
    new = snippet.splitlines(keepends=True)[1:]
    at = _section(lines, section)
    if at is None:
        if re.search(rf"^[\"']?{section}[\"']?\s*:", text, re.MULTILINE):
            raise NotEditable(f"its {section} are written in a way that is not understood")
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}{snippet}"
    indent = _child_indent(lines, at) or "  "
    own = re.match(r" *", new[0])
    width = len(own[0]) if own else 0
    return "".join([*lines[: at + 1], *(indent + each[width:] for each in new), *lines[at + 1 :]])


def with_values(text: str, section: str, name: str, values: Mapping[str, Any]) -> str:
    """The text with these keys of an entry that is there; each is written on one line."""
    lines = text.splitlines(keepends=True)
    block = _block(lines, section, name)
    if block is None:
        raise NotEditable("its entry has gone")
    first, last, body = block
    step = re.match(r" *", next(each for each in body if each.strip()))
    indent = step[0] if step else "    "
    kept = [each if each.endswith("\n") else f"{each}\n" for each in lines[first:last]]
    for key, value in values.items():
        written = f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}\n"
        at = next((i for i, each in enumerate(kept) if each.startswith(f"{indent}{key}:")), None)
        if at is None:
            end = len(kept)
            while end and not kept[end - 1].strip():
                end -= 1
            kept.insert(end, written)
            continue
        end = at + 1
        while end < len(kept) and re.match(rf"{indent}(\s+|- |-$)", kept[end]):
            end += 1  # a list in block style
        kept[at:end] = [written]
    return "".join([*lines[:first], *kept, *lines[last:]])


def _section(lines: list[str], section: str) -> int | None:
    found = [i for i, each in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", each)]
    return found[0] if len(found) == 1 else None


def _child_indent(lines: list[str], at: int) -> str:
    for line in lines[at + 1 :]:
        if line.strip() and not line.lstrip().startswith("#"):
            found = re.match(r"( +)\S", line)
            return found[1] if found else ""
    return ""


def _block(lines: list[str], section: str, name: str) -> tuple[int, int, list[str]] | None:
    at = _section(lines, section)
    indent = "" if at is None else _child_indent(lines, at)
    if at is None or not indent:
        return None
    for i in range(at + 1, len(lines)):
        if lines[i].strip() and not lines[i].startswith((indent, "#")):
            return None  # the section is over
        if re.match(rf"{indent}[\"']?{name}[\"']?:\s*(#.*)?$", lines[i]):
            end = i + 1
            while end < len(lines) and (
                not lines[end].strip() or lines[end].startswith(f"{indent} ")
            ):
                end += 1
            return i + 1, end, lines[i + 1 : end]
        if re.match(rf"{indent}[\"']?{name}[\"']?:", lines[i]):
            raise NotEditable("its entry is written on one line")
    return None


def _read(body: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    first = next((each for each in body if each.strip()), "")
    indent = len(first) - len(first.lstrip(" "))
    key = ""
    for line in body:
        plain = re.match(rf" {{{indent}}}([\w-]+):\s*(.*?)\s*$", line.rstrip("\r\n"))
        if plain:
            key = plain[1]
            found[key] = _scalar(plain[2]) if plain[2] else {}
        elif item := re.match(r"\s+- (.*?)\s*$", line):
            found[key] = [*(found[key] if isinstance(found[key], list) else []), _scalar(item[1])]
        elif (pair := re.match(r"\s+([\w-]+):\s*(.*?)\s*$", line)) and isinstance(
            found.get(key), dict
        ):
            found[key][pair[1]] = _scalar(pair[2])
    return found


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    if flow := re.fullmatch(r"\[(.*)\]", text):
        return [_scalar(each.strip()) for each in flow[1].split(",") if each.strip()]
    if quoted := re.fullmatch(r"'(.*)'", text):
        return quoted[1].replace("''", "'")
    return re.sub(r"\s+#.*$", "", text)
