"""`python -m docs.generator.reference` writes every page that is made: the reference, and the
exchanges in the others. `--check` only says what would change."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio

from docs.generator import (
    commands_page,
    errors_page,
    models_page,
    page_renderer,
    settings_page,
    statuses_page,
    tools_page,
)
from docs.generator.example_runner import ExampleRunner, stages

ROOT = Path(__file__).parents[2]
REFERENCE = Path("docs/reference")

MADE = ("commands", "errors", "models", "settings", "statuses", "tools")
"""The pages of the reference that are made here."""


def pages() -> list[Path]:
    """Every page of the documentation, from the root."""
    return [
        Path("README.md"),
        *sorted(each.relative_to(ROOT) for each in (ROOT / "docs").rglob("*.md")),
    ]


def made(only: str = "") -> Iterator[tuple[Path, str]]:
    """Every page that is made, with its text as it ought to be."""
    drafts: dict[Path, str] = {
        REFERENCE / "settings.md": settings_page.page(),
        REFERENCE / "models.md": models_page.page(),
        REFERENCE / "commands.md": commands_page.page(),
        REFERENCE / "errors.md": errors_page.page(),
        REFERENCE / "statuses.md": statuses_page.page(),
        REFERENCE / "tools.md": "",
    }
    for page in pages():
        if page not in drafts and page_renderer.is_woven(text := (ROOT / page).read_text("utf-8")):
            drafts[page] = text
    with stages() as stage:
        for page, draft in drafts.items():
            if only in str(page):
                yield page, anyio.run(_page, page, draft, stage)


async def _page(page: Path, draft: str, stage: Callable[[str], ExampleRunner]) -> str:
    if draft and not page_renderer.is_woven(draft):
        return draft
    async with stage(page.name) as ours:
        return await (page_renderer.woven(draft, ours) if draft else tools_page.page(ours))


def main() -> int:
    logging.disable()  # what servers and emulator say to each other is nobody's business here
    only = "".join(each for each in sys.argv[1:] if not each.startswith("-"))
    stale = []
    for page, text in made(only):
        file = ROOT / page
        if file.is_file() and file.read_text("utf-8") == text:
            continue
        stale.append(page)
        if "--check" not in sys.argv:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
    for page in stale:
        sys.stdout.write(f"{page}\n")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
