"""`install`: the host's own command where there is one, else what to write where."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from gemini_interactions.cli import main
from gemini_interactions.hosts import HOSTS


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder programs are found in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
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
    assert "gemini-interactions-mcp key" in capsys.readouterr().out


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
    program(programs, "codex", code=3)

    assert main(["install", "codex"]) == 1

    told = capsys.readouterr()
    assert "exit code 3" in told.err
    assert "[mcp_servers.gemini]" in told.out


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


def test_elsewhere_the_running_program_is_named_in_full(
    programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["somewhere/gemini-interactions-mcp"])

    main(["install", "cursor", "--print"])

    out = capsys.readouterr().out
    entry = json.loads(out[out.index("{") : out.rindex("}") + 1])["mcpServers"]["gemini"]
    assert os.path.isabs(entry["command"])


def test_an_unknown_host_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["install", "emacs"])

    assert left.value.code == 2
    assert "claude-code" in capsys.readouterr().err
