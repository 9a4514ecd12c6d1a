"""Runs each page of `docs/how-to/frameworks` in an environment of its own, against the emulator.

    python -m docs.generator.frameworks [PAGE …]

A page names what it was tried with in a comment that readers do not see, and its first `python`
or `js` block is the program that is run:

    <!-- framework: fastmcp==4.2.3 -->

JavaScript needs node and npm.

Frameworks are no dependency of the tests: they are large, and some keep others from being
installed. A page whose program prints what the emulator says is right.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "how-to" / "frameworks"
ENVIRONMENTS = ROOT / ".tools" / "frameworks"
EXPECTED = "Nice to meet you, Ada"
"""What the emulator answers to the question that every page asks."""
PATIENCE = 180.0


@dataclass(frozen=True)
class Page:
    """One framework: what is installed for it, and its program."""

    name: str
    pins: tuple[str, ...]
    language: Literal["python", "js"]
    program: str


def pages() -> list[Page]:
    """Every page with its program."""
    found = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text("utf-8")
        pins = re.search(r"^<!-- framework: (.+) -->$", text, re.MULTILINE)
        program = re.search(r"^```(python|js)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if pins and program:
            language: Literal["python", "js"] = "js" if program[1] == "js" else "python"
            found.append(Page(path.stem, tuple(shlex.split(pins[1])), language, program[2]))
    return found


def run(page: Page, url: str, folder: Path) -> str:
    """What is wrong with a page; "" where its program does what it says."""
    command = _in_python(page, folder) if page.language == "python" else _in_node(page)
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "GEMINI_API_KEY": "none-needed",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_MCP_DATA_DIR": str(folder / "data"),
        "OPENAI_API_KEY": "none-needed",
    }
    try:
        done = subprocess.run(  # noqa: S603  our own pages
            command,
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {PATIENCE:.0f} s"
    if EXPECTED in done.stdout:
        return ""
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1][:300] if lines else f"said nothing (exit code {done.returncode})"


def _in_python(page: Page, folder: Path) -> list[str]:
    """The command that runs a page's program in an environment with what the page names."""
    environment = ENVIRONMENTS / page.name
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with _installing(page, environment) as wanted:
        if wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)  # noqa: S603
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *page.pins], check=True)  # noqa: S603
    script = folder / "page.py"
    script.write_text(page.program, "utf-8")
    return [str(python), str(script)]


def _in_node(page: Page) -> list[str]:
    """The same for JavaScript, whose program must lie beside the packages that it imports."""
    environment = ENVIRONMENTS / page.name
    with _installing(page, environment) as wanted:
        if wanted:
            environment.mkdir(parents=True, exist_ok=True)
            (environment / "package.json").write_text('{"private": true}\n')
            npm = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund"]
            options = ["--no-package-lock", "--loglevel=error", "--prefix", str(environment)]
            subprocess.run([*npm, *options, *page.pins], check=True)  # noqa: S603
    script = environment / "page.mjs"
    script.write_text(page.program, "utf-8")
    return [shutil.which("node") or "node", str(script)]


@contextmanager
def _installing(page: Page, environment: Path) -> Iterator[bool]:
    """Whether what the page names must be installed; noted once that is done."""
    mark = environment / "installed"
    wanted = "\n".join(page.pins)
    is_there = mark.exists() and mark.read_text() == wanted
    yield not is_there
    mark.write_text(wanted)


def main(names: list[str]) -> int:
    from gemini_emulator import Emulator

    wrong = 0
    with Emulator() as emulator:
        for page in pages():
            if names and page.name not in names:
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    trouble = run(page, emulator.url, Path(folder))
                except subprocess.CalledProcessError as failed:
                    trouble = f"could not be installed (exit code {failed.returncode})"
                except FileNotFoundError as missing:
                    trouble = f"{missing.filename} is not there"
            wrong += bool(trouble)
            sys.stdout.write(f"{page.name:<18} {trouble or 'ok'}  ({', '.join(page.pins)})\n")
            sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
