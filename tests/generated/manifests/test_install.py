"""`install`: the host's own command where there is one, else what to write where."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from gemini_interactions.cli.command_line import main
from gemini_interactions.config.api_key import save_key
from gemini_interactions.domain.client_profiles import HOSTS, Host, Launch


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder programs are found in; ours runs from another, as in a checkout."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    # What is written goes into a home of this test, never into the one of whoever runs it.
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "COPILOT_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    checkout = tmp_path / "a checkout"
    checkout.mkdir()
    program(checkout, "gemini-interactions-mcp")
    monkeypatch.setattr("sys.argv", [str(checkout / "gemini-interactions-mcp")])
    return folder


def program(folder: Path, name: str, code: int = 0) -> Path:
    """A stand-in for a host's own program: it writes down what it was called with."""
    said = folder / f"{name}.said"
    path = folder / name
    path.write_text(f'#!/bin/sh\nfor each in "$@"; do echo "$each" >> {said}; done\nexit {code}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return said


def test_a_hosts_own_command_is_run_with_our_command_behind_it(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = program(programs, "claude")
    program(programs, "uvx")

    assert main(["install", "claude-code"]) == 0

    words = said.read_text().splitlines()
    assert words[:3] == ["mcp", "add", "gemini"]
    assert words[-2] == "--"
    assert os.path.isabs(words[-1])
    assert "gemini-interactions-mcp' key" in capsys.readouterr().out


def test_without_the_hosts_program_everything_is_printed(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(programs, "uvx")

    assert main(["install", "claude-code"]) == 0

    out = capsys.readouterr().out
    assert "claude mcp add gemini" in out
    assert "~/.claude.json" in out


def test_print_runs_nothing(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = program(programs, "claude")

    assert main(["install", "claude-code", "--print"]) == 0

    assert not said.exists()
    assert "claude mcp add gemini" in capsys.readouterr().out


def test_a_hosts_command_that_fails_is_told_with_the_way_by_hand(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(programs, "claude", code=3)

    assert main(["install", "claude-code"]) == 1

    told = capsys.readouterr()
    assert "exit code 3" in told.err
    assert '"mcpServers"' in told.out
    assert "claude mcp add" not in told.out.partition("Running: ")[2].partition("\n")[2]


# As each host's own `mcp add --help` has it, and as it took it when it was tried.
OWN = {
    "claude-code": "claude mcp add gemini --scope user -- uvx X",
    "codex": "codex mcp add gemini -- uvx X",
    "gemini-cli": "gemini mcp add --scope user --timeout 600000 "
    "-e GEMINI_API_KEY=$GEMINI_API_KEY gemini uvx X",
    "vscode": 'code --add-mcp {"name": "gemini", "command": "uvx", "args": ["X"]}',
    "copilot": "copilot mcp add gemini --timeout 600000 -- uvx X",
    "opencode": "opencode mcp add gemini -- uvx X",
    "amp": "amp mcp add gemini -- uvx X",
    "openclaw": "openclaw mcp add gemini --command uvx --arg X --timeout 600",
}


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.id)
def test_every_host_that_has_an_add_command_is_told_by_it(host: Host) -> None:
    told = host.add(Launch(("uvx", "X"))) if host.add else None

    assert (told and " ".join(told)) == OWN.get(host.id)


def test_the_key_is_saved_by_the_program_that_was_added(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["install", "cursor", "--print"])

    told = capsys.readouterr().out
    assert f"save your key once: '{entry(told)['command']}' key" in told


def test_a_key_that_is_saved_already_is_not_asked_for(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MCP_DATA_DIR", str(programs / "data"))
    save_key(programs / "data", "a-key-of-mine")

    main(["install", "cursor", "--print"])

    assert "save your key" not in capsys.readouterr().out


def test_no_key_is_printed_or_handed_to_a_host(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "made-up-key-for-tests")
    said = {host: program(programs, words.split()[0]) for host, words in OWN.items()}

    for host in HOSTS:
        main(["install", host.id])
        main(["install", host.id, "--print"])

    told = capsys.readouterr()
    home = Path(os.environ["HOME"])
    written = [*home.rglob("*"), *said.values()]
    words = told.out + told.err + "".join(each.read_text() for each in written if each.is_file())
    assert "gemini-interactions-mcp" in words
    assert "made-up-key-for-tests" not in words


def test_windows_is_told_a_command_its_terminal_takes(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "win32")

    main(["install", "vscode", "--print"])

    assert r'code --add-mcp "{\"name\": \"gemini\"' in capsys.readouterr().out


@pytest.mark.parametrize("host", [host.id for host in HOSTS])
def test_every_host_can_be_printed(
    host: str, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(programs, "uvx")

    assert main(["install", host, "--print"]) == 0

    out = capsys.readouterr().out
    assert "gemini-interactions-mcp" in out


def test_through_uvx_it_stays_with_uvx(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "uvx")
    monkeypatch.setattr("sys.prefix", "/home/phil/.cache/uv/archive-v0/abc")

    main(["install", "cursor", "--print"])

    assert '"command": "uvx"' in capsys.readouterr().out


def entry(out: str) -> dict[str, object]:
    """The server's entry in what was printed."""
    read = json.loads(out[out.index("{") : out.rindex("}") + 1])
    found: dict[str, object] = read["mcpServers"]["gemini"]
    return found


def test_elsewhere_the_running_program_is_named_in_full_whatever_else_is_on_the_path(
    programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(programs, "gemini-interactions-mcp")

    main(["install", "cursor", "--print"])

    told = entry(capsys.readouterr().out)
    assert told["command"] == str(programs.parent / "a checkout" / "gemini-interactions-mcp")


def test_run_as_a_module_it_is_told_as_a_module(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main_file = program(programs, "__main__.py").with_name("__main__.py")
    monkeypatch.setattr("sys.argv", [str(main_file)])

    main(["install", "cursor", "--print"])

    told = entry(capsys.readouterr().out)
    assert (told["command"], told["args"]) == (sys.executable, ["-m", "gemini_interactions"])


def test_an_unknown_host_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["install", "emacs"])

    assert left.value.code == 2
    assert "claude-code" in capsys.readouterr().err
