"""What contributors and registries find: forms, workflows, frameworks' pages, the release list."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from docs.generator import frameworks
from gemini_interactions import __version__
from manifests import generator, release_check

ROOT = Path(__file__).parents[3]
PAGES = {page.name: page for page in frameworks.pages()}
FRAMEWORKS = frozenset(
    {"openai-agents", "pydantic-ai", "google-adk", "langchain", "llama-index", "strands", "agno"}
    | {"crewai", "smolagents", "autogen", "agent-framework", "haystack", "fastmcp"}
)
IN_JAVASCRIPT = frozenset({"langchain-js", "ai-sdk", "mastra"})


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_framework_has_a_page_that_make_frameworks_runs() -> None:
    written = {page.stem for page in frameworks.PAGES.glob("*.md")} - {"README"}

    assert set(PAGES) == written == FRAMEWORKS | IN_JAVASCRIPT


@pytest.mark.parametrize("name", sorted(FRAMEWORKS))
def test_a_page_is_pinned_parses_and_hands_the_environment_on(name: str) -> None:
    page = PAGES[name]

    ast.parse(page.program)
    assert re.search(r"==\d", page.pins[0])
    assert "os.environ" in page.program


@pytest.mark.parametrize("name", sorted(IN_JAVASCRIPT))
def test_a_page_in_javascript_is_pinned_and_hands_the_environment_on(name: str) -> None:
    page = PAGES[name]

    assert page.language == "js"
    assert all(re.search(r".@\d", each) for each in page.pins)
    assert "process.env" in page.program


def test_tools_of_contributors_are_no_part_of_what_is_published() -> None:
    read = project()

    assert set(read["project"]["optional-dependencies"]) == {"postgres"}  # type: ignore[index]
    assert "dev" in read["dependency-groups"]  # type: ignore[operator]


@pytest.mark.parametrize("target", ["frameworks", "newest", "release-check", "node-tools"])
def test_make_has_what_workflows_and_pages_call(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_we_name_is_tested(version: str) -> None:
    classifiers = (ROOT / "pyproject.toml").read_text("utf-8")

    assert f'"Programming Language :: Python :: {version}"' in classifiers
    assert f'"{version}"' in (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")


def test_dockers_entry_names_a_recipe_that_is_there() -> None:
    lines = generator.manifests()["manifests/registry/docker/server.yaml"].splitlines()
    entry = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}

    assert (ROOT / entry["source"]["dockerfile"]).is_file()
    assert entry["config"]["secrets"][0]["env"] == "GEMINI_API_KEY"


def test_the_release_list_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    release_check.main(["--tag", "v0.0.0-not-this-one"])

    told = capsys.readouterr().out
    assert f"TODO  the tag v0.0.0-not-this-one is the version {__version__}" in told
    assert "trusted publisher" in told
