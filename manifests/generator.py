"""Writes `manifests/`: what each host, store and registry wants to read about this server.

    python -m manifests.generator            write them
    python -m manifests.generator --check    say which differ, and exit with 1

Everything in them comes from pyproject.toml, the settings, the tools and the table of hosts;
a test runs the check.
"""

from __future__ import annotations

import base64
import json
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from gemini_interactions import __version__
from gemini_interactions.config.setting_table import DEFAULT_TOOLSETS
from gemini_interactions.domain.client_profiles import HOSTS, KEY, NAME, PACKAGE, SECONDS, Launch
from gemini_interactions.tools.registry import tools

ROOT = Path(__file__).parent.parent
OWNER = "gemini-interactions"
REPOSITORY = f"https://github.com/{OWNER}/{PACKAGE}"
REGISTRY_NAME = f"io.github.{OWNER}/{PACKAGE}"
TITLE = "Gemini"
SHORT = "Google Gemini in any assistant: ask, continue, images and Deep Research, never lost."
KEY_HELP = "API key from aistudio.google.com/apikey"

SKILL = """---
name: gemini
description: >-
  Use Google Gemini through its MCP tools for a second opinion, a web search with sources, Deep
  Research reports, or to draw and edit images.
---

# When to reach for Gemini

- **A second opinion** on a design, a bug or a claim: `gemini_ask`. Give it the context it needs; it
  sees nothing of this conversation. Follow up with `gemini_continue`: it remembers.
- **Something current**: `gemini_ask` with `tools: ["google_search"]`. The sources come with it.
- **A question worth an hour of reading**: `start_deep_research`. It costs dollars: say so first,
  and with `plan_first` show the plan to the user. Go on with other work; `check_research` brings
  the report.
- **A picture**: `gemini_generate_image`. Edit it by passing the id of the last one.

# What to know

- The last line of every result names its conversation. Keep that id if it matters.
- "running" is not an error: the work goes on, and `gemini_result` collects it. Never ask again.
- After your context was lost, `gemini_history` finds every id again.
"""


def manifests() -> dict[str, str]:
    """Every file, by its path from the root."""
    files = {
        **_claude_code(),
        **_claude_desktop(),
        **_codex(),
        **_agent_plugin(),
        **_snippets(),
        "gemini-extension.json": _json(_gemini_extension()),
        "manifests/README.md": _readme(),
        "manifests/registry/server.json": _json(_registry()),
        "manifests/registry/docker/server.yaml": _docker(),
        "smithery.yaml": _smithery(),
        "glama.json": _json(
            {"$schema": "https://glama.ai/mcp/schemas/server.json", "maintainers": [OWNER]}
        ),
        "manifests/links.md": _links(),
    }
    return dict(sorted(files.items()))


def _project() -> dict[str, Any]:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def _server(**env: str) -> dict[str, Any]:
    launch = Launch()
    entry: dict[str, Any] = {"command": launch.program, "args": launch.arguments}
    return entry | ({"env": env} if env else {})


def _about(**more: Any) -> dict[str, Any]:
    return {"name": PACKAGE, "version": __version__, "description": SHORT, **more}


def _claude_code() -> dict[str, str]:
    plugin = _about(
        author={"name": OWNER},
        repository=REPOSITORY,
        license=_project()["license"],
        keywords=["gemini", "deep-research", "images", "mcp"],
    )
    market = {
        "name": PACKAGE,
        "description": SHORT,
        "owner": {"name": OWNER},
        "plugins": [{"name": PACKAGE, "source": "./manifests/claude-code", "description": SHORT}],
    }
    entry = {"type": "stdio", **_server(), "timeout": SECONDS * 1000}
    folder = "manifests/claude-code"
    return {
        ".claude-plugin/marketplace.json": _json(market),
        f"{folder}/.claude-plugin/plugin.json": _json(plugin),
        f"{folder}/.mcp.json": _json({"mcpServers": {NAME: entry}}),
        f"{folder}/skills/gemini/SKILL.md": SKILL,
    }


def _claude_desktop() -> dict[str, str]:
    arguments = ["run", "--directory", "${__dirname}", PACKAGE]
    manifest = {
        "manifest_version": "0.4",
        "name": PACKAGE,
        "display_name": TITLE,
        "version": __version__,
        "description": SHORT,
        "author": {"name": OWNER},
        "repository": {"type": "git", "url": REPOSITORY},
        "license": _project()["license"],
        "server": {
            "type": "uv",
            "entry_point": "main.py",
            "mcp_config": {
                "command": "uv",
                "args": arguments,
                "env": {
                    KEY: "${user_config.api_key}",
                    "GEMINI_MCP_ALLOWED_DIRS": "${user_config.allowed_folder}",
                },
            },
        },
        "tools": [
            {"name": tool.name, "description": tool.listed.description}
            for tool in tools(DEFAULT_TOOLSETS).values()
        ],
        "user_config": {
            "api_key": {
                "type": "string",
                "title": "Gemini API key",
                "description": KEY_HELP,
                "sensitive": True,
                "required": True,
            },
            "allowed_folder": {
                "type": "directory",
                "title": "Folder to share",
                "description": "Files in it may be attached to questions",
                "required": False,
            },
        },
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": _project()["requires-python"]},
        },
    }
    project = (
        "[project]\n"
        f'name = "{PACKAGE}-bundle"\n'
        f'version = "{__version__}"\n'
        f'requires-python = "{_project()["requires-python"]}"\n'
        f'dependencies = ["{PACKAGE}=={__version__}"]\n'
    )
    main = (
        '"""Starts the server the bundle depends on."""\n\n'
        "from gemini_interactions.cli import main\n\n"
        "raise SystemExit(main())\n"
    )
    folder = "manifests/claude-desktop"
    return {
        f"{folder}/manifest.json": _json(manifest),
        f"{folder}/pyproject.toml": project,
        f"{folder}/main.py": main,
    }


def _codex() -> dict[str, str]:
    entry = _server() | {
        "env_vars": [KEY],
        "required": True,
        "startup_timeout_sec": 60,
        "tool_timeout_sec": SECONDS,
    }
    plugin = _about(
        mcpServers="./.mcp.json",
        skills="./skills",
        interface={"displayName": TITLE, "shortDescription": SHORT},
    )
    # Codex would take Claude Code's marketplace, and with it an entry that does not wait.
    market = {
        "name": PACKAGE,
        "interface": {"displayName": TITLE},
        "plugins": [
            {
                "name": PACKAGE,
                "source": {"source": "local", "path": "./manifests/codex"},
                "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"},
                "category": "Productivity",
            }
        ],
    }
    folder = "manifests/codex"
    return {
        ".agents/plugins/marketplace.json": _json(market),
        f"{folder}/.codex-plugin/plugin.json": _json(plugin),
        f"{folder}/.mcp.json": _json({"mcpServers": {NAME: entry}}),
        f"{folder}/skills/gemini/SKILL.md": SKILL,
    }


def _agent_plugin() -> dict[str, str]:
    schemas = "https://agent-plugins.org/schemas/1.0.0"
    plugin = {
        "$schema": f"{schemas}/plugin.schema.json",
        **_about(
            author={"name": OWNER},
            repository=REPOSITORY,
            license=_project()["license"],
            keywords=["gemini", "deep-research", "images", "mcp"],
        ),
    }
    # No key here: only PLUGIN_ROOT and PLUGIN_DATA would be filled in. The key file serves.
    mcp = {
        "$schema": f"{schemas}/mcp.schema.json",
        "mcpServers": {NAME: {"type": "stdio", **_server()}},
    }
    folder = "manifests/agent-plugin"
    return {
        f"{folder}/plugin.json": _json(plugin),
        f"{folder}/mcp.json": _json(mcp),
        f"{folder}/skills/gemini/SKILL.md": SKILL,
    }


def _gemini_extension() -> dict[str, Any]:
    return {
        "name": PACKAGE,
        "version": __version__,
        "description": SHORT,
        "mcpServers": {NAME: _server(**{KEY: f"${KEY}"}) | {"timeout": SECONDS * 1000}},
        "settings": [
            {
                "name": "Gemini API key",
                "description": KEY_HELP,
                "envVar": KEY,
                "sensitive": True,
            }
        ],
    }


def _registry() -> dict[str, Any]:
    package = {
        "registryType": "pypi",
        "identifier": PACKAGE,
        "version": __version__,
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "environmentVariables": [{"name": KEY, "description": KEY_HELP, "isSecret": True}],
    }
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": REGISTRY_NAME,
        "title": TITLE,
        "description": SHORT,
        "version": __version__,
        "repository": {"url": REPOSITORY, "source": "github"},
        "packages": [package],
    }


def _docker() -> str:
    """An entry of Docker's MCP catalogue. Written as JSON within YAML, which is YAML too."""
    secret = {"name": f"{NAME}.api_key", "env": KEY, "example": "<your key>"}
    entry = {
        "name": PACKAGE,
        "image": f"mcp/{PACKAGE}",
        "type": "server",
        "meta": {"category": "ai", "tags": ["ai", "gemini", "deep-research", "images"]},
        "about": {"title": TITLE, "description": SHORT},
        "source": {"project": REPOSITORY, "dockerfile": "manifests/registry/docker/Dockerfile"},
        "config": {"description": "The key of the Gemini API", "secrets": [secret]},
    }
    return "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in entry.items()
    )


def _smithery() -> str:
    """How Smithery starts the server; the function it runs is JavaScript."""
    schema = {
        "type": "object",
        "required": ["apiKey"],
        "properties": {"apiKey": {"type": "string", "title": "API key", "description": KEY_HELP}},
    }
    command = json.dumps(Launch().program), json.dumps(Launch().arguments)
    return (
        "startCommand:\n"
        "  type: stdio\n"
        f"  configSchema: {json.dumps(schema)}\n"
        "  commandFunction: |-\n"
        f"    (config) => ({{command: {command[0]}, args: {command[1]}, "
        f"env: {{{KEY}: config.apiKey}}}})\n"
    )


def _snippets() -> dict[str, str]:
    """The entry of each host that is configured by a file, under that file's name."""
    launch = Launch()
    return {
        f"manifests/{host.id}/{host.file('linux').rsplit('/', 1)[-1]}": host.snippet(launch)
        for host in HOSTS
        if host.id not in ("claude-code", "claude-desktop", "codex")
    }


def _readme() -> str:
    """What lies here, for whom, and how it is put to use."""
    place = f"{OWNER}/{PACKAGE}"
    rows = [
        (
            "`claude-code/` and `.claude-plugin/` at the top",
            "Claude Code plugin",
            f"`claude plugin marketplace add {place}`, then "
            f"`claude plugin install {PACKAGE}@{PACKAGE}`",
        ),
        (
            "`codex/` and `.agents/` at the top",
            "Codex plugin",
            f"`codex plugin marketplace add {place}`, then `codex plugin add {PACKAGE}@{PACKAGE}`",
        ),
        (
            "`gemini-extension.json` at the top",
            "Gemini CLI extension",
            f"`gemini extensions install {REPOSITORY}`",
        ),
        (
            "`claude-desktop/`",
            "Claude Desktop bundle",
            "`mcpb pack manifests/claude-desktop gemini.mcpb`, then open the file",
        ),
        (
            "`agent-plugin/`",
            "Agent Plugins 1.0: Cursor, VS Code, Copilot, OpenClaw",
            "name the folder where the host adds plugins",
        ),
        ("`registry/`", "MCP registry", "`mcp-publisher publish`, once the package is on PyPI"),
        (
            "`registry/docker/`",
            "Docker's MCP catalogue",
            "a pull request to docker/mcp-registry with `server.yaml`",
        ),
        (
            "`smithery.yaml` and `glama.json` at the top",
            "Smithery, Glama",
            "connect or claim the repository there",
        ),
        ("`links.md`", "Cursor, VS Code, Goose", "a link that installs with one click"),
        *(
            (f"`{path.split('/')[1]}/`", host.title, f"merge it with `{host.file('linux')}`")
            for host in HOSTS
            for path in _snippets()
            if path.split("/")[1] == host.id
        ),
        (
            "`grafana-dashboard.json`",
            "Grafana",
            "import it; it shows what `/metrics` counts",
        ),
        (
            "`Dockerfile`, `compose.yaml`",
            "a gateway in containers",
            "their first lines say how",
        ),
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return (
        "# Manifests\n\n"
        "What hosts, stores and registries want to read about this server.\n"
        "All but the container recipes is made by `generator.py` (`make docs`), from the settings, "
        "the tools and the table of hosts, and `release_check.py` (`make release-check`) says what "
        "is still needed to publish; a test forbids drift, and checks each by its own schema "
        "or its host's own validator.\n"
        "What a host insists on finding at the top of the repository stands there.\n\n"
        "They start `uvx` without a version: what `uv tool install` installed, else the published "
        "package. From a checkout, "
        f"`{PACKAGE} install` names the program there.\n\n"
        "| what | for | how |\n| --- | --- | --- |\n" + table
    )


def _links() -> str:
    """Links that install with one click, where a host has them."""
    entry = json.dumps(_server(), separators=(",", ":"))
    cursor = base64.b64encode(entry.encode()).decode()
    vscode = quote(json.dumps({"name": NAME, **_server()}, separators=(",", ":")), safe="")
    goose = urlencode(
        [
            ("cmd", Launch().program),
            *(("arg", each) for each in Launch().arguments),
            ("timeout", str(SECONDS)),
            ("id", NAME),
            ("name", TITLE),
            ("description", SHORT),
            ("env", f"{KEY}={KEY_HELP}"),
        ]
    )
    return (
        "# Links that install with one click\n\n"
        f"- Cursor: cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={cursor}\n"
        f"- VS Code: vscode:mcp/install?{vscode}\n"
        f"- Goose: goose://extension?{goose}\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def differing() -> list[str]:
    """The files that are not what they should be."""
    return [
        path
        for path, text in manifests().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text("utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        wrong = differing()
        sys.stdout.write("\n".join(wrong or ["All manifests are as they should be."]) + "\n")
        return 1 if wrong else 0
    for path, text in manifests().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
