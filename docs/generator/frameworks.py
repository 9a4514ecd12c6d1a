"""Runs each page of `docs/how-to/frameworks` in an environment of its own, against the emulator.

    python -m docs.generator.frameworks [PAGE …]

A page names what it was tried with in a comment that readers do not see, and its first `python`
block is the program that is run:

    <!-- framework: fastmcp==4.2.3 -->

Frameworks are no dependency of the tests: they are large, and some keep others from being
installed. A page whose program prints what the emulator says is right.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

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
    program: str


def pages() -> list[Page]:
    """Every page with a program that runs here; JavaScript ones have none."""
    found = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text("utf-8")
        pins = re.search(r"^<!-- framework: (.+) -->$", text, re.MULTILINE)
        program = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if pins and program:
            found.append(Page(path.stem, tuple(shlex.split(pins[1])), program[1]))
    return found


def run(page: Page, url: str, folder: Path) -> str:
    """What is wrong with a page; "" where its program does what it says."""
    python = _environment(page)
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "GEMINI_API_KEY": "none-needed",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_MCP_DATA_DIR": str(folder / "data"),
        "OPENAI_API_KEY": "none-needed",
    }
    script = folder / "page.py"
    script.write_text(page.program, "utf-8")
    try:
        done = subprocess.run(  # noqa: S603  our own pages
            [str(python), str(script)],
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


def _environment(page: Page) -> Path:
    """The interpreter of an environment with what the page names."""
    folder = ENVIRONMENTS / page.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark = folder / "installed"
    wanted = "\n".join(page.pins)
    if not mark.exists() or mark.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)  # noqa: S603
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *page.pins], check=True)  # noqa: S603
        mark.write_text(wanted)
    return python


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
            wrong += bool(trouble)
            sys.stdout.write(f"{page.name:<18} {trouble or 'ok'}  ({', '.join(page.pins)})\n")
            sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
