"""`install` completes the host's own file and destroys nothing in it, however often it runs."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemini_interactions.cli import install
from gemini_interactions.cli.command_line import main
from gemini_interactions.cli.host_config import config_file, json_edit, yaml_edit
from gemini_interactions.domain.client_profiles import HOSTS, host

HOSTS_WITH_FILES = [each.id for each in HOSTS if each.id != "claude-code"]
KEY = "made-up-key-for-tests"


@dataclass
class Machine:
    """A home folder with spaces in its name, and our program somewhere in it."""

    home: Path
    monkeypatch: pytest.MonkeyPatch

    def program(self, folder: str) -> str:
        """Our program, as if it had been started from there."""
        path = self.home / folder / "gemini-interactions-mcp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        self.monkeypatch.setattr("sys.argv", [str(path)])
        return str(path)

    def file(self, id: str) -> Path:
        found = host(id)
        assert found is not None
        return install._path(found)

    def write(self, id: str, text: str) -> Path:
        file = self.file(id)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, newline="")
        return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    home = tmp_path / "home of somebody"
    home.mkdir()
    for name in [name for name in os.environ if install._HANDED_ON.fullmatch(name)]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "COPILOT_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.chdir(home)
    machine = Machine(home, monkeypatch)
    machine.program("a checkout/bin")
    return machine


def entry(id: str, text: str) -> Any:
    """Our entry in a host's file."""
    if id == "goose":
        return yaml_edit.entry(text, "extensions", "gemini")
    whole = tomllib.loads(text) if id == "codex" else json_edit.parse(text).value
    return json_edit.lookup(whole, install._path_of_entry(whole))


def command(found: dict[str, Any]) -> list[str]:
    """The words that an entry starts, in whichever keys its host has them."""
    value = found.get("command", found.get("cmd"))
    return value if isinstance(value, list) else [str(value), *found.get("args", [])]


@pytest.mark.parametrize("id", HOSTS_WITH_FILES)
def test_a_first_install_writes_the_whole_entry_and_a_second_changes_nothing(
    machine: Machine, id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program = machine.program("a checkout/bin")

    assert main(["install", id]) == 0
    first = machine.file(id).read_bytes()
    assert main(["install", id]) == 0

    told = capsys.readouterr().out
    assert command(entry(id, first.decode())) == [program]
    assert machine.file(id).read_bytes() == first
    assert "nothing was changed" in told
    assert KEY not in told + first.decode()
    assert stat.S_IMODE(machine.file(id).stat().st_mode) == 0o600


@pytest.mark.parametrize("id", HOSTS_WITH_FILES)
def test_a_moved_program_is_updated_and_its_flags_stay(machine: Machine, id: str) -> None:
    main(["install", id])
    file = machine.file(id)
    old = str(machine.home / "a checkout/bin/gemini-interactions-mcp")
    before = file.read_text()
    # A spending limit somebody put behind the command.
    if id == "opencode":
        before = before.replace(f'"{old}"', f'"{old}", "--daily-usd-limit", "5"')
    elif id == "codex":
        before = before.replace("args = []", 'args = ["--daily-usd-limit", "5"]')
    elif id == "goose":
        before = before.replace("args: []", "args:\n      - --daily-usd-limit\n      - '5'")
    else:
        before = before.replace('"args": []', '"args": ["--daily-usd-limit", "5"]')
    file.write_text(before)
    new = machine.program("elsewhere/bin")

    assert main(["install", id]) == 0

    assert command(entry(id, file.read_text())) == [new, "--daily-usd-limit", "5"]
    if id not in ("goose", "opencode"):  # there the list of words is written anew
        assert file.read_text().replace(new, old) == before


HAND_WRITTEN = {
    "codex": """\
# my settings
model = "gpt-5.5"

[mcp_servers.gemini]  # by hand
command = "uvx"
args = ["gemini-interactions-mcp"]
tool_timeout_sec = 90
env_vars = ["MINE"]

[mcp_servers.gemini.env]
GEMINI_MCP_DAILY_USD_LIMIT = "5"  # no more

[mcp_servers.other]
command = "other"
""",
    "gemini-cli": """\
{
  // kept
  "theme": "dark",
  "mcpServers": {
    "other": {"command": "x"},
    "gemini": {
      "command": "/old/gemini-interactions-mcp",
      "env": {"GEMINI_MCP_DAILY_USD_LIMIT": "5"}, // no more
      "trust": true,
      "timeout": 9000,
    },
  },
}
""",
    "opencode": """\
{
\t"$schema": "https://opencode.ai/config.json",
\t"mcp": {
\t\t"gemini": {
\t\t\t"type": "local",
\t\t\t"command": ["/old place/gemini-interactions-mcp", "--model", "pro"],
\t\t\t"enabled": false,
\t\t\t"timeout": 5,
\t\t\t"environment": {"A": "b"}
\t\t}
\t}
}
""",
    "openclaw": "{mcp: {servers: {gemini: {command: 'gemini-interactions-mcp', args: []}}}} // x\n",
    "copilot": '{"mcpServers": {"gemini": {"type": "local", "command": "python3", "args": '
    '["-m", "gemini_interactions"], "tools": ["gemini_ask"], "timeout": 1}}}',
    "goose": """\
GOOSE_MODEL: x  # mine
extensions:
  developer:
    enabled: true
  gemini:
    cmd: /old/gemini-interactions-mcp
    enabled: false
    envs:
      GEMINI_MCP_DAILY_USD_LIMIT: "5"

other: 1
""",
}


@pytest.mark.parametrize("id", HAND_WRITTEN)
def test_what_somebody_wrote_stays_to_the_line(
    machine: Machine, id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.write(id, HAND_WRITTEN[id])
    file.chmod(0o640)

    assert main(["install", id]) == 0

    after = file.read_text()
    before_lines = HAND_WRITTEN[id].splitlines()
    lost = [line for line in before_lines if line not in after.splitlines()]
    # Lines of ours alone: the command, its arguments, and a list that grew.
    ours = ("command", "cmd", "args", "env_vars", "mcp:", '"env": {')
    assert [line for line in lost if not any(word in line for word in ours)] == []
    was, now = entry(id, HAND_WRITTEN[id]), entry(id, after)
    kept = {key: value for key, value in was.items() if key not in (*ours, "env", "envs")}
    assert {key: now[key] for key in kept} == kept
    for key in ("env", "envs", "environment"):
        assert was.get(key, {}).items() <= now.get(key, {}).items()
    backup = file.with_name(file.name + config_file.BACKUP)
    assert backup.read_text() == HAND_WRITTEN[id]
    assert stat.S_IMODE(backup.stat().st_mode) == stat.S_IMODE(file.stat().st_mode) == 0o640
    told = capsys.readouterr().out
    assert "Wrote " in told
    assert main(["install", id]) == 0
    assert file.read_text() == after


def test_codex_is_completed_with_what_its_own_command_cannot_say(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example:1")
    monkeypatch.setenv("XDG_DATA_HOME", str(machine.home / "data"))
    file = machine.write("codex", HAND_WRITTEN["codex"])

    main(["install", "codex"])

    found = tomllib.loads(file.read_text())["mcp_servers"]["gemini"]
    assert found["required"] is True
    assert found["tool_timeout_sec"] == 90
    assert found["env_vars"] == ["MINE", "GEMINI_API_KEY", "HTTPS_PROXY", "XDG_DATA_HOME"]
    assert found["env"] == {"GEMINI_MCP_DAILY_USD_LIMIT": "5"}
    assert "secret" not in file.read_text()


FOREIGN = {
    "codex": '[mcp_servers.gemini]\nurl = "https://gemini.example.com/mcp"\n',
    "gemini-cli": '{"mcpServers": {"gemini": {"command": "npx", "args": ["some-other-gemini"]}}}',
    "goose": "extensions:\n  gemini:\n    cmd: npx\n    args: [other]\n",
    "cursor": '{"mcpServers": {"gemini": "odd"}}',
}
NOT_UNDERSTOOD = {
    "codex": "[mcp_servers.gemini\n",
    "cursor": '{"mcpServers": {',
    "kimi": '{"a": 1, "a": 2}',
    "copilot": "[1, 2]",
    "goose": "extensions: {a: {b: c}}\n",
}


@pytest.mark.parametrize(
    ("id", "text"), [*FOREIGN.items(), *NOT_UNDERSTOOD.items()], ids=lambda x: x[:20]
)
def test_what_is_not_ours_or_not_understood_is_left_alone_and_printed(
    machine: Machine, id: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = machine.write(id, text)

    assert main(["install", id]) == 1

    told = capsys.readouterr()
    assert file.read_text() == text
    assert "was not changed: " in told.err
    assert "gemini-interactions-mcp" in told.out
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_somebodys_own_way_to_start_it_stays(machine: Machine) -> None:
    own = {"command": "op", "args": ["run", "--", "uvx", "gemini-interactions-mcp"]}
    text = json.dumps({"mcpServers": {"gemini": own}})
    file = machine.write("claude-desktop", text)

    assert main(["install", "claude-desktop"]) == 0

    assert file.read_text() == text


def test_tool_sets_are_handed_over_and_wrong_ones_refused(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["install", "cursor"]) == 0
    assert main(["install", "cursor", "--toolsets", "ask,images"]) == 0
    assert main(["install", "cursor", "--toolsets", "nonsense"]) == 2

    found = entry("cursor", machine.file("cursor").read_text())
    assert found["env"]["GEMINI_MCP_TOOLSETS"] == "ask,images"
    assert "env.GEMINI_MCP_TOOLSETS" in capsys.readouterr().out


def test_print_changes_nothing(machine: Machine) -> None:
    for each in HOSTS:
        assert main(["install", each.id, "--print"]) == 0

    assert [each.name for each in machine.home.iterdir()] == ["a checkout"]


def test_a_link_is_written_through(machine: Machine) -> None:
    real = machine.home / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text('{"mcpServers": {}}')
    link = machine.file("cursor")
    link.parent.mkdir()
    link.symlink_to(real)

    main(["install", "cursor"])

    assert link.is_symlink()
    assert entry("cursor", real.read_text())


def test_a_second_name_of_the_file_sees_the_change_too(machine: Machine) -> None:
    file = machine.write("cursor", '{"mcpServers": {}}')
    os.link(file, machine.home / "second")

    main(["install", "cursor"])

    assert (machine.home / "second").read_text() == file.read_text()
    assert entry("cursor", file.read_text())


def test_what_the_host_writes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"a": 1}')
    seen: list[str] = []

    def change(text: str) -> str:
        seen.append(text)
        if len(seen) == 1:
            file.write_text('{"a": 2}')  # the host, between our reading and our writing
        return json_edit.with_value(text, ["ours"], True)

    config_file.update(file, change)

    assert json.loads(file.read_text()) == {"a": 2, "ours": True}
    assert len(seen) == 2


def test_a_file_that_never_rests_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("0")

    def change(text: str) -> str:
        file.write_text(str(int(text) + 1))
        return "ours"

    with pytest.raises(config_file.NotWritten, match="changed by another program"):
        config_file.update(file, change)
    assert file.read_text() != "ours"


@pytest.fixture
def claude(machine: Machine) -> Callable[[], list[list[str]]]:
    """Claude Code's own program, which keeps what it was called with and does the same."""
    folder = machine.home / "bin"
    folder.mkdir()
    said = machine.home / "said"
    path = folder / "claude"
    path.write_text(
        f'#!/bin/sh\nfor e in "$@"; do printf "%s\\036" "$e" >> "{said}"; done\n'
        f'printf "\\n" >> "{said}"\n'
    )
    path.chmod(0o755)
    machine.monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def calls() -> list[list[str]]:
        lines = said.read_text().split("\n") if said.exists() else []
        return [line.split("\036")[:-1] for line in lines if line]

    return calls


def test_claude_code_is_told_by_its_own_command_after_a_look(
    machine: Machine, claude: Callable[[], list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    program = machine.program("new place")
    there = {"command": "/old/gemini-interactions-mcp", "args": [], "env": {"LIMIT": "5"}}
    machine.write("claude-code", json.dumps({"mcpServers": {"gemini": there}}))

    assert main(["install", "claude-code"]) == 0
    remove, add = claude()
    machine.write("claude-code", json.dumps({"mcpServers": {"gemini": json.loads(add[3])}}))
    assert main(["install", "claude-code"]) == 0

    assert remove == ["mcp", "remove", "gemini", "--scope", "user"]
    assert add[:3] == ["mcp", "add-json", "gemini"]
    assert json.loads(add[3]) == {"command": program, "args": [], "env": {"LIMIT": "5"}}
    assert len(claude()) == 2
    assert "nothing was changed" in capsys.readouterr().out
