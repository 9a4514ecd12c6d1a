"""The SDK's own OAuth client, with a browser that a test can look into."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

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
                answer = await submit_consent(browser, answer, token=self._token)
        self._back = answer.headers["location"]

    async def _called_back(self) -> AuthorizationCodeResult:
        given = {name: values[0] for name, values in parse_qs(urlsplit(self._back).query).items()}
        return AuthorizationCodeResult(
            code=given["code"], state=given.get("state"), iss=given.get("iss")
        )


async def submit_consent(
    browser: httpx2.AsyncClient, page: httpx2.Response, *, answer: str = "allow", token: str
) -> httpx2.Response:
    """What comes of the form on a consent page."""
    (signed,) = re.findall(r'name="request" value="([^"]*)"', page.text)
    form = {"request": unescape(signed), "token": token, "answer": answer}
    return await browser.post(str(page.url), data=form)


@dataclass
class RawOAuthClient:
    """A client by hand."""

    http: httpx2.AsyncClient
    resource: str
    id: str = ""
    verifier: str = ""

    async def register(self, **more: Any) -> httpx2.Response:
        answer = await self.http.post(
            "/register", json={"redirect_uris": [REDIRECT], "client_name": "By hand", **more}
        )
        if answer.status_code == 201:
            self.id = answer.json()["client_id"]
        return answer

    def request(self, **changes: str) -> str:
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "state": "as it was",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": self.resource,
            **changes,
        }
        return "/authorize?" + urlencode({name: each for name, each in asked.items() if each})

    async def page(self, **changes: str) -> httpx2.Response:
        return await self.http.get(self.request(**changes))

    async def code(self, token: str = "anns-token", **changes: str) -> str:
        back = await submit_consent(self.http, await self.page(**changes), token=token)
        return redirect_params(back)["code"]

    async def exchange(self, given_code: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": given_code,
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.http.post("/token", data=form)

    async def refresh(self, token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.id}
        return await self.http.post("/token", data={**form, **changes})

    async def signed_in(self, token: str = "anns-token") -> dict[str, Any]:
        given: dict[str, Any] = (await self.exchange(await self.code(token))).json()
        return given

    async def status(self, token: str) -> int:
        headers = {"authorization": f"Bearer {token}", "mcp-session-id": "none"}
        return (await self.http.get("/mcp", headers=headers)).status_code


def redirect_params(back: httpx2.Response) -> dict[str, str]:
    """What a redirect says."""
    query = urlsplit(back.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}
