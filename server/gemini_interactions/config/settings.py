"""The configuration of this process: the values of all settings, read once at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .normalization import given, with_version_apart
from .setting_table import DEFAULT_TOOLSETS, OFFERED
from .setting_values import default_data_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The value of every setting.

    An empty `model` or `base_url` means Google's or our own default; a `max_output_chars` or
    `max_wait_seconds` of 0, and `facts` of None, leave it to what is known of the client.
    """

    data_dir: Path
    database_url: str = field(default="", repr=False)  # may hold a password
    base_url: str = ""
    api_version: str = "v1"
    is_api_version_set: bool = False
    """Whether somebody chose the version: then no other one is tried."""
    model: str = ""
    image_model: str = ""
    speech_model: str = ""
    music_model: str = ""
    video_model: str = ""
    toolsets: tuple[str, ...] = DEFAULT_TOOLSETS
    max_wait_seconds: float = 0.0
    task_after_seconds: float | None = None
    max_output_chars: int = 0
    previews: bool = True
    facts: bool | None = None
    lease_seconds: float = 30.0
    store_lag_seconds: float = 120.0
    max_prompt_bytes: int = 4 * 2**20
    upstream_timeout_seconds: float = 600.0
    max_concurrent: int = 8
    service_tier: str = "standard"
    agent_token_limit: int = 0
    agent_network_hosts: tuple[str, ...] = ()
    max_continuations: int = 64
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
    oauth_issuer: str = ""
    oauth_audience: str = ""
    oauth_scopes: tuple[str, ...] = ()
    oauth_owner_claim: str = "sub"
    oauth_builtin: bool = False
    trusted_proxies: tuple[str, ...] = ()
    metrics: str = ""
    metrics_open: bool = False
    audit_log: Path | None = None
    public_url: str = ""
    public_pages: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    rate_limit: int | None = None
    max_body_bytes: int = 6 * 2**20
    stateless: bool | None = None
    workers: int = 1
    """Processes that serve one address (`--workers`): limits are kept in the store for them."""

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'gemini.db'}")
        if self.images_dir == Path():
            object.__setattr__(self, "images_dir", self.data_dir / "images")

    @property
    def is_multi_owner(self) -> bool:
        """Whether every call has to show whose it is."""
        return self.tokens_file is not None or bool(self.oauth_issuer) or self.oauth_builtin

    def for_one_owner(self) -> Config:
        """The same settings without any way to authenticate: whoever calls is `local`."""
        return replace(self, tokens_file=None, oauth_issuer="", oauth_builtin=False)

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
        return not (self.is_shared if self.stateless is None else self.stateless)

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
        values["is_api_version_set"] = is_version_given
        if "data_dir" not in values:
            values["data_dir"] = default_data_dir()
        return cls(**values)
