"""Where the API key is: in the environment, else in the key file that the `key` command writes.

Some hosts keep `GEMINI_API_KEY` from their servers or hand over a literal ``${…}``, hence the
file. It is looked at on every call, so a key set while the server runs works at once. No key
is ever logged, echoed or put into a message.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..domain.errors import Refused
from .data_dir import ensure_private_dir
from .normalization import given
from .setting_table import BadSetting

VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where a key is looked for first; the order is google-genai's own."""

FILE = "key"

_SHAPE = re.compile(r"[!#-&(-<>-_a-{}~]{6,512}")  # printable ASCII without blank, quotes, "=", "`"

_EXAMPLE = re.compile(
    r"(your|insert|paste|enter|put|replace)[-_ ](\w+[-_ ])*key([-_ ]\w+)*$|x{6,64}$|\.{3,}$", re.I
)

_seen: dict[Path, tuple[tuple[int, ...], str]] = {}  # what each file held when last it changed


class BadKey(Refused):
    """What was given cannot be a key."""

    def __init__(self) -> None:
        super().__init__(
            "That is not a Gemini API key. Give only the key itself, one word of letters, digits "
            "and dashes, as it stands at aistudio.google.com/apikey."
        )


class BadKeyFile(Refused):
    """There is a key file, but it cannot be used."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The key file {why}, so it is not used. Run `gemini-interactions-mcp key` in a "
            "terminal to write it anew, then try again; no restart is needed."
        )


def where_keys_are(data_dir: Path) -> str:
    """Where `find_key` looks, for people; the home folder is not named."""
    file = data_dir / FILE
    with suppress(ValueError, RuntimeError):
        file = Path("~") / file.relative_to(Path.home())
    return f"{', '.join(VARIABLES)} and the key file {file.as_posix()}"


def given_key(value: str | None) -> str:
    """A key as somebody gave it: without the quotes that some hosts and files keep around it, and
    "" for an example's words."""
    key = given((value or "").strip().strip("\"'“”‘’`"))
    return "" if _EXAMPLE.match(key) else key


def find_key(environ: Mapping[str, str], data_dir: Path) -> str:
    """The key to call Google with, or "" where there is none. Cheap enough for every call."""
    for variable in VARIABLES:
        if key := given_key(environ.get(variable)):
            return key
    return _key_in(data_dir / FILE)


def save_key(data_dir: Path, key: str) -> Path:
    """Keep this key for all later calls, in a file that only this user can read."""
    key = given_key(key)
    if not _SHAPE.fullmatch(key):
        raise BadKey
    file = ensure_private_dir(data_dir) / FILE
    draft = file.with_name(f".{FILE}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="ascii") as new:
                new.write(key + "\n")
                new.flush()
                os.fsync(new.fileno())
            draft.replace(file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError:
        raise BadSetting(
            "GEMINI_MCP_DATA_DIR (--data-dir) names a folder that cannot be written to."
        ) from None
    return file


def _key_in(file: Path) -> str:
    try:
        now = _mark(os.stat(file))
        before, key = _seen.get(file, ((), ""))
        if now != before:
            key = _read(file)
            _seen[file] = (now, key)
        return key
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        raise BadKeyFile("cannot be read") from None


def _mark(now: os.stat_result) -> tuple[int, ...]:
    return (now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_mode)


def _read(file: Path) -> str:
    with open(file, encoding="utf-8", errors="replace") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        if os.name != "nt" and mode & 0o077:
            raise BadKeyFile("can be read by other users of this machine")
        key = given_key(opened.read(4096))
    if key and not _SHAPE.fullmatch(key):
        raise BadKeyFile("does not hold a key")
    return key
