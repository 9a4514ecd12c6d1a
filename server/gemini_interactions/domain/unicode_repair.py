"""Halves of emoji: JSON can carry one half alone (``"\\ud83d"``), and nothing else can.

Neither a database nor a connection takes such a text, so it is replaced where it comes in.
"""

from __future__ import annotations

from typing import Any


def replace_lone_surrogates(value: Any) -> Any:
    """`value`, as JSON was read, with lone halves replaced by U+FFFD."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if isinstance(value, list):
        return [replace_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {
            replace_lone_surrogates(name): replace_lone_surrogates(item)
            for name, item in value.items()
        }
    return value
