"""JSON with comments, edited in place: one value is replaced or added, every other byte stays.

Hosts keep comments, trailing commas and JSON5 keys in their configuration, which no JSON library
writes back. So the text is read into a tree of spans, and only the span of a value of ours is
written; `with_value` then reads its own result and compares it with what was meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_BLANK = re.compile(r"(?:[\s\ufeff]+|//[^\n\r]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_BARE = re.compile(r"[^\s,:\[\]{}\"'/]+")
_STRINGS = {
    '"': re.compile(r'"(?:[^"\\\n\r]|\\.)*"', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\\n\r]|\\.)*'", re.DOTALL),
}
_DEEPEST = 100


class NotEditable(Exception):
    """The text is not understood well enough to be changed."""


@dataclass(slots=True)
class Node:
    """One value and where it stands; `members` are those of an object, in order."""

    start: int
    end: int
    value: Any
    members: list[Member] = field(default_factory=list)

    def member(self, key: str) -> Member | None:
        return next((each for each in self.members if each.key == key), None)


@dataclass(frozen=True, slots=True)
class Member:
    key: str
    start: int
    node: Node


def parse(text: str) -> Node:
    """The whole text as a tree; `NotEditable` where it is not JSON with comments."""
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 0)
    if reader.skip(node.end) != len(text):
        raise NotEditable("there is more behind the end of its JSON")
    return node


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """The text with this value under this path of keys; objects on the way are made."""
    root = parse(text)
    node, depth = root, 0
    while depth < len(path) and (member := node.member(path[depth])) is not None:
        node, depth = member.node, depth + 1
        if depth < len(path) and not isinstance(node.value, dict):
            raise NotEditable(f"'{path[depth - 1]}' in it is no object")
    if depth == len(path):
        if node.value == value and type(node.value) is type(value):
            return text
        indent = _indent_of(text, node.start)
        new = text[: node.start] + _written(value, indent, text) + text[node.end :]
    else:
        if not isinstance(node.value, dict):
            raise NotEditable("its JSON is no object")
        for key in reversed(path[depth + 1 :]):
            value = {key: value}
        new = _with_member(text, node, path[depth], value)
    if parse(new).value != _merged(root.value, path[:depth], path[depth:], value):
        raise NotEditable("its form is not one that can be changed safely")
    return new


def _merged(root: Any, known: Sequence[str], rest: Sequence[str], value: Any) -> Any:
    """What the whole should mean: `value` under `known` and, if one was missing, the next key."""
    path = [*known, *rest[:1]]
    if not path:
        return value
    copy = dict(root)
    copy[path[0]] = _merged(root.get(path[0]), known[1:], rest if known else [], value)
    return copy


def _with_member(text: str, node: Node, key: str, value: Any) -> str:
    step = _step(text)
    if node.members:
        last = node.members[-1]
        is_multiline = "\n" in text[node.start : last.start]
        after = _BLANK.match(text, last.node.end)
        at = after.end() if after else last.node.end
        has_comma = text[at : at + 1] == ","
        # A comma goes right behind the value: a comment may stand between it and the end.
        head = text[: at + 1] if has_comma else text[: last.node.end] + ","
        tail = text[at + 1 :] if has_comma else text[last.node.end :]
        if is_multiline:
            indent = _indent_of(text, last.start)
            rest = re.match(r"[ \t]*(?://[^\n\r]*|/\*[^\n\r]*?\*/[ \t]*)*", tail)
            kept = rest.end() if rest else 0
            head, tail = head + tail[:kept], tail[kept:]
            new = f"{_line_end(text)}{indent}{json.dumps(key)}: {_written(value, indent, text)}"
        else:
            new = f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        return head + new + ("," if has_comma else "") + tail
    indent = _indent_of(text, node.start)
    inner = text[node.start + 1 : node.end - 1].rstrip()
    line = _line_end(text)
    member = f"{json.dumps(key)}: {_written(value, indent + step, text)}"
    body = f"{inner}{line}{indent}{step}{member}{line}{indent}"
    return text[: node.start + 1] + body + text[node.end - 1 :]


def _written(value: Any, indent: str, text: str) -> str:
    lines = json.dumps(value, indent=_step(text), ensure_ascii=False).split("\n")
    return (_line_end(text) + indent).join(lines)


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _step(text: str) -> str:
    """How this file indents one level."""
    found = re.search(r"[{\[][ \t]*\r?\n([ \t]+)\S", text)
    return found[1] if found and len(found[1]) <= 8 else "  "


def _indent_of(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


class _Reader:
    """Reads one text; positions go in and out, so nothing is copied."""

    def __init__(self, text: str) -> None:
        self._text = text

    def skip(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotEditable("it is nested too deeply")
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._array(at, depth)
            case '"' | "'":
                return self._string(at)
            case _:
                return self._bare(at)

    def _object(self, start: int, depth: int) -> Node:
        node = Node(start, start, {})
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "}":
            key_start = at
            key, at = self._key(at)
            at = self._expect(":", self.skip(at))
            value = self.value(self.skip(at), depth + 1)
            if key in node.value:
                raise NotEditable(f"it has two entries '{key}'")
            node.value[key] = value.value
            node.members.append(Member(key, key_start, value))
            at = self._comma(self.skip(value.end), "}")
        node.end = at + 1
        return node

    def _array(self, start: int, depth: int) -> Node:
        node = Node(start, start, [])
        at = self.skip(start + 1)
        while self._text[at : at + 1] != "]":
            value = self.value(at, depth + 1)
            node.value.append(value.value)
            at = self._comma(self.skip(value.end), "]")
        node.end = at + 1
        return node

    def _comma(self, at: int, closing: str) -> int:
        if self._text[at : at + 1] == closing:
            return at
        return self.skip(self._expect(",", at))

    def _expect(self, mark: str, at: int) -> int:
        if self._text[at : at + 1] != mark:
            line = self._text.count("\n", 0, at) + 1
            raise NotEditable(f"a '{mark}' is missing in line {line}")
        return at + 1

    def _key(self, at: int) -> tuple[str, int]:
        if self._text[at : at + 1] in _STRINGS:
            node = self._string(at)
            return node.value, node.end
        if found := _WORD.match(self._text, at):  # JSON5
            return found[0], found.end()
        raise NotEditable(f"a key is missing in line {self._text.count(chr(10), 0, at) + 1}")

    def _string(self, at: int) -> Node:
        found = _STRINGS[self._text[at]].match(self._text, at)
        if not found:
            raise NotEditable("a string in it has no end")
        raw = found[0]
        if raw[0] == "'":
            raw = '"' + re.sub(r"\\'", "'", raw[1:-1]).replace('"', '\\"') + '"'
        try:
            return Node(at, found.end(), json.loads(raw, strict=False))
        except ValueError:
            return Node(at, found.end(), found[0])  # an escape of JSON5: kept as it is written

    def _bare(self, at: int) -> Node:
        found = _BARE.match(self._text, at)
        if not found:
            raise NotEditable("a value in it is missing")
        try:
            return Node(at, found.end(), json.loads(found[0]))
        except ValueError:
            # Infinity, .5 or 0x1f of JSON5. A mere word there means that this is no JSON.
            if not re.fullmatch(r"[+-]?(Infinity|NaN|[\d.][\w.+-]*)", found[0]):
                raise NotEditable(f"'{found[0][:20]}' in it is no JSON") from None
            return Node(at, found.end(), found[0])


def lookup(value: Any, path: Sequence[str]) -> Any:
    """What stands under this path of keys; None where nothing does."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
