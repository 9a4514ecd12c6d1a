"""What has to change in an entry that is there already, so that it starts this server.

The command is ours, and so are keys that are missing; everything else was put there by somebody
and stays: time-outs, limits, trust, other variables, flags behind the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Any

from ...domain.client_profiles import PACKAGE

MODULE = "gemini_interactions"
_REMOTE = ("url", "httpUrl", "serverUrl", "uri")
_COMMANDS = ("command", "cmd")
_ENVIRONMENTS = ("env", "environment", "envs")
_LISTS = ("env_vars", "env_keys")


class Foreign(Exception):
    """The entry of our name is not one that starts this server; the words say what it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value under a path of keys inside the entry, and what is said of it."""

    path: tuple[str, ...]
    value: Any
    words: str


def changes(
    there: Any,
    wanted: Mapping[str, Any],
    variables: Mapping[str, str],
    optional: Sequence[str] = (),
) -> list[Change]:
    """What to change in the entry `there`, so that it does what `wanted` does.

    `variables` are to have these very values; keys in `optional` are not added where they lack.
    """
    if not isinstance(there, Mapping):
        raise Foreign("it is no table of keys")
    if any(there.get(key) for key in _REMOTE):
        raise Foreign("it leads to a server over HTTP")
    return [
        *_command(there, wanted, variables),
        *_environment(there, wanted, variables),
        *_missing(there, wanted, optional),
    ]


def program_and_flags(words: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The words of a command that start this server, and those behind them; None if none do."""
    for at, word in enumerate(words):
        if word == MODULE and at and words[at - 1] == "-m":
            return list(words[: at + 1]), list(words[at + 1 :])
        if _is_ours(word):
            # `uvx --from SOURCE gemini-interactions-mcp`: the last word that names us counts.
            rest = list(words[at + 1 :])
            if rest and _is_ours(rest[0]):
                return list(words[: at + 2]), rest[1:]
            return list(words[: at + 1]), rest
    return None


def _is_ours(word: str) -> bool:
    name = PureWindowsPath(word).name if "\\" in word else PurePath(word).name
    return (
        re.fullmatch(rf"{PACKAGE}(\.exe|@\S+|==\S+|\[\w+\]\S*)?(\.git(@\S+)?)?", name) is not None
    )


def _command(
    there: Mapping[str, Any], wanted: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[Change]:
    key = next((each for each in _COMMANDS if each in wanted), "command")
    is_list = isinstance(wanted[key], list)
    now = there.get(key)
    if is_list:
        words = [*now] if isinstance(now, list) else []
    else:
        words = [str(now or ""), *(there.get("args") or [])]
    if not words or not words[0]:
        flags: list[str] = []
    else:
        parts = program_and_flags([str(each) for each in words])
        if parts is None:
            raise Foreign("it starts something else")
        before, flags = parts
        if not _is_plain(before):
            # Such as `docker run …` or `op run -- …`: somebody's own way to start it.
            return
    if "GEMINI_MCP_TOOLSETS" in variables:
        flags = _without_flag(flags, "--toolsets")
    target = [*wanted[key]] if is_list else [wanted[key], *wanted.get("args", [])]
    if [*target, *flags] == words:
        return
    if is_list:
        yield Change((key,), [*target, *flags], f"{key} (it starts {target[0]})")
        return
    if target[0] != now:
        yield Change((key,), target[0], f"{key} (it starts {target[0]})")
    if [*target[1:], *flags] != list(there.get("args") or []):
        yield Change(("args",), [*target[1:], *flags], "args")


def _is_plain(words: Sequence[str]) -> bool:
    """Whether these words do no more than start this server."""
    name = PurePath(words[0].replace("\\", "/")).name.removesuffix(".exe")
    return _is_ours(words[0]) or name in ("uvx", "uv", "pipx") or name.startswith("python")


def _without_flag(flags: Sequence[str], flag: str) -> list[str]:
    kept: list[str] = []
    is_value = False
    for each in flags:
        if is_value:
            is_value = False
        elif each == flag:
            is_value = True
        elif not each.startswith(f"{flag}="):
            kept.append(each)
    return kept


def _environment(
    there: Mapping[str, Any], wanted: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[Change]:
    key = next((each for each in _ENVIRONMENTS if each in wanted), "")
    if not key or not isinstance(there.get(key), Mapping):
        return  # where there is none, it is added as a whole
    for name, value in wanted[key].items():
        is_set_by_us = name in variables and there[key].get(name) != value
        if name not in there[key] or is_set_by_us:
            yield Change((key, name), value, f"{key}.{name}")


def _missing(
    there: Mapping[str, Any], wanted: Mapping[str, Any], optional: Sequence[str]
) -> Iterator[Change]:
    for key, value in wanted.items():
        if key in _LISTS and isinstance(there.get(key), list):
            added = [each for each in value if each not in there[key]]
            if added:
                yield Change((key,), [*there[key], *added], f"{key} ({', '.join(added)})")
        elif (
            key not in there
            and key not in (*_COMMANDS, "args", *optional)
            and value not in ({}, [])
        ):
            yield Change((key,), value, key)
