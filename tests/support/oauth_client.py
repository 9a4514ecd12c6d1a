"""The SDK's own OAuth client, with a browser that a test can look into."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

REDIRECT = "http://127.0.0.1:3999/callback"


class Storage:
    """Keeps what the client was given, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class SignedInClient:
    """An HTTP client that signs in when it is asked to. `token` is typed on the consent page."""

    def __init__(
        self, url: str, *, token: str = "", scope: str | None = None, transport: Any = None
    ) -> None:
        self.storage = Storage()
        self.visited: list[str] = []
        self._token = token
        self._transport = transport
        self._back = ""
        self.auth = OAuthClientProvider(
            url,
            OAuthClientMetadata(
                redirect_uris=[AnyUrl(REDIRECT)], client_name="A test", scope=scope
            ),
            self.storage,
            redirect_handler=self._browse,
            callback_handler=self._called_back,
        )

    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            auth=self.auth, timeout=60, trust_env=False, transport=self._transport
        )

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=60, trust_env=False, transport=self._transport)

    async def _browse(self, url: str) -> None:
        self.visited.append(url)
        async with self.browser() as browser:
            answer = await browser.get(url)
            if answer.status_code == 200:
                answer = await answered(browser, answer, token=self._token)
        self._back = answer.headers["location"]

    async def _called_back(self) -> AuthorizationCodeResult:
        given = {name: values[0] for name, values in parse_qs(urlsplit(self._back).query).items()}
        return AuthorizationCodeResult(
            code=given["code"], state=given.get("state"), iss=given.get("iss")
        )


async def answered(
    browser: httpx2.AsyncClient, page: httpx2.Response, *, answer: str = "allow", token: str
) -> httpx2.Response:
    """What comes of the form on a consent page."""
    (signed,) = re.findall(r'name="request" value="([^"]*)"', page.text)
    form = {"request": unescape(signed), "token": token, "answer": answer}
    return await browser.post(str(page.url), data=form)
