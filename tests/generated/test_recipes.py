"""The recipes of docs/contributing.md, carried out in a copy of the repository.

The blocks of the page are what is applied, so a recipe that no longer fits the code fails here.
The copies are type-checked with one cache of mypy, which begins as a copy of this checkout's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.generator.page_renderer import blocks
from gemini_interactions.domain.artifact import BY_LIST
from gemini_interactions.interactions.builtin_tools import NAMED
from gemini_interactions.tools.registry import tools

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text("utf-8")
TYPES = ("Add a status", "Add an artifact kind")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@dataclass(frozen=True)
class Edit:
    """One block of a recipe: the file, and what is replaced by what in it."""

    file: str
    changes: tuple[tuple[str, str], ...]

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text("utf-8") if path.exists() else ""
        for old, new in self.changes:
            if not old:
                assert not text, f"{self.file} is there already"
                text = new
                continue
            assert text.count(old) == 1, f"{self.file} has this {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
        path.write_text(text, "utf-8")


def edits(recipe: str) -> list[Edit]:
    """The blocks of one recipe, in order."""
    section = re.split(r"^##+ ", PAGE.partition(f"\n### {recipe}\n")[2], flags=re.MULTILINE)[0]
    found = []
    for block in blocks(section):
        if block.language != "diff":
            continue
        head, _, body = block.text.partition("\n")
        places = [place for place in re.split(r"^@@\n", body, flags=re.MULTILINE) if place]
        found.append(Edit(head.removeprefix("+++ "), tuple(map(_change, places))))
    return found


def _change(place: str) -> tuple[str, str]:
    lines = place.splitlines(keepends=True)
    assert {line[0] for line in lines} <= {" ", "+", "-"}, place
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    return old, new


RECIPES = {name: edits(name) for name in ("Add a tool", "Add a host", *TYPES)}


def copy(to: Path) -> Path:
    """What recipes touch and what is needed to run it, with the times of the files."""
    for folder in ("server", "docs", "tests", "manifests"):
        shutil.copytree(ROOT / folder, to / folder, ignore=NOT_COPIED)
    for file in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy2(ROOT / file, to)
    return to


def python(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A module run with the copy's packages before the installed ones."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": f"{root / 'server'}{os.pathsep}{root}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def mypy(root: Path, cache: Path, *what: str) -> str:
    """What the type checker says; "" where nothing is wrong."""
    done = python(root, "-m", "mypy", "--no-error-summary", f"--cache-dir={cache}", *what)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all copies; names and contents of files are the same there as here."""
    folder = tmp_path_factory.mktemp("types") / "cache"
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", folder)
    return folder


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which every recipe was carried out."""
    root = copy(tmp_path_factory.mktemp("recipes"))
    for steps in RECIPES.values():
        assert steps
        for edit in steps:
            edit.apply(root)
    return root


def test_the_type_checker_names_the_places_of_a_new_status_and_a_new_kind(
    tmp_path: Path, cache: Path
) -> None:
    root = copy(tmp_path)
    for recipe in TYPES:
        RECIPES[recipe][0].apply(root)

    said = mypy(root, cache, "server")

    missing = re.findall(
        r'^server/gemini_interactions/(\S+?):\d+: .*"assert_never" has .*(paused|DOCUMENT)',
        said,
        re.MULTILINE,
    )
    assert len(missing) == len(said.splitlines()), said
    assert set(missing) == {
        ("domain/status.py", "paused"),
        ("tools/rendering/result.py", "paused"),
        ("tools/rendering/research_report.py", "paused"),
        ("bridge/artifacts/artifact_repository.py", "DOCUMENT"),
        ("tools/rendering/listing_texts.py", "DOCUMENT"),
    }


HOST = Edit(
    "server/gemini_interactions/domain/client_profiles.py",
    (
        (
            "HOSTS: tuple[Host, ...] = (\n",
            'HOSTS: tuple[Host, ...] = (\n    Host("example", "Example"),\n',
        ),
    ),
)
UPSTREAM_TOOL = Edit(
    "server/gemini_interactions/interactions/builtin_tools.py",
    (("TOOL_TYPES = (\n", 'TOOL_TYPES = (\n    ToolType("flights", has_name=True),\n'),),
)


def test_the_type_checker_names_a_row_that_lacks_something(tmp_path: Path, cache: Path) -> None:
    """Hosts and upstream tools are a row each: nothing else has to be written for one."""
    root = copy(tmp_path)
    for edit in (HOST, UPSTREAM_TOOL):
        edit.apply(root)

    said = mypy(root, cache, "server")

    missing = re.findall(
        r"^(\S+?):\d+: error: Missing (?:positional|named) arguments? (.*) in call to",
        said,
        re.MULTILINE,
    )
    assert len(missing) == len(said.splitlines()), said
    assert dict(missing) == {
        HOST.file: '"snippet", "files"',
        UPSTREAM_TOOL.file: '"mixes", "in_research", "for_agents"',
    }


def test_an_upstream_tool_is_known_by_its_row_alone(tmp_path: Path) -> None:
    root = copy(tmp_path)
    ((begin, row),) = UPSTREAM_TOOL.changes
    given = "has_name=True, mixes=False, in_research=False, for_agents=True"
    Edit(UPSTREAM_TOOL.file, ((begin, row.replace("has_name=True", given)),)).apply(root)
    code = (
        "from gemini_interactions.bridge.builtin_tool_policy import BuiltinToolPolicy; "
        "from gemini_interactions.interactions import builtin_tools as table; "
        "print(BuiltinToolPolicy().read(['flights']), "
        "'flights' in table.NOT_FOR_RESEARCH, 'flights' in table.NOT_FOR_AGENTS)"
    )

    said = python(root, "-c", code)

    assert said.stdout == "[{'type': 'flights'}] True False\n", said.stderr


def test_a_repository_after_all_recipes_passes_the_type_checker_and_ruff(
    edited: Path, cache: Path
) -> None:
    assert mypy(edited, cache, "server", "docs/generator") == ""
    changed = {edit.file for steps in RECIPES.values() for edit in steps}
    files = sorted(file for file in changed if file.endswith(".py"))
    assert python(edited, "-m", "ruff", "check", "--quiet", *files).stdout == ""
    assert python(edited, "-m", "ruff", "format", "--check", "--quiet", *files).stdout == ""


def test_a_tool_and_an_artifact_kind_work_through_the_whole_product(edited: Path) -> None:
    listed = "from gemini_interactions.tools.registry import tools; print(*tools(['media']))"

    assert "gemini_list_voices" in python(edited, "-c", listed).stdout.split()
    said = python(
        edited,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("tests/end_to_end/media/test_voices.py", "tests/end_to_end/media/test_documents.py"),
    ).stdout
    assert "2 passed" in said, said


def test_a_status_has_its_row_and_its_section(edited: Path) -> None:
    code = (
        "from docs.generator.statuses_page import STATUSES as told; "
        "from gemini_interactions.domain.status import STATUSES as rows; "
        "print(rows['paused'].standing, set(told) == set(rows))"
    )

    said = python(edited, "-c", code)
    assert said.stdout == "is paused True\n", said.stderr


def test_a_host_is_installed_and_documented(edited: Path, tmp_path: Path) -> None:
    known = "from gemini_interactions.domain.client_profiles import HOSTS; print(HOSTS[0].id)"

    assert python(edited, "-c", known).stdout == "example\n"
    shown = python(edited, "-m", "gemini_interactions", "install", "example", "--print")
    assert shown.returncode == 0, shown.stderr
    assert "~/.config/example/mcp.json" in shown.stdout
    assert '"mcpServers"' in shown.stdout
    said = python(
        edited,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/generated/test_docs.py"),
        *("tests/end_to_end/commands/test_install_command.py",),
        *("-k", "example or front or (link and hosts)"),
    ).stdout
    assert re.search(r"^\d+ passed", said, re.MULTILINE), said


@pytest.mark.parametrize("tool", ["gemini_ask", "gemini_continue"])
def test_every_upstream_tool_that_has_a_name_is_described(tool: str) -> None:
    parameter = tools(["ask"])[tool].arguments.schema["properties"]["tools"]

    assert set(NAMED) <= set(re.findall(r"\w+", parameter["description"]))


def test_every_kind_that_has_a_list_can_be_asked_for() -> None:
    """The one table that the type checker cannot hold against the kinds: a schema is a literal."""
    kind = tools([])["gemini_history"].arguments.schema["properties"]["kind"]

    assert set(kind["enum"]) == {"conversations", *BY_LIST}
