"""The wheel, built and installed into an empty environment outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import protocol

ROOT = Path(__file__).parents[3]
PATIENCE = 300


def run(*command: str, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI")}
    return subprocess.run(
        command,
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env=env | {"GEMINI_MCP_DATA_DIR": str(cwd / "data")},
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = run(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT
    )
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel, and from ours only what it depends on."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env", with_pip=False)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    site = next((folder / "env").glob("**/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # What it depends on comes from here: the network may be cut.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = scripts / "gemini-interactions-mcp"
    command.write_text(
        f"#!{scripts / 'python'}\n"
        "import sys\nfrom gemini_interactions.cli import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    return folder


def command(installed: Path) -> str:
    return str(installed / "env" / "bin" / "gemini-interactions-mcp")


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry = next(name for name in names if name.endswith("entry_points.txt"))
        entries = archive.read(entry).decode()

    assert "gemini_interactions/instructions.md" in names
    assert "gemini_interactions/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "gemini_emulator",
        "gemini_interactions",
        *({"gemini_interactions_mcp"}),
    }
    assert "gemini-interactions-mcp = gemini_interactions.cli:main" in entries


def test_it_is_the_wheel_that_runs(installed: Path) -> None:
    python = str(installed / "env" / "bin" / "python")
    told = run(python, "-c", "import gemini_interactions as g; print(g.__file__)", cwd=installed)

    assert told.stdout.startswith(str(installed))


def test_help_and_version_answer(installed: Path) -> None:
    told = run(command(installed), "--help", cwd=installed)
    version = run(command(installed), "--version", cwd=installed)

    assert told.returncode == 0
    assert "serve" in told.stdout
    assert version.stdout.startswith("gemini-interactions-mcp ")


def test_a_client_over_stdio_is_answered(installed: Path) -> None:
    lines = [
        protocol.request("initialize", protocol.initialize("wheel-test")),
        protocol.notification("notifications/initialized"),
        protocol.request("tools/list", {}, 2),
    ]
    python = str(installed / "env" / "bin" / "python")
    # Stdin stays open until both answers are there.
    talk = (
        "import subprocess, sys\n"
        "server = subprocess.Popen([sys.argv[1]], stdin=-1, stdout=-1, text=True)\n"
        "server.stdin.write(sys.stdin.read()); server.stdin.flush()\n"
        "print(server.stdout.readline(), end='')\n"
        "print(server.stdout.readline(), end='')\n"
        "server.stdin.close(); sys.exit(server.wait())\n"
    )
    given = "".join(json.dumps(line) + "\n" for line in lines)

    told = run(python, "-c", talk, command(installed), cwd=installed, given=given)

    assert told.returncode == 0, told.stderr
    first, second = (json.loads(line) for line in told.stdout.splitlines())
    assert first["result"]["serverInfo"]["name"] == "gemini"
    assert "gemini_ask" in {tool["name"] for tool in second["result"]["tools"]}


def test_the_demo_runs_from_it(installed: Path) -> None:
    told = run(command(installed), "demo", cwd=installed)

    assert told.returncode == 0, told.stdout + told.stderr
