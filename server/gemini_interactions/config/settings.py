"""Every setting there is: one table, from which the flags, the checks and the reference come.

Each is an environment variable and the flag of the same name (`GEMINI_MCP_DATA_DIR` and
`--data-dir`); a flag beats the environment. Empty, or a placeholder such as ``${…}`` that some
host did not fill in, counts as not set. Keys are the exception: they have no flag (command lines
can be read by everybody on the machine) and no place in `Config`; `api_key` finds them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..domain.errors import Refused
from .raw_values import given as given
from .raw_values import with_version_apart

TOOLSETS = ("ask", "research", "images", "media")
"""Every set of tools there is; `all` chooses them."""
DEFAULT_TOOLSETS = ("ask", "research", "images")
LATER_TOOLSETS = ("agents",)
LOG_LEVELS = ("error", "warning", "info", "debug")


class BadSetting(Refused):
    """A setting is not what it may be; the message names it and says what is allowed."""


# What a value may be. A parser raises ValueError with the end of the sentence "X must be …";
# the value itself is never repeated, since it may be a secret in the wrong place.


def _number(least: float, most: float = 1e9, unit: str = "") -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not least <= number <= most:  # also refuses nan
            raise ValueError(f"a number{unit} from {least:g} to {most:,.0f}")
        return number

    return parse


def _whole(least: int, most: int = 10**12) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value[:20]) <= most):
            raise ValueError(f"a whole number from {least:,} to {most:,}")
        return int(value)

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value.lower()

    return parse


def _switch(value: str) -> bool:
    switches = {"on": True, "1": True, "true": True, "yes": True}
    switches |= {"off": False, "0": False, "false": False, "no": False}
    if value.lower() not in switches:
        raise ValueError("on or off")
    return switches[value.lower()]


def _list(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", value) if part))


def _folders(value: str) -> tuple[Path, ...]:
    return tuple(_folder(part) for part in value.split(os.pathsep) if part.strip())


def _folder(value: str) -> Path:
    return _path(value, "the path of a folder")


def _file(value: str) -> Path:
    return _path(value, "the path of a file")


def _path(value: str, allowed: str) -> Path:
    if "${" in value or "\0" in value:
        raise ValueError(allowed)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as nobody:  # "~somebody" who does not exist
        raise ValueError(allowed) from nobody


def _word(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("a name without spaces")
    return value


def _version(value: str) -> str:
    if not re.fullmatch(r"v\d+\w*", value):
        raise ValueError("a version of the API such as v1 or v1beta")
    return value


def _url(value: str) -> str:
    value = value.strip("\"'")
    scheme, mark, rest = value.partition("://")
    value = f"{scheme.lower()}{mark}{rest.strip()}"
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("an http:// or https:// address without user, query or fragment")
    return value.rstrip("/")


def _hosts(value: str) -> tuple[str, ...]:
    hosts = _list(value.lower())
    if not all(
        re.fullmatch(r"\*|([\w.-]+|\[[0-9a-f:.]+\])(:(\d{1,5}|\*))?", each) for each in hosts
    ):
        raise ValueError("a comma-separated list of host names, each with or without a port")
    return hosts


def _origins(value: str) -> tuple[str, ...]:
    origins = _list(value.lower())
    if not all(re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@*]+", each) for each in origins):
        raise ValueError("a comma-separated list of origins such as https://app.example.com")
    return origins


def _database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("sqlite:///PATH or postgresql://USER@HOST/NAME")
    return value


def _toolsets(value: str) -> tuple[str, ...]:
    wanted = _list(value.lower())
    allowed = f"a comma-separated list of {', '.join(TOOLSETS)}, or all"
    if "all" in wanted:
        wanted = (*TOOLSETS, *(name for name in wanted if name != "all"))
    for name in wanted:
        if name in LATER_TOOLSETS:
            raise ValueError(f"{allowed}; {name} is a later set that is not here yet")
        if name not in TOOLSETS:
            raise ValueError(allowed)
    return tuple(name for name in TOOLSETS if name in wanted)


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table.

    `name` is the field of `Config`; `otherwise` says what holds where the default is not a
    fixed value; `available` says whether it is offered yet.
    """

    name: str
    help: str
    default: str = ""
    parse: Callable[[str], Any] = _word
    otherwise: str = ""
    env: str = ""
    scope: Literal["everywhere", "http"] = "everywhere"
    available: bool = True
    secret: bool = False

    @property
    def variable(self) -> str:
        return self.env or f"GEMINI_MCP_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag of the same name; "" for a key, which has none."""
        return "" if self.secret else f"--{self.word}"

    @property
    def word(self) -> str:
        """Its name as a flag would have it."""
        return (self.env or self.name).lower().replace("_", "-")

    @property
    def is_switch(self) -> bool:
        return self.parse is _switch

    def read(self, value: str) -> Any:
        try:
            return self.parse(value)
        except ValueError as wrong:
            raise BadSetting(f"{self.variable} ({self.flag}) must be {wrong}.") from None


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "gemini_api_key",
        "API key from aistudio.google.com/apikey; the `key` command keeps it in a file instead",
        env="GEMINI_API_KEY",
        secret=True,
    ),
    Setting(
        "google_api_key",
        "the same, under Google's other name; beats GEMINI_API_KEY where both are set",
        env="GOOGLE_API_KEY",
        secret=True,
    ),
    Setting(
        "base_url",
        "where the Gemini API is",
        parse=_url,
        otherwise="Google",
        env="GOOGLE_GEMINI_BASE_URL",
    ),
    Setting("api_version", "version of the API", "v1", _version),
    Setting(
        "model",
        "model asked when a call names none (an id or an alias)",
        otherwise="that of `fast`",
    ),
    Setting(
        "image_model", "model that makes images when a call names none", otherwise="that of `image`"
    ),
    Setting(
        "speech_model",
        "model that speaks when a call names none",
        otherwise="gemini-3.8-flash-tts",
    ),
    Setting("music_model", "model that makes music when a call names none", otherwise="lyria-3.5"),
    Setting(
        "video_model",
        "model that makes videos when a call names none",
        otherwise="gemini-omni-1.2-flash",
    ),
    Setting(
        "toolsets",
        f"tool sets to offer: {', '.join(TOOLSETS)}, or all",
        ",".join(DEFAULT_TOOLSETS),
        _toolsets,
    ),
    Setting("data_dir", "folder for everything kept here", "", _folder, "your user data folder"),
    Setting(
        "database_url",
        "the database: sqlite:///PATH or postgresql://USER@HOST/NAME",
        parse=_database,
        otherwise="gemini.db in the data folder",
    ),
    Setting(
        "images_dir",
        "folder for generated images",
        parse=_folder,
        otherwise="images in the data folder",
    ),
    Setting(
        "allowed_dirs",
        "folders whose files may be attached",
        parse=_folders,
        otherwise="the working folder; over HTTP none",
    ),
    Setting(
        "max_wait_seconds",
        "longest a call waits before it answers 'running'; 4 for clients that stop after 5 s",
        "45",
        _number(0.05, 86_400, " of seconds"),
    ),
    Setting(
        "max_output_chars",
        "longest answer in characters",
        parse=_whole(500),
        otherwise="what the client is known to take",
    ),
    Setting(
        "research_poll_seconds",
        "first interval between looks at a running research",
        "10",
        _number(0.05, 3_600, " of seconds"),
    ),
    Setting(
        "research_deadline_seconds",
        "age at which an unfinished research counts as stalled",
        "4200",
        _number(1, 10_000_000, " of seconds"),
    ),
    Setting(
        "lease_seconds",
        "how long work belongs to a process that has stopped renewing its claim",
        "30",
        _number(0.05, 3_600, " of seconds"),
    ),
    Setting(
        "store_lag_seconds",
        "how long after its creation a 404 for an interaction is put down to Google's store",
        "120",
        _number(0, 86_400, " of seconds"),
    ),
    Setting("resolve_redirects", "look up where Google's source links lead", "on", _switch),
    Setting("transcripts", "keep prompts and answers here", "on", _switch),
    Setting(
        "retention_days",
        "delete words and files here after so many days; 0 keeps them",
        "0",
        _whole(0, 100_000),
    ),
    Setting("max_prompt_bytes", "longest prompt accepted, in bytes", str(4 * 2**20), _whole(1)),
    Setting(
        "structured", "add output schemas and structured content, for programs", "off", _switch
    ),
    Setting(
        "remote_tools", "hosts that `mcp_server` tools may name", parse=_list, otherwise="none"
    ),
    Setting(
        "daily_token_limit",
        "refuse new work after so many tokens a day and owner; 0 is no limit",
        "0",
        _whole(0),
    ),
    Setting("daily_usd_limit", "the same in estimated US dollars", "0", _number(0, 1e9)),
    Setting(
        "upstream_timeout_seconds",
        "longest a foreground turn may take in all",
        "600",
        _number(0.05, 86_400, " of seconds"),
    ),
    Setting(
        "max_concurrent", "calls to Gemini at once per owner; more wait", "8", _whole(1, 10_000)
    ),
    Setting("log_level", "how much to log on stderr", "warning", _one_of(*LOG_LEVELS)),
    Setting(
        "tokens_file",
        "file of one owner:sha256-hex-of-token a line, read again when it changes",
        parse=_file,
        scope="http",
        otherwise="none; needed unless bound to loopback",
    ),
    Setting(
        "public_url",
        "address that clients know this server by; signed links begin with it",
        parse=_url,
        scope="http",
        otherwise="the bound address",
    ),
    Setting(
        "allowed_hosts",
        "Host headers accepted: names, with or without a port; * is any",
        parse=_hosts,
        scope="http",
        otherwise="those of the bound address and the public URL",
    ),
    Setting(
        "allowed_origins",
        "Origins accepted, such as https://app.example.com; * is any",
        parse=_origins,
        scope="http",
        otherwise="those of the accepted hosts",
    ),
    Setting(
        "rate_limit",
        "calls a minute and owner; 0 is off",
        parse=_whole(0, 1_000_000),
        scope="http",
        otherwise="60 with tokens, off without",
    ),
    Setting(
        "max_body_bytes",
        "largest request body accepted",
        str(6 * 2**20),
        _whole(1),
        scope="http",
    ),
    Setting(
        "signing_key",
        "signs links to images, the same for all replicas; at least 16 characters",
        scope="http",
        otherwise="made once and kept in the data folder",
        secret=True,
    ),
    Setting(
        "stateless",
        "serve legacy clients without sessions",
        parse=_switch,
        otherwise="on with PostgreSQL",
        scope="http",
    ),
)

OFFERED: tuple[Setting, ...] = tuple(each for each in SETTINGS if each.available and each.flag)
"""The settings that can be given as flags today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What this process was told, read once at its start.

    An empty `model` or `base_url` means Google's or our own default; a `max_output_chars` of 0
    leaves the budget to what is known of the client.
    """

    data_dir: Path
    database_url: str = field(default="", repr=False)  # may hold a password
    base_url: str = ""
    api_version: str = "v1"
    model: str = ""
    image_model: str = ""
    speech_model: str = ""
    music_model: str = ""
    video_model: str = ""
    toolsets: tuple[str, ...] = DEFAULT_TOOLSETS
    max_wait_seconds: float = 45.0
    max_output_chars: int = 0
    lease_seconds: float = 30.0
    store_lag_seconds: float = 120.0
    max_prompt_bytes: int = 4 * 2**20
    upstream_timeout_seconds: float = 600.0
    max_concurrent: int = 8
    images_dir: Path = Path()
    allowed_dirs: tuple[Path, ...] | None = None
    research_poll_seconds: float = 10.0
    research_deadline_seconds: float = 4200.0
    resolve_redirects: bool = True
    transcripts: bool = True
    retention_days: int = 0
    structured: bool = False
    remote_tools: tuple[str, ...] = ()
    daily_token_limit: int = 0
    daily_usd_limit: float = 0.0
    log_level: str = "warning"
    tokens_file: Path | None = None
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    rate_limit: int | None = None
    max_body_bytes: int = 6 * 2**20
    stateless: bool | None = None

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'gemini.db'}")
        if self.images_dir == Path():
            object.__setattr__(self, "images_dir", self.data_dir / "images")

    @property
    def is_multi_owner(self) -> bool:
        """Whether callers are several owners, told apart by their tokens."""
        return self.tokens_file is not None

    @property
    def is_shared(self) -> bool:
        """Whether other machines may serve what this process stores."""
        return not self.database_url.startswith("sqlite:")

    @property
    def calls_a_minute(self) -> int:
        """What one owner may call over HTTP; 0 is no limit."""
        if self.rate_limit is not None:
            return self.rate_limit
        return 60 if self.is_multi_owner else 0

    @property
    def has_sessions(self) -> bool:
        """Whether legacy HTTP clients get a session; replicas cannot share one."""
        if self.stateless is not None:
            return not self.stateless
        return not self.is_shared

    @classmethod
    def read(
        cls, environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None
    ) -> Config:
        """Settings from flags (by `Setting.name`) and environment; `BadSetting` for a bad one."""
        values: dict[str, Any] = {}
        is_version_given = False
        for setting in OFFERED:
            value = given((flags or {}).get(setting.name)) or given(environ.get(setting.variable))
            is_version_given |= bool(value) and setting.name == "api_version"
            if value or setting.default:
                values[setting.name] = setting.read(value or setting.default)
        values = with_version_apart(values, is_version_given=is_version_given)
        if "data_dir" not in values:
            values["data_dir"] = default_data_dir()
        return cls(**values)


def default_data_dir() -> Path:
    """The platform's user data folder for us."""
    import platformdirs  # 20 ms that nobody pays who names a folder

    return Path(platformdirs.user_data_dir("gemini-interactions-mcp", appauthor=False))
