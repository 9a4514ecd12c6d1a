"""Lone surrogates: JSON can carry half an emoji alone (``"\\ud83d"``), and nothing else can.

Neither a database nor a connection takes such a text, so it is replaced where it comes in.
"""

from __future__ import annotations

from typing import Any

DEEPEST = 120
"""Levels of nesting that are kept: all that reads, copies and stores JSON recurses."""
TOO_DEEP = "(nested too deeply to be kept)"


def may_need_repair(json: bytes) -> bool:
    """Whether JSON that was decoded from UTF-8 can hold lone halves, or is nested too deeply; a
    look at the bytes, much cheaper than one at everything in them."""
    nested = json.count(b"{") + json.count(b"[") > DEEPEST
    return nested or b"\\ud" in json or b"\\uD" in json


def replace_lone_surrogates(value: Any, depth: int = DEEPEST) -> Any:
    """`value`, as JSON was read, with lone halves replaced by U+FFFD; what is nested deeper than
    anybody means it is replaced by a remark."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if isinstance(value, list | dict) and not depth:
        return TOO_DEEP
    if isinstance(value, list):
        return [replace_lone_surrogates(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {
            replace_lone_surrogates(name): replace_lone_surrogates(item, depth - 1)
            for name, item in value.items()
        }
    return value
