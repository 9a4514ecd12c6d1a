"""What hosts, stores and registries read about us: complete, true, and as they want it."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest

from gemini_interactions import __version__
from gemini_interactions.config.setting_table import TOOLSETS
from gemini_interactions.domain.client_profiles import HOSTS, Host, Launch
from gemini_interactions.tools.registry import tools
from manifests import generator as manifests

SCHEMAS = Path(__file__).parents[2] / "data" / "manifest_schemas"
FILES = manifests.manifests()
LAUNCH = Launch(("uvx", "gemini-interactions-mcp"), {"GEMINI_MCP_MODEL": "fast"})


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text("utf-8"))


def test_no_manifest_differs_from_what_it_is_made_of() -> None:
    assert manifests.differing() == []


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(".json")])
def test_every_json_manifest_parses_and_names_no_other_version(path: str) -> None:
    read = json.loads(FILES[path])

    assert read.get("version", __version__) == __version__


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("manifests/registry/server.json", "mcp-registry-server.2025-12-11.schema.json"),
        ("manifests/agent-plugin/plugin.json", "agent-plugins-1.0.0-plugin.schema.json"),
        ("manifests/agent-plugin/mcp.json", "agent-plugins-1.0.0-mcp.schema.json"),
    ],
)
def test_a_manifest_is_valid_by_its_published_schema(path: str, name: str) -> None:
    jsonschema.validate(json.loads(FILES[path]), schema(name))


def test_the_readme_proves_to_the_registry_that_the_package_is_ours() -> None:
    assert f"mcp-name: {manifests.REGISTRY_NAME}" in (manifests.ROOT / "README.md").read_text()


def test_the_bundle_lists_every_tool() -> None:
    bundle = json.loads(FILES["manifests/claude-desktop/manifest.json"])

    names = {tool["name"] for tool in bundle["tools"]}
    assert {"gemini_ask", "start_deep_research", "gemini_generate_image"} <= names
    assert all(tool["description"] for tool in bundle["tools"])


def links() -> list[str]:
    lines = FILES["manifests/links.md"].splitlines()
    return [line.split(": ", 1)[1] for line in lines if line.startswith("- ")]


def test_links_say_what_the_files_say() -> None:
    cursor, vscode, goose = links()

    config = dict(parse_qsl(urlsplit(cursor).query))["config"]
    entry = {"command": "uvx", "args": ["gemini-interactions-mcp"]}
    assert json.loads(base64.b64decode(config)) == entry
    assert json.loads(unquote(urlsplit(vscode).query)) == {"name": "gemini", **entry}
    said = parse_qsl(urlsplit(goose).query)
    assert ("cmd", "uvx") in said
    assert ("arg", "gemini-interactions-mcp") in said


def entry_of(host: Host) -> dict[str, Any]:
    """The server's own entry in a host's snippet, whatever is around it."""
    text = host.snippet(LAUNCH)
    if host.id == "goose":
        lines = [line.strip() for line in text.splitlines()]
        cmd = next(line for line in lines if line.startswith("cmd:")).split(": ", 1)[1]
        args = next(line for line in lines if line.startswith("args:")).split(": ", 1)[1]
        return {"command": json.loads(cmd), "args": json.loads(args)}
    read: Any = tomllib.loads(text) if host.id == "codex" else json.loads(text)
    while "gemini" not in read:
        read = next(
            value for key, value in read.items() if isinstance(value, dict) and key != "env"
        )
    found: dict[str, Any] = read["gemini"]
    return found


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_every_hosts_snippet_starts_the_server(host: Host) -> None:
    entry = entry_of(host)

    command = entry["command"]
    words = command if isinstance(command, list) else [command, *entry["args"]]
    assert words == ["uvx", "gemini-interactions-mcp"]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_environment_variables_reach_every_hosts_snippet(host: Host) -> None:
    assert "GEMINI_MCP_MODEL" in host.snippet(LAUNCH)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_every_host_has_a_file_on_every_platform(host: Host, platform: str) -> None:
    assert host.file(platform)
    assert "~" not in str(host.path(platform))


def test_everything_that_lies_here_is_explained() -> None:
    page = FILES["manifests/README.md"]
    here = {path.name for path in (manifests.ROOT / "manifests").iterdir()}

    assert [
        name for name in here - {"README.md", "__pycache__"} if name.split(".docker")[0] not in page
    ] == []


def test_codex_finds_the_plugin_that_makes_it_wait() -> None:
    (plugin,) = json.loads(FILES[".agents/plugins/marketplace.json"])["plugins"]
    folder = plugin["source"]["path"].removeprefix("./")
    entry = json.loads(FILES[f"{folder}/.mcp.json"])["mcpServers"]["gemini"]

    assert json.loads(FILES[f"{folder}/.codex-plugin/plugin.json"])["name"] == plugin["name"]
    assert entry["required"] is True
    assert entry["env_vars"] == ["GEMINI_API_KEY"]
    assert entry["tool_timeout_sec"] == 600


@pytest.mark.parametrize("path", [path for path in FILES if "skills/" in path])
def test_the_skill_names_only_tools_that_exist(path: str) -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", FILES[path])) - {"plan_first"}

    assert {"gemini_ask", "start_deep_research", "gemini_generate_image"} <= named
    assert named <= tools(TOOLSETS).keys()


def test_no_secret_is_in_any_manifest() -> None:
    assert not any("AIza" in text for text in FILES.values())


@pytest.mark.parametrize("file", sorted(manifests.manifests()))
def test_uvx_is_started_so_that_it_takes_an_installed_command(file: str) -> None:
    """With a version, an index or `--from` it would look up every package again at each start."""
    started = re.findall(r'"uvx",?\s*(?:"args":\s*)?\[([^\]]*)\]', manifests.manifests()[file])

    assert {"".join(arguments.split()) for arguments in started} <= {
        json.dumps(Launch().arguments[0])
    }
