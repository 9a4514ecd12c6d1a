"""TOML, edited in place by tomlkit, which keeps comments, order and blanks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from .json_edit import NotEditable


def parse(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise NotEditable("it is not valid TOML") from None


def with_values(text: str, values: Sequence[tuple[Sequence[str], Any]]) -> str:
    """The text with each value under its path of keys; tables on the way are made."""
    import tomlkit  # 30 ms that only `install` pays
    from tomlkit.exceptions import TOMLKitError

    expected = _copied(parse(text))
    try:
        document = tomlkit.parse(text)
        for path, value in values:
            _set(document, path, value)
            _set_plain(expected, path, value)
        new = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError, KeyError):
        raise NotEditable("its form is not one that can be changed safely") from None
    if "\r\n" in text:
        new = new.replace("\r\n", "\n").replace("\n", "\r\n")
    if parse(new) != expected:
        raise NotEditable("its form is not one that can be changed safely")
    return new


def with_table(text: str, path: Sequence[str], snippet: str) -> str:
    """The text with a whole new table at its end, as `snippet` writes it."""
    table: Any = parse(snippet)
    for key in path:
        table = table[key]
    expected = _copied(parse(text))
    line = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text else line if text.endswith("\n") else line * 2
    new = f"{text}{gap}{snippet.replace(chr(10), line)}"
    _set_plain(expected, path, table)
    try:
        if parse(new) == expected:
            return new
    except NotEditable:  # `mcp_servers = { … }` on one line takes no table behind it
        pass
    return with_values(text, [(path, table)])


def _set(table: Any, path: Sequence[str], value: Any) -> None:
    import tomlkit

    for key in path[:-1]:
        if key not in table:
            table[key] = tomlkit.table()
        table = table[key]
    table[path[-1]] = value


def _set_plain(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
