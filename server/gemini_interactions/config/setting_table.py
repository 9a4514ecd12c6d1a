"""Every setting there is: one table, from which the flags, the checks and the reference come.

Each is an environment variable and the flag of the same name (`GEMINI_MCP_DATA_DIR` and
`--data-dir`); a flag beats the environment. Empty, or a placeholder such as ``${…}`` that some
host did not fill in, counts as not set. Keys are the exception: they have no flag (command lines
can be read by everybody on the machine) and no place in `Config`; `api_key` finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..domain.errors import Refused
from . import setting_values
from .setting_values import TOOLSETS as TOOLSETS

_address = setting_values.parse_address
_database = setting_values.parse_database
_file = setting_values.parse_file
_folder = setting_values.parse_folder
_folders = setting_values.parse_folders
_hosts = setting_values.parse_hosts
_https = setting_values.parse_https
_list = setting_values.parse_list
_networks = setting_values.parse_networks
_number = setting_values.parse_number
_one_of = setting_values.parse_one_of
_origins = setting_values.parse_origins
_scopes = setting_values.parse_scopes
_switch = setting_values.parse_switch
_text = setting_values.parse_text
_toolsets = setting_values.parse_toolsets
_url = setting_values.parse_url
_version = setting_values.parse_version
_whole = setting_values.parse_whole
_word = setting_values.parse_word

DEFAULT_TOOLSETS = ("ask", "research", "images")
TIERS = ("standard", "flex", "priority")
LOG_LEVELS = ("error", "warning", "info", "debug")


class BadSetting(Refused):
    """A setting is not what it may be; the message names it and says what is allowed."""


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
        parse=_number(0.05, 86_400, " of seconds"),
        otherwise="45; less for clients that are known to wait less",
    ),
    Setting(
        "task_after_seconds",
        "longest a call waits before it goes on as a task, for clients that take tasks",
        parse=_number(0.05, 86_400, " of seconds"),
        otherwise="the time budget",
    ),
    Setting(
        "max_output_chars",
        "longest answer in characters",
        parse=_whole(500),
        otherwise="what the client is known to take",
    ),
    Setting("previews", "send a small preview of each image", "on", _switch),
    Setting(
        "facts",
        "send facts for programs in `_meta`: on or off for everybody",
        parse=_switch,
        otherwise="on but for clients that show them to their model",
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
        "max_concurrent",
        "calls to Gemini at once per owner; more wait",
        "8",
        _whole(1, 10_000),
    ),
    Setting(
        "agent_token_limit",
        "most tokens of an agent's run that names no `max_total_tokens`; 0 is no limit",
        "0",
        _whole(0),
    ),
    Setting(
        "agent_network_hosts",
        "hosts an agent that was given local files may reach where its network is named on",
        parse=_list,
        otherwise="none",
    ),
    Setting("service_tier", "tier of calls that name none", "standard", _one_of(*TIERS)),
    Setting("max_continuations", "how often a long answer is continued", "64", _whole(0, 10_000)),
    Setting("log_level", "how much to log on stderr", "warning", _one_of(*LOG_LEVELS)),
    Setting(
        "tokens_file",
        "file of one owner:sha256-hex-of-token a line, read again when it changes",
        parse=_file,
        scope="http",
        otherwise="none; needed unless bound to loopback",
    ),
    Setting(
        "oauth_issuer",
        "identity provider whose access tokens (JWTs) are accepted",
        parse=_https,
        scope="http",
        otherwise="none",
    ),
    Setting(
        "oauth_audience",
        "what `aud` of its tokens must be",
        parse=_text,
        scope="http",
        otherwise="the public URL and /mcp",
    ),
    Setting(
        "oauth_scopes",
        "scopes a token must have",
        parse=_scopes,
        scope="http",
        otherwise="none",
    ),
    Setting(
        "oauth_owner_claim",
        "claim that says who somebody is; `email` only where it is verified",
        "sub",
        scope="http",
    ),
    Setting(
        "oauth_builtin",
        "let people with a gateway token sign apps in on a page of this server",
        "off",
        _switch,
        scope="http",
    ),
    Setting(
        "trusted_proxies",
        "proxies whose X-Forwarded-For is believed: addresses or networks",
        parse=_networks,
        scope="http",
        otherwise="none",
    ),
    Setting(
        "metrics",
        "HOST:PORT to serve metrics for Prometheus on, at /metrics",
        parse=_address,
        scope="http",
        otherwise="off",
    ),
    Setting(
        "metrics_open",
        "let it be an address that others can reach",
        "off",
        _switch,
        scope="http",
    ),
    Setting(
        "audit_log",
        "file for one JSON line a call: who, what, cost and outcome, never words",
        parse=_file,
        scope="http",
        otherwise="none",
    ),
    Setting(
        "public_url",
        "address that clients know this server by; signed links begin with it",
        parse=_url,
        scope="http",
        otherwise="the bound address",
    ),
    Setting(
        "public_pages",
        "read-only pages at signed addresses for a browser: researches, pictures, usage",
        "off",
        _switch,
        scope="http",
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
        otherwise="60 with authentication, off without",
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
