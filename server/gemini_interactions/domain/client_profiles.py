"""Hosts and clients: how each is told of this server, and what each takes of it.

One table of facts, from which `install`, the manifests and the pages per host come. Each
snippet is the whole entry, ready for the file it belongs in; where a host has a command that
adds servers, that command is used instead.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

NAME = "gemini"
PACKAGE = "gemini-interactions-mcp"
COMMAND = ("uvx", PACKAGE)
"""How a published version is started; `Launch` may say otherwise, for a checkout."""
KEY = "GEMINI_API_KEY"
SECONDS = 600
"""Time-out asked of hosts that let us: calls answer within a minute, research tools at once."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The command that starts the server, and environment variables to start it with."""

    command: tuple[str, ...] = COMMAND
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        return self.command[0]

    @property
    def arguments(self) -> list[str]:
        return list(self.command[1:])

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.env)


Write = Callable[[Launch], str]


@dataclass(frozen=True, slots=True)
class Host:
    """One assistant: its own add command where it has one, else what to write into which file.

    `files` are by platform (``darwin``, ``linux``, ``win32``); `lacks` names what belongs in
    the snippet but cannot be said to the command; `note` is what its users should know.
    """

    id: str
    title: str
    snippet: Write
    files: Mapping[str, str]
    add: Callable[[Launch], list[str]] | None = None
    note: str = ""
    lacks: str = ""

    def file(self, platform: str = sys.platform) -> str:
        """Where the snippet belongs on this platform."""
        return self.files.get(platform) or self.files["linux"]

    def path(self, platform: str = sys.platform) -> Path:
        return Path(os.path.expandvars(self.file(platform))).expanduser()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _entry(launch: Launch, **more: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"command": launch.program, "args": launch.arguments}
    if launch.environment:
        entry["env"] = launch.environment
    return entry | more


def _claude_code(launch: Launch) -> str:
    entry = {"type": "stdio", **_entry(launch), "timeout": SECONDS * 1000}
    return _json({"mcpServers": {NAME: entry}})


def _plain(launch: Launch) -> str:
    return _json({"mcpServers": {NAME: _entry(launch)}})


def _cursor(launch: Launch) -> str:
    env = {"env": {KEY: f"${{env:{KEY}}}", **launch.environment}}
    return _json({"mcpServers": {NAME: _entry(launch) | env}})


def _vscode(launch: Launch) -> str:
    wanted = {
        "type": "promptString",
        "id": "gemini-api-key",
        "description": "Gemini API key",
        "password": True,
    }
    env = {"env": {KEY: "${input:gemini-api-key}", **launch.environment}}
    entry = {"type": "stdio", **_entry(launch), **env}
    return _json({"inputs": [wanted], "servers": {NAME: entry}})


def _gemini_cli(launch: Launch) -> str:
    # This host strips keys from a server's environment unless they are named here.
    env = {"env": {KEY: f"${KEY}", **launch.environment}}
    return _json({"mcpServers": {NAME: {**_entry(launch), **env, "timeout": SECONDS * 1000}}})


def _opencode(launch: Launch) -> str:
    entry: dict[str, Any] = {
        "type": "local",
        "command": list(launch.command),
        "environment": launch.environment,
        "enabled": True,
        "timeout": SECONDS * 1000,
    }
    return _json({"$schema": "https://opencode.ai/config.json", "mcp": {NAME: entry}})


def _copilot(launch: Launch) -> str:
    entry = {"type": "local", **_entry(launch), "tools": ["*"], "timeout": SECONDS * 1000}
    return _json({"mcpServers": {NAME: entry}})


def _amp(launch: Launch) -> str:
    return _json({"amp.mcpServers": {NAME: _entry(launch)}})


def _kimi(launch: Launch) -> str:
    entry = _entry(launch, startupTimeoutMs=30_000, toolTimeoutMs=SECONDS * 1000)
    return _json({"mcpServers": {NAME: entry}})


def _openclaw(launch: Launch) -> str:
    entry = _entry(launch, requestTimeoutMs=SECONDS * 1000)
    return _json({"mcp": {"servers": {NAME: entry}}})


def _codex(launch: Launch) -> str:
    lines = [
        f"[mcp_servers.{NAME}]",
        f"command = {json.dumps(launch.program)}",
        f"args = {json.dumps(launch.arguments)}",
        f'env_vars = ["{KEY}"]  # passes it on; `{PACKAGE} key` works without',
        "required = true  # waits for the server, so that the first turn has its tools",
        "startup_timeout_sec = 60",
        f"tool_timeout_sec = {SECONDS}",
    ]
    if launch.environment:
        pairs = ", ".join(f"{k} = {json.dumps(v)}" for k, v in launch.environment.items())
        lines.insert(3, f"env = {{ {pairs} }}")
    return "\n".join(lines) + "\n"


def _goose(launch: Launch) -> str:
    pairs = [f"\n      {key}: {json.dumps(value)}" for key, value in launch.env.items()]
    env = "".join(pairs) or " {}"
    return (
        "extensions:\n"
        f"  {NAME}:\n"
        f"    name: {NAME}\n"
        "    type: stdio\n"
        "    enabled: true\n"
        f"    cmd: {json.dumps(launch.program)}\n"
        f"    args: {json.dumps(launch.arguments)}\n"
        f"    envs:{env}\n"
        f"    env_keys: [{KEY}]\n"
        f"    timeout: {SECONDS}\n"
    )


def _flags(launch: Launch, flag: str) -> list[str]:
    return [part for key, value in launch.environment.items() for part in (flag, f"{key}={value}")]


def _everywhere(path: str) -> dict[str, str]:
    return {"linux": path, "darwin": path, "win32": path}


HOSTS: tuple[Host, ...] = (
    Host(
        "claude-code",
        "Claude Code",
        _claude_code,
        _everywhere("~/.claude.json"),
        lambda launch: [
            *("claude", "mcp", "add", NAME, "--scope", "user"),
            *_flags(launch, "-e"),
            "--",
            *launch.command,
        ],
        'It hides tools until they are searched for: say "ask Gemini".',
    ),
    Host(
        "claude-desktop",
        "Claude Desktop",
        _plain,
        {
            "darwin": "~/Library/Application Support/Claude/claude_desktop_config.json",
            "win32": "%APPDATA%\\Claude\\claude_desktop_config.json",
            "linux": "~/.config/Claude/claude_desktop_config.json",
        },
        note="It starts servers in no folder of yours: to attach files, set "
        "GEMINI_MCP_ALLOWED_DIRS.",
    ),
    Host(
        "codex",
        "Codex",
        _codex,
        _everywhere("~/.codex/config.toml"),
        lambda launch: [
            *("codex", "mcp", "add", NAME),
            *_flags(launch, "--env"),
            "--",
            *launch.command,
        ],
        note="It gives a server one second to start unless `required = true` is set, and passes on "
        "only the variables named in `env_vars`.",
        lacks="`required`, `env_vars` and the time-outs",
    ),
    Host(
        "gemini-cli",
        "Gemini CLI",
        _gemini_cli,
        _everywhere("~/.gemini/settings.json"),
        lambda launch: [
            *("gemini", "mcp", "add", "--scope", "user", "--timeout", str(SECONDS * 1000)),
            *("-e", f"{KEY}=${KEY}"),
            *_flags(launch, "-e"),
            *(NAME, *launch.command),
        ],
        note="It strips keys from a server's environment unless they are named in `env`.",
    ),
    Host("cursor", "Cursor", _cursor, _everywhere("~/.cursor/mcp.json")),
    Host(
        "vscode",
        "VS Code",
        _vscode,
        _everywhere(".vscode/mcp.json"),
        lambda launch: ["code", "--add-mcp", json.dumps({"name": NAME, **_entry(launch)})],
    ),
    Host(
        "copilot",
        "Copilot CLI",
        _copilot,
        _everywhere("~/.copilot/mcp-config.json"),
        lambda launch: [
            *("copilot", "mcp", "add", NAME, "--timeout", str(SECONDS * 1000)),
            *_flags(launch, "--env"),
            "--",
            *launch.command,
        ],
        note="It shows its model no images: the path in the text is what counts.",
    ),
    Host(
        "opencode",
        "OpenCode",
        _opencode,
        _everywhere("~/.config/opencode/opencode.json"),
        lambda launch: [
            *("opencode", "mcp", "add", NAME),
            *_flags(launch, "--env"),
            "--",
            *launch.command,
        ],
        note="It ends a call after 60 seconds without a word: answers come within 45, or say "
        '"running".',
    ),
    Host(
        "amp",
        "Amp",
        _amp,
        _everywhere("~/.config/amp/settings.json"),
        lambda launch: ["amp", "mcp", "add", NAME, "--", *launch.command],
    ),
    Host(
        "kimi",
        "Kimi Code",
        _kimi,
        _everywhere("~/.kimi-code/mcp.json"),
        note="Without `toolTimeoutMs` it ends a call after 60 seconds: answers come within 45, or "
        'say "running".',
    ),
    Host(
        "openclaw",
        "OpenClaw",
        _openclaw,
        _everywhere("~/.openclaw/openclaw.json"),
        lambda launch: [
            *("openclaw", "mcp", "add", NAME, "--command", launch.program),
            *(part for each in launch.arguments for part in ("--arg", each)),
            *("--timeout", str(SECONDS)),
            *_flags(launch, "--env"),
        ],
    ),
    Host(
        "goose",
        "Goose",
        _goose,
        {
            "linux": "~/.config/goose/config.yaml",
            "darwin": "~/.config/goose/config.yaml",
            "win32": "%APPDATA%\\Block\\goose\\config\\config.yaml",
        },
    ),
)


def host(id: str) -> Host | None:
    """The host of that name."""
    return next((each for each in HOSTS if each.id == id), None)


# ------------------------------------------------------------------------------ at run time

Era = Literal["legacy", "modern"]
"""Of 2025-11-25 and before (`initialize`), or of 2026-07-28 (`server/discover`)."""


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """What a client takes, as far as it is known to differ.

    `text_budget` is in characters and in UTF-8 bytes, `time_budget` in seconds.
    """

    text_budget: int = 20_000
    time_budget: float = 45.0
    previews: bool = True
    """Whether its model sees images; else they would cost it text."""
    facts: bool = True
    """Whether `_meta` of results stays away from its model."""
    resends: bool = False
    """Whether it sends a call again without having cancelled the first."""
    answers_elicitation: bool = True
    """Whether somebody sees and answers what it is asked."""
    task_images: bool = True
    """Whether its model sees the images in the result of a task."""
    mixed_lists: bool = True
    """Whether it takes a list whose items are text or objects."""


NAMELESS_CLIENT = ClientProfile(text_budget=11_000)
OTHER_CLIENT = ClientProfile()

# By `clientInfo.name`, in both eras or in one. Text measured 2026-11-22: Codex cuts at ~12,000
# characters, Copilot between 20 and 60 KB, Gemini CLI at 40,000, Claude Code at 50,000, OpenCode
# at ~51,000. The frameworks were driven 2026-11-30.
CLIENTS: dict[str | tuple[str, Era], ClientProfile] = {
    "codex-mcp-client": ClientProfile(text_budget=11_000),
    "copilot-cli": ClientProfile(text_budget=18_000),
    "gemini-cli-mcp-client": ClientProfile(text_budget=35_000),
    # The result of a task has a file in the place of an image (2.1.330, 2026-12-01).
    "claude-code": ClientProfile(text_budget=40_000, task_images=False),
    "opencode": ClientProfile(text_budget=40_000),
    # It shows `_meta` to its model.
    "kimi-code": ClientProfile(text_budget=40_000, facts=False),
    # Stops after 5 s, the start of the server included, and shows a preview as base64 text.
    "google-adk": ClientProfile(time_budget=3.0, previews=False),
    # The SDK's own name. CrewAI, LlamaIndex and Haystack stop after 30 s; CrewAI then sends the
    # same call again from another process.
    "mcp": ClientProfile(time_budget=25.0),
    ("mcp", "legacy"): ClientProfile(time_budget=25.0, resends=True),
    # agno stops after 10 s.
    ("fastmcp", "legacy"): ClientProfile(time_budget=8.0),
    # Facts turn every text into escaped JSON; of "text or object" its converter keeps the object.
    "@langchain/mcp-adapters": ClientProfile(facts=False, mixed_lists=False),
    # Stops after 60 s.
    "mcporter": ClientProfile(time_budget=45.0),
}


def client_profile(name: str | None, era: Era = "legacy") -> ClientProfile:
    """The row of the client that goes by this name; the one for its era first."""
    key = (name or "").strip().lower()
    if not key:
        return NAMELESS_CLIENT
    return CLIENTS.get((key, era)) or CLIENTS.get(key) or OTHER_CLIENT
