"""Architecture rules: who may import whom, what is declared, and what no file may contain."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "server" / "gemini_interactions"
NAME = "gemini_interactions"
EMULATOR = ROOT / "server" / "gemini_emulator"

# The arrows. A module may import what stands in its own line, and its own folder; the names
# at the left are files or folders of the package.
PURE = {"domain", "interactions", "lean_import", "telemetry"}
ARROWS: dict[str, set[str]] = {
    "domain": set(),
    "interactions": {"domain"},
    "telemetry": {"domain", "interactions"},
    "config": {"domain"},
    "bridge": PURE | {"config"},
    "gemini": PURE,
    "store": PURE,
    "files": PURE,
    "maintenance": PURE | {"bridge"},
    "components": PURE | {"bridge", "config", "files", "gemini", "maintenance", "store"},
    "app": PURE | {"bridge", "components", "config", "gemini", "maintenance"},
    "tools": PURE | {"bridge"},
    "mcp_server": PURE | {"app", "bridge", "components", "config", "files", "tools"},
    "cli": PURE | {"app", "bridge", "components", "config", "demo", "gemini", "mcp_server"},
    "__main__": {"cli"},
    "__init__": set(),
    "lean_import": set(),
    "demo": set(),
}

# Whose knowledge a library is. Everybody else goes through them.
KEEPERS: dict[str, set[str]] = {
    "mcp": {"tools", "mcp_server", "demo"},
    "mcp_types": {"tools", "mcp_server", "demo"},
    "google": {"gemini"},
    "httpx2": {"gemini", "mcp_server"},
    "jwt": {"mcp_server"},
    "opentelemetry": {"telemetry"},
    "sqlite3": {"store"},
    "psycopg": {"store"},
    "psycopg_pool": {"store"},
    "platformdirs": {"config"},
    "starlette": {"mcp_server"},
    "uvicorn": {"mcp_server"},
    "gemini_emulator": {"cli"},
}

# Files that are longer than 500 lines, each with the reason why that is better than splitting.
LONG: dict[str, str] = dict.fromkeys(
    [
        "tests/end_to_end/http/test_gate.py",
        "tests/end_to_end/images/test_pictures.py",
        "tests/end_to_end/product/test_results.py",
        "tests/end_to_end/product/test_stdio.py",
        "tests/unit/gemini/test_client.py",
        "tests/unit/interactions/test_answers.py",
    ],
    "Lines that longer names broke in two; to be split.",
)


def modules() -> Iterator[tuple[str, Path]]:
    """Each source file with its noun: the file or folder of the package it belongs to."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).with_suffix("").parts[0], file


def imports(file: Path) -> Iterator[str]:
    """Every module a file imports, anywhere in it, by its full name."""
    package = file.relative_to(ROOT / "server").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = [*above, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*origin, each.name]) for each in node.names)


def noun(module: str) -> str:
    """The noun of our own module, or "" for `gemini_interactions` itself and foreign ones."""
    name, _, rest = module.partition(".")
    first = rest.split(".")[0]
    is_ours = name == NAME and ((PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").exists())
    return first if is_ours else ""


def listed_files() -> list[Path]:
    """Everything that is, or would be, checked in."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / each for each in listed.stdout.decode().split("\0") if each]
    return [each for each in files if each.is_file()]


def test_every_module_has_its_line_in_the_table_of_arrows() -> None:
    assert {each for each, _ in modules()} <= set(ARROWS)


@pytest.mark.parametrize("who", sorted(ARROWS))
def test_arrows_point_inwards(who: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {module}"
        for owner, file in modules()
        for module in imports(file)
        if owner == who and noun(module) and noun(module) not in ARROWS[who] | {who}
    ]

    assert wrong == []


@pytest.mark.parametrize("package", [PACKAGE, EMULATOR])
def test_no_modules_import_each_other_in_a_circle(package: Path) -> None:
    server = package.parent
    files = {
        ".".join(file.relative_to(server).with_suffix("").parts).removesuffix(".__init__"): file
        for file in package.rglob("*.py")
    }

    def module_of(imported: str) -> str:
        return imported if imported in files else imported.rpartition(".")[0]

    graph = {
        name: {module_of(each) for each in imports(file)} & set(files) - {name}
        for name, file in files.items()
    }

    TopologicalSorter(graph).prepare()  # raises CycleError, which names a circle


@pytest.mark.parametrize("library", sorted(KEEPERS))
def test_a_library_is_known_only_to_its_keepers(library: str) -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {module}"
        for owner, file in modules()
        for module in imports(file)
        if module.split(".")[0] == library and owner not in KEEPERS[library]
    ]

    assert wrong == []


def test_the_emulator_imports_nothing_of_the_server() -> None:
    wrong = [
        f"{file.relative_to(EMULATOR)} imports {module}"
        for file in EMULATOR.rglob("*.py")
        for module in imports(file)
        if module.split(".")[0] in {NAME, "mcp", "mcp_types", "google", "sqlite3", "psycopg"}
    ]

    assert wrong == []


def test_every_library_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {
        re.split(r"[^\w.-]", each)[0].lower().replace("_", "-")
        for each in project["dependencies"] + project["optional-dependencies"]["postgres"]
    }
    # The extra `psycopg[pool]` brings this one.
    declared |= {"psycopg-pool"} if "psycopg" in declared else set()
    origins = packages_distributions()
    foreign = {
        module.split(".")[0]
        for file in (ROOT / "server").rglob("*.py")
        for module in imports(file)
        if module.split(".")[0] not in sys.stdlib_module_names | {NAME, "gemini_emulator"}
    }

    undeclared = {
        each
        for each in foreign
        if not declared & {name.lower().replace("_", "-") for name in origins.get(each, [])}
    }
    assert undeclared == set()


@pytest.mark.parametrize(
    ("start", "heavy"),
    [
        (
            f"{NAME}.cli",
            {"mcp", "mcp_types", "pydantic", "google.genai", "asyncio", "platformdirs"},
        ),
        (
            f"{NAME}.mcp_server",
            {"google", "google.genai", "psycopg", "sqlite3", "PIL", "jsonschema"},
        ),
        (
            f"{NAME}.tools.registry",
            {"google", "google.genai", "psycopg", "sqlite3", "PIL", "jsonschema"},
        ),
        ("gemini_emulator.cli", {"mcp", "google", NAME}),
    ],
)
def test_starting_does_not_import_what_only_later_work_needs(start: str, heavy: set[str]) -> None:
    code = f"import sys, {start}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert heavy & set(loaded) == set()


@pytest.mark.parametrize("folder", ["server", "tests"])
def test_files_stay_short(folder: str) -> None:
    long = {
        str(file.relative_to(ROOT))
        for file in (ROOT / folder).rglob("*.py")
        if len(file.read_text("utf-8").splitlines()) > 500
    }

    assert long <= set(LONG)


@pytest.mark.parametrize("package", [PACKAGE, EMULATOR])
def test_folders_stay_small(package: Path) -> None:
    """About a dozen modules each, so that a list of them can be read."""
    crowded = {
        str(folder.relative_to(package))
        for folder in [package, *package.rglob("*")]
        if folder.is_dir() and len([*folder.glob("[!_]*.py")]) > 14
    }

    assert crowded == set()


def test_no_file_names_a_package_index_a_machine_path_or_a_secret() -> None:
    # Written in pieces, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(
            [
                r"files\.python" r"hosted\.org|registry\.np" r"mjs\.org|--(?:extra-)?index" r"-url",
                r"/work/(?:main|shared)|/tmp/pro" r"be|/opt/(?:py" r"pi|wheels)|/ro" r"ot/",
                r"AIza"
                r"[\w-]{35}|AQ\.[\w-]{40}|gh[pousr]_\w{36}|sk-\w{32}|BEGIN [A-Z ]*PRIVATE K"
                r"EY",
            ]
        )
    )

    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in listed_files()
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1)
        if forbidden.search(line)
    ]

    assert found == []


def test_constraints_pin_plain_versions() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]

    assert len(pins) > 30
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.processes
def test_the_wheel_holds_what_the_package_reads(tmp_path: Path) -> None:
    import zipfile

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=True,
    )

    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    kinds = {".py", ".md", ".sql", ".typed", ".json"}
    needed = {
        str(file.relative_to(ROOT / "server"))
        for file in (ROOT / "server").rglob("*")
        if file.suffix in kinds and not any(part.startswith(".") for part in file.parts)
    }
    assert needed <= held
    assert f"{NAME}/py.typed" in held
    assert not [each for each in held if "__pycache__" in each or each.startswith("tests")]
