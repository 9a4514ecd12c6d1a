"""A headless Chromium, Debian's, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

# A sandbox of its own needs more than containers and root have; nothing is asked of the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Where Chromium is; skips where there is none, but for CI, which must have it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing("needs Chromium (Debian's package chromium)")
    return found


@asynccontextmanager
async def browser_page(**options: Any) -> AsyncIterator[Page]:
    """A page of a fresh browser; whatever it asks for that no route answers is refused."""
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            page = await browser.new_page(**options)
            page.set_default_timeout(60_000)
            yield page
        finally:
            await browser.close()
