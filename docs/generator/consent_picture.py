"""docs/pictures/consent.png: the consent page, drawn by a headless Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from gemini_interactions.mcp_server.transports.http.auth.sign_in.clients import OAuthClient
from gemini_interactions.mcp_server.transports.http.auth.sign_in.consent_page import consent_page
from tests.support.browser import Browser

FILE = Path(__file__).parents[1] / "pictures" / "consent.png"


def main() -> int:
    back = "https://claude.ai/api/mcp/auth_callback"
    app = OAuthClient("app_1", "Claude", (back,))
    page = consent_page(app, back, "https://gemini.example.com/mcp", (), "signed")
    browser = Browser()
    try:
        with tempfile.NamedTemporaryFile(suffix=".html") as file:
            file.write(bytes(page.body))
            file.flush()
            browser.go(f"file://{file.name}")
            FILE.write_bytes(browser.picture(640, 720))
    finally:
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
