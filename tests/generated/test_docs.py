"""The documentation: everything in it is made from the code, run, or read by a machine."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import pytest

from docs.generator import commands_page, errors_page, frameworks, reference
from docs.generator.page_renderer import Block, blocks, is_woven
from gemini_emulator.scripting.fault_injection import FAULTS
from gemini_emulator.scripting.research_scenarios import FATES
from gemini_interactions.config.setting_table import SETTINGS, TOOLSETS
from gemini_interactions.domain.client_profiles import (
    CLIENTS,
    HOSTS,
    ClientProfile,
    Host,
    Launch,
)
from gemini_interactions.domain.status import Status
from gemini_interactions.tools.registry import tools
from tests.support import doc_snippets

ROOT = Path(__file__).parents[2]
PAGES = reference.pages()
MADE = {reference.REFERENCE / f"{name}.md" for name in reference.MADE}
TEXTS = {page: (ROOT / page).read_text("utf-8") for page in PAGES}
BLOCKS = [(page, block) for page, text in TEXTS.items() for block in blocks(text)]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def of(*languages: str) -> list[object]:
    """The blocks in these languages, each named by its place."""
    return [
        pytest.param(page, block, id=f"{page}:{block.line}")
        for page, block in BLOCKS
        if block.language in languages
    ]


def page_text(name: str) -> str:
    return TEXTS[reference.REFERENCE / f"{name}.md"]


# What is made from the code


@pytest.mark.processes
def test_every_page_that_is_made_is_as_the_code_would_make_it_now() -> None:
    stale = [str(page) for page, text in reference.made() if TEXTS.get(page) != text]

    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("tool", sorted(tools(TOOLSETS)))
def test_every_tool_is_documented_with_all_its_parameters(tool: str) -> None:
    _, _, section = page_text("tools").partition(f"### `{tool}`\n")
    section = section.partition("\n### ")[0]

    for parameter in tools(TOOLSETS)[tool].arguments.schema["properties"]:
        assert f"| `{parameter}` |" in section


@pytest.mark.parametrize(
    "variable", [setting.variable for setting in SETTINGS if setting.available]
)
def test_every_setting_is_documented(variable: str) -> None:
    assert f"| `{variable}` |" in page_text("settings")


@pytest.mark.parametrize("command", sorted(commands_page.parsers()))
def test_every_command_is_documented(command: str) -> None:
    assert f"\n## {command}\n" in page_text("commands")


@pytest.mark.parametrize("name", [*FATES, *FAULTS])
def test_everything_the_emulator_can_be_told_by_name_is_documented(name: str) -> None:
    assert f"\n| `{name}` |" in page_text("commands")


@pytest.mark.parametrize("kind", [kind.__name__ for kind in errors_page.classes()])
def test_every_error_is_documented(kind: str) -> None:
    assert f"\n### `{kind}`\n" in page_text("errors")


@pytest.mark.parametrize(("client", "profile"), CLIENTS.items(), ids=str)
def test_what_each_client_takes_is_documented(
    client: str | tuple[str, str], profile: ClientProfile
) -> None:
    name = client if isinstance(client, str) else client[0]
    row = f"| `{name}` | {profile.text_budget:,} | {profile.time_budget:g} |"
    assert row in TEXTS[Path("docs/how-to/hosts/README.md")]


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_is_documented(status: str) -> None:
    assert f"\n## {status}\n" in page_text("statuses")


# What pages name


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_pages_name_only_settings_that_exist(page: Path) -> None:
    known = {setting.variable for setting in SETTINGS if setting.available}
    named = set(re.findall(r"\bGEMINI_MCP_\w+", TEXTS[page]))

    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_pages_name_only_tools_that_exist(page: Path) -> None:
    ours = r"gemini_(?!interactions|emulator)[a-z_]+"
    pattern = rf"\b(?:{ours}|(?:start|check|cancel|approve)_\w*research\w*)"
    text = re.sub(r"^(`{3,})diff\n.*?^\1$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)
    named = set(re.findall(pattern, text))

    assert named - tools(TOOLSETS).keys() == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(_prose(TEXTS[page])):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / unquote(path) if path else ROOT / page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            dead.append(target)

    assert dead == []


def test_every_page_can_be_reached_from_the_front() -> None:
    reached = {Path("README.md")}
    ahead = list(reached)
    while ahead:
        page = ahead.pop()
        for target in LINK.findall(TEXTS.get(page, "")):
            path = unquote(target.partition("#")[0])
            if not path or re.match(r"[a-z]+:", target):
                continue
            file = ((ROOT / page).parent / path).resolve()
            found = file.relative_to(ROOT) if file.is_relative_to(ROOT) else page
            if found in TEXTS and found not in reached:
                reached.add(found)
                ahead.append(found)

    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("host", [host for host in HOSTS if host.add], ids=lambda host: host.id)
def test_the_front_page_has_each_hosts_own_command_from_a_checkout(host: Host) -> None:
    here = "$PWD/.venv/bin/gemini-interactions-mcp"
    command = host.add(Launch((here,))) if host.add else []
    typed = " ".join(_in_quotes(word) if here in word else shlex.quote(word) for word in command)

    assert f"(docs/how-to/hosts/{host.id}.md) | `{typed}` |" in TEXTS[Path("README.md")]


def test_the_front_page_names_every_host_that_can_be_installed() -> None:
    front = TEXTS[Path("README.md")]

    assert [host.id for host in HOSTS if f"`{host.id}`" not in front] == []


# How pages are written


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MADE], ids=str)
def test_a_line_holds_one_sentence(page: Path) -> None:
    long = [
        line
        for line in _prose(TEXTS[page]).splitlines()
        if not line.startswith(("|", ">", "#")) and re.search(r"(?<!\d)[.!?]\)? [A-Z`\[]", line)
    ]

    assert long == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_has_one_title_and_every_block_a_language(page: Path) -> None:
    titles = re.findall(r"^# .+$", _prose(TEXTS[page]), re.MULTILINE)

    assert len(titles) == 1
    assert [block.line for block in blocks(TEXTS[page]) if not block.language] == []


# What pages show


@pytest.mark.parametrize(("page", "block"), of("sh"))
def test_every_command_shown_would_run(page: Path, block: Block) -> None:
    problems = [doc_snippets.problem_of(words) for words in doc_snippets.commands(block.text)]

    assert [each for each in problems if each] == []


@pytest.mark.parametrize(("page", "block"), of("json", "jsonc", "toml", "yaml"))
def test_every_configuration_shown_can_be_read_and_names_what_there_is(
    page: Path, block: Block
) -> None:
    data = doc_snippets.parsed(block.language, block.text)

    for server in doc_snippets.servers(data):
        if command := doc_snippets.command_of(server):
            assert doc_snippets.problem_of(command) == ""
        assert doc_snippets.environment_of(server) <= doc_snippets.VARIABLES


@pytest.mark.parametrize(("page", "block"), of("python", "js"))
def test_every_program_shown_is_run_where_it_is_shown(page: Path, block: Block) -> None:
    """A program is a file with a name, and a shell block that runs it; making the page runs it."""
    if page.parent.name == "frameworks":  # run by `make frameworks`, which needs the network
        programs = [each.program for each in frameworks.pages() if each.name == page.stem]
        assert block.text in programs
        return
    name = block.text.partition("\n")[0].removeprefix("# ")

    assert re.search(rf"^python {re.escape(name)}$", TEXTS[page], re.MULTILINE)
    assert is_woven(TEXTS[page])


def test_nothing_is_shown_in_a_language_that_no_test_reads() -> None:
    # What `diff` shows is applied by test_recipes.py.
    read = {"sh", "json", "jsonc", "toml", "yaml", "python", "text", "markdown", "diff"}

    # JavaScript is run by `make frameworks` alone.
    shown = {block.language for page, block in BLOCKS if page.parent.name != "frameworks"}
    assert shown <= read
    assert {block.language for _, block in BLOCKS} <= {*read, "js"}


def _in_quotes(word: str) -> str:
    """A word as a shell takes it with variables filled in."""
    return '"' + word.replace('"', '\\"') + '"'


def _prose(page: str) -> str:
    """The page without its blocks and hidden comments."""
    page = re.sub(r"^(`{3,}).*?^\1$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", page, flags=re.DOTALL)


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(file.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
