"""Consent requests: what a client asks for, carried through the page under a signature.

The page holds all of it, so that any replica can read it back, and nothing is stored for
strangers. A cookie ties it to the browser that was shown the page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass

VALID = 900
"""Seconds in which a page can be answered."""


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    client_id: str
    redirect_uri: str
    code_challenge: str
    state: str
    scopes: tuple[str, ...]
    resource: str
    expires: int


class ConsentSigner:
    """Signs requests with the server's key; the same key signs other things under other words."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.sha256(b"gemini-interactions-mcp consent\0" + key).digest()

    def sign(self, request: ConsentRequest, browser: str) -> str:
        told = {**asdict(request), "browser": _name(browser)}
        body = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        return f"{body}.{self._signature(body)}"

    def read(self, signed: str, browser: str | None, now: float) -> ConsentRequest | None:
        """The request, if it was signed here, for this browser (None is no browser), and holds."""
        body, _, signature = signed.partition(".")
        given = signature.encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._signature(body).encode()):
            return None
        told = json.loads(base64.urlsafe_b64decode(body))
        shown_to = told.pop("browser")
        request = ConsentRequest(**{**told, "scopes": tuple(told["scopes"])})
        if browser is not None and not hmac.compare_digest(shown_to, _name(browser)):
            return None
        return request if now < request.expires else None

    def _signature(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "replace"), "sha256").hexdigest()


def _name(browser: str) -> str:
    return hashlib.sha256(browser.encode("utf-8", "replace")).hexdigest()


def new_browser() -> str:
    """A name for a browser that has none yet."""
    return secrets.token_urlsafe(24)
