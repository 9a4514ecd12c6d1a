"""What stands in the fenced blocks of the documentation, read the way a reader would use it."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gemini_interactions.cli import command_line
from gemini_interactions.config.setting_table import SETTINGS

ROOT = Path(__file__).parents[2]
ADDRESS = "https://gemini.example.com/mcp"
COMMAND = "gemini-interactions-mcp"

# Programs that a page may tell its reader to run, beside ours. Hosts come with their own words
# for adding a server; what follows those words is our command.
HOSTS = frozenset(
    {"claude", "codex", "gemini", "code", "copilot", "opencode", "openclaw", "amp", "goose"}
)
TOOLS = frozenset(
    {"cd", "cat", "chmod", "curl", "docker", "export", "git", "make", "openssl", "printf", "psql"}
    | {"python", "sha256sum", "tr", "uv", "uvx", "pipx"}
)


def commands(block: str) -> Iterator[list[str]]:
    """Every command of a shell block, word by word; comments and redirections left out."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:\||&&|;)\s", line):
            words = shlex.split(part, comments=True)
            if words:
                yield words


def problem_of(words: list[str]) -> str:
    """What is wrong with a command; "" for one that would run."""
    words = _without_settings(words)
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    if not words:
        return ""
    program = words[0].rsplit("/", 1)[-1]
    if program == "uvx":
        words = words[1:]
        program = words[0] if words else ""
    if program == COMMAND:
        return _ours(words[1:])
    if program == "make":
        return "" if set(words[1:]) <= _targets() else f"there is no target {words[1:]}"
    if program in HOSTS:
        return _hosts(words)
    return "" if program in TOOLS else f"{program} is no program a reader was told to have"


def _without_settings(words: list[str]) -> list[str]:
    """Without `export`, and with every variable checked."""
    if words[0] != "export":
        return words
    names = [word.partition("=")[0] for word in words[1:]]
    unknown = [name for name in names if name not in VARIABLES]
    return [f"unknown-variable-{unknown[0]}"] if unknown else []


VARIABLES = {setting.variable for setting in SETTINGS} | {"PATH", "TOKEN", "GEMINI_TOKEN"}


def _ours(words: list[str]) -> str:
    """Whether the real command line takes these words."""
    words = [word for word in words if not word.startswith((">", "<"))]
    try:
        command_line._parser(words).parse_args(words)
    except SystemExit as ended:
        return "" if ended.code in (0, None) else f"{COMMAND} does not take {words}"
    except argparse.ArgumentError as wrong:
        return str(wrong)
    return ""


def _hosts(words: list[str]) -> str:
    """A host's word for adding a server must name our command, or an address of it."""
    if words[1:3] == ["mcp", "remove"]:  # of a server that ours takes the place of
        return "" if len(words) == 4 else f"{shlex.join(words)!r} names no server"
    said = " ".join(words)
    if "mcp list" in said or "mcp probe" in said:
        return ""
    if COMMAND not in said and ADDRESS not in said:
        return f"{said!r} adds nothing of ours"
    after = words[words.index("--") + 1 :] if "--" in words else []
    return problem_of(after) if after else ""


def _targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def parsed(language: str, block: str) -> Any:
    """The data of a configuration snippet; raises ValueError where it is none."""
    match language:
        case "json":
            return json.loads(block)
        case "jsonc":
            return json.loads(re.sub(r"^\s*//.*$", "", block, flags=re.MULTILINE))
        case "toml":
            return tomllib.loads(block)
        case "yaml":
            return _yaml(block)
        case _:
            raise ValueError(f"{language} is no language of configuration")


def _yaml(block: str) -> dict[str, Any]:
    """Nested maps of plain scalars and flow lists, which is all the YAML our pages show."""
    root: dict[str, Any] = {}
    open_maps: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for line in block.splitlines():
        if not line.strip() or line.strip().startswith("#"):
            continue
        found = re.fullmatch(r"( *)([\w.-]+):(?: (.+))?", line)
        if found is None:
            raise ValueError(f"This is more YAML than our pages show: {line}")
        indent, name, value = len(found[1]), found[2], found[3]
        while open_maps[-1][0] >= indent:
            open_maps.pop()
        here = open_maps[-1][1]
        if value is None:
            here[name] = {}
            open_maps.append((indent, here[name]))
        else:
            here[name] = _scalar(value)
    return root


def _scalar(value: str) -> Any:
    if value.startswith("["):
        return [_scalar(each.strip()) for each in value.strip("[]").split(",") if each.strip()]
    if value in ("true", "false", "{}"):
        return {"true": True, "false": False, "{}": {}}[value]
    return int(value) if value.isdigit() else value.strip("\"'")


def servers(data: Any) -> Iterator[dict[str, Any]]:
    """Every server a host's configuration names, wherever the host keeps them."""
    if isinstance(data, dict):
        if {"command", "cmd", "url", "httpUrl", "uri"} & data.keys():
            yield data
            return
        for each in data.values():
            yield from servers(each)


def command_of(server: dict[str, Any]) -> list[str]:
    """The command line a host would start; [] for a server at an address."""
    command = server.get("command", server.get("cmd", []))
    words = [command] if isinstance(command, str) else list(command)
    return words + list(server.get("args", []))


def environment_of(server: dict[str, Any]) -> set[str]:
    """The variables a host would hand over."""
    named: set[str] = set(server.get("env_vars", [])) | set(server.get("env_keys", []))
    for key in ("env", "environment", "envs"):
        named |= set(server.get(key, {}))
    return named
