"""What the value of a setting may be.

A parser raises ValueError with the end of the sentence "X must be …"; the value itself is never
repeated, since it may be a secret in the wrong place.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

TOOLSETS = ("ask", "research", "images", "media", "agents")
"""Every set of tools there is; `all` chooses them."""


def parse_number(least: float, most: float = 1e9, unit: str = "") -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not least <= number <= most:  # also refuses nan
            raise ValueError(f"a number{unit} from {least:g} to {most:,.0f}")
        return number

    return parse


def parse_whole(least: int, most: int = 10**12) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value[:20]) <= most):
            raise ValueError(f"a whole number from {least:,} to {most:,}")
        return int(value)

    return parse


def parse_one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value.lower()

    return parse


def parse_switch(value: str) -> bool:
    switches = {"on": True, "1": True, "true": True, "yes": True}
    switches |= {"off": False, "0": False, "false": False, "no": False}
    if value.lower() not in switches:
        raise ValueError("on or off")
    return switches[value.lower()]


def parse_list(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", value) if part))


def parse_folders(value: str) -> tuple[Path, ...]:
    return tuple(parse_folder(part) for part in value.split(os.pathsep) if part.strip())


def parse_folder(value: str) -> Path:
    return parse_path(value, "the path of a folder")


def parse_file(value: str) -> Path:
    return parse_path(value, "the path of a file")


def parse_path(value: str, allowed: str) -> Path:
    if "${" in value or "\0" in value:
        raise ValueError(allowed)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as nobody:  # "~somebody" who does not exist
        raise ValueError(allowed) from nobody


def parse_text(value: str) -> str:
    if not value.isprintable() or any(each.isspace() for each in value):
        raise ValueError("a text without spaces")
    return value


def parse_word(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("a name without spaces")
    return value


def parse_https(value: str) -> str:
    """An address whose answers are believed; kept letter by letter, since issuers are compared."""
    local = r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
    if not re.fullmatch(rf"(https://[^\s/?#@]+|{local})(/[^\s?#]*)?", value):
        raise ValueError("an https:// address without user, query or fragment")
    return value


def parse_scopes(value: str) -> tuple[str, ...]:
    scopes = parse_list(value)
    # The characters of RFC 6749; they also stand between quotes in a header.
    if not all(re.fullmatch(r"[!#-\[\]-~]+", each) for each in scopes):
        raise ValueError("a list of scopes, with a comma or space between them")
    return scopes


def parse_address(value: str) -> str:
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:/\[\]\s]+):\d{1,5}", value):
        raise ValueError("HOST:PORT, such as 127.0.0.1:9464")
    return value


def parse_networks(value: str) -> tuple[str, ...]:
    import ipaddress  # 5 ms that only proxies cost

    try:
        return tuple(str(ipaddress.ip_network(each, strict=False)) for each in parse_list(value))
    except ValueError:
        raise ValueError("a list of IP addresses or networks such as 10.0.0.0/8") from None


def parse_version(value: str) -> str:
    if not re.fullmatch(r"v\d+\w*", value):
        raise ValueError("a version of the API such as v1 or v1beta")
    return value


def parse_url(value: str) -> str:
    value = value.strip("\"'")
    scheme, mark, rest = value.partition("://")
    value = f"{scheme.lower()}{mark}{rest.strip()}"
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("an http:// or https:// address without user, query or fragment")
    return value.rstrip("/")


def parse_hosts(value: str) -> tuple[str, ...]:
    hosts = parse_list(value.lower())
    if not all(
        re.fullmatch(r"\*|([\w.-]+|\[[0-9a-f:.]+\])(:(\d{1,5}|\*))?", each) for each in hosts
    ):
        raise ValueError("a comma-separated list of host names, each with or without a port")
    return hosts


def parse_origins(value: str) -> tuple[str, ...]:
    origins = parse_list(value.lower())
    if not all(re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@*]+", each) for each in origins):
        raise ValueError("a comma-separated list of origins such as https://app.example.com")
    return origins


def parse_database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("sqlite:///PATH or postgresql://USER@HOST/NAME")
    return value


def parse_toolsets(value: str) -> tuple[str, ...]:
    wanted = parse_list(value.lower())
    allowed = f"a comma-separated list of {', '.join(TOOLSETS)}, or all"
    if "all" in wanted:
        wanted = (*TOOLSETS, *(name for name in wanted if name != "all"))
    for name in wanted:
        if name not in TOOLSETS:
            raise ValueError(allowed)
    return tuple(name for name in TOOLSETS if name in wanted)


def default_data_dir(platform: str = sys.platform) -> Path:
    """The platform's user data folder for us."""
    name = "gemini-interactions-mcp"
    if platform == "linux":  # as platformdirs says it, whose import costs 20 ms of each start
        folder = os.environ.get("XDG_DATA_HOME", "")
        return Path(folder if folder.strip() else os.path.expanduser("~/.local/share")) / name
    import platformdirs

    return Path(platformdirs.user_data_dir(name, appauthor=False))
