"""The container recipe, read by a machine: there is no engine to run it with everywhere."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path

from gemini_interactions.cli import command_line
from gemini_interactions.config.setting_table import SETTINGS
from gemini_interactions.config.settings import Config

ROOT = Path(__file__).parents[3]
RECIPE = (ROOT / "manifests/Dockerfile").read_text("utf-8")
COMPOSE = (ROOT / "manifests/compose.yaml").read_text("utf-8")
IGNORED = (ROOT / "manifests/Dockerfile.dockerignore").read_text("utf-8").split("\n")


def copied_names() -> list[str]:
    lines = re.findall(r"^COPY (.+) \S+$", RECIPE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_what_is_copied_is_there_and_let_through() -> None:
    let_through = [line[1:] for line in IGNORED if line.startswith("!")]

    assert "*" in IGNORED
    assert all((ROOT / name).exists() for name in copied_names())
    assert sorted(copied_names()) == sorted(let_through)


def test_what_the_build_needs_is_copied() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    named = re.findall(r'^(?:readme = |license-files = \[)"([^"]+)"', project, re.MULTILINE)

    assert len(named) == 2
    assert {"pyproject.toml", "constraints.txt", "server", *named} <= set(copied_names())


def test_the_recipe_and_the_gateway_name_only_settings_that_exist() -> None:
    known = {setting.variable for setting in SETTINGS}
    named = set(re.findall(r"\b(?:GEMINI|GOOGLE)_\w+", RECIPE + COMPOSE))

    assert "GEMINI_MCP_TOKENS_FILE" in named
    assert named - known == set()


def test_it_starts_a_gateway_that_others_can_reach_where_it_says() -> None:
    entry = re.findall(r"^ENTRYPOINT (.+)$", RECIPE, re.MULTILINE)[0]
    program, *words = json.loads(entry)
    port = re.findall(r"^EXPOSE (\d+)$", RECIPE, re.MULTILINE)[0]

    assert program == command_line.PROGRAM
    assert command_line._parser(words).parse_args(words).http == f"0.0.0.0:{port}"
    assert f"127.0.0.1:{port}/healthz" in RECIPE
    assert f"--to=one:{port}" in COMPOSE


def test_its_settings_are_ones_the_server_takes() -> None:
    line = re.findall(r"^ENV (.+)$", RECIPE, re.MULTILINE)[0]
    config = Config.read(dict(pair.split("=", 1) for pair in line.split()))

    assert (str(config.data_dir), str(config.tokens_file)) == ("/data", "/tokens")


def test_the_folders_it_writes_to_belong_to_its_user_alone() -> None:
    made = re.findall(r"install -d -m 700 -o gemini -g gemini (.+)$", RECIPE, re.MULTILINE)[0]

    assert RECIPE.index("install -d") < RECIPE.index("USER gemini") < RECIPE.index("ENTRYPOINT")
    for variable in ("DATA_DIR", "IMAGES_DIR"):
        assert re.findall(rf"GEMINI_MCP_{variable}: (\S+)", COMPOSE)[0] in made.split()


def test_no_key_of_a_checkout_can_get_into_the_image() -> None:
    for name in (".env", "gemini.db", "tokens", ".venv/x", "first-conversation/key"):
        assert not any(fnmatch(name, f"{each}*") for each in copied_names())
