"""docs/pictures/consent.png: the consent page, drawn by a headless Chromium."""

from __future__ import annotations

from pathlib import Path

import anyio

from gemini_interactions.mcp_server.transports.http.auth.sign_in.clients import OAuthClient
from gemini_interactions.mcp_server.transports.http.auth.sign_in.consent_page import consent_page
from tests.support.browser import browser_page

FILE = Path(__file__).parents[1] / "pictures" / "consent.png"


async def draw() -> None:
    back = "https://claude.ai/api/mcp/auth_callback"
    app = OAuthClient("app_1", "Claude", (back,))
    html = consent_page(app, back, "https://gemini.example.com/mcp", (), "signed")
    async with browser_page(viewport={"width": 640, "height": 720}) as page:
        await page.set_content(bytes(html.body).decode())
        await page.screenshot(path=FILE)


if __name__ == "__main__":
    anyio.run(draw)
