"""The signing keys of an OAuth issuer: discovery (RFC 8414, OpenID Connect), cache, rotation."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import anyio

log = logging.getLogger(__name__)

FRESH = 3600.0
"""Seconds after which keys are fetched anew, so that a key the issuer withdrew ends here too."""
BETWEEN_FETCHES = 60.0
"""Seconds between two fetches, whatever key ids strangers make up."""
FETCH_SECONDS = 5.0
LARGEST = 256 * 1024

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures accepted: asymmetric ones, so that nobody can sign with a key that is public."""

_KEY_TYPE = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class IssuerUnreachable(Exception):
    """The issuer's keys were never read, and cannot be now."""


class FetchJson(Protocol):
    """The JSON object at an address, or None where there is none to be had."""

    async def __call__(self, url: str) -> Mapping[str, Any] | None: ...


class IssuerKeys:
    """Public keys of one issuer by their id; `now` is the wall clock in epoch seconds."""

    def __init__(self, issuer: str, fetch: FetchJson, now: Callable[[], float]) -> None:
        self.issuer = issuer
        """As the issuer writes itself, once its metadata was read: that is what `iss` must be."""
        self._fetch = fetch
        self._now = now
        self._jwks_uri = ""
        self._keys: list[Mapping[str, Any]] | None = None
        self._fetched = 0.0
        self._tried: float | None = None
        self._lock = anyio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> Mapping[str, Any] | None:
        """The key as a JWK; None where the issuer has none of that id for that algorithm."""
        if self._keys is None or not 0 <= self._now() - self._fetched < FRESH:
            await self._refresh()
        found = self._known(key_id, algorithm)
        if found is None and key_id is not None:
            await self._refresh()
            found = self._known(key_id, algorithm)
        return found

    def _known(self, key_id: str | None, algorithm: str) -> Mapping[str, Any] | None:
        fitting = [key for key in self._keys or () if _fits(key, algorithm)]
        if key_id is not None:
            fitting = [key for key in fitting if key.get("kid") == key_id]
        # Without an id there must be no choice: trying one after the other would let a weak
        # key stand in for a strong one.
        return fitting[0] if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        async with self._lock:
            # Checked inside: whoever waited for the lock finds what the first one fetched.
            is_recent = self._tried is not None and (
                0 <= self._now() - self._tried < BETWEEN_FETCHES
            )
            if not is_recent:
                self._tried = self._now()
                await self._read()
        if self._keys is None:
            raise IssuerUnreachable

    async def _read(self) -> None:
        """On any failure the keys read before go on to hold."""
        if not self._jwks_uri:
            await self._discover()
        document = await self._fetch(self._jwks_uri) if self._jwks_uri else None
        keys = (document or {}).get("keys")
        if not isinstance(keys, list):
            log.warning("the signing keys of GEMINI_MCP_OAUTH_ISSUER cannot be read")
            self._jwks_uri = ""  # it may have moved
            return
        self._keys = [key for key in keys if isinstance(key, dict)]
        self._fetched = self._now()

    async def _discover(self) -> None:
        for url in metadata_urls(self.issuer):
            metadata = await self._fetch(url) or {}
            issuer, jwks_uri = metadata.get("issuer"), metadata.get("jwks_uri")
            if not (isinstance(issuer, str) and isinstance(jwks_uri, str)):
                continue
            # RFC 8414, 3.3: else one tenant could speak for another. Only a final slash, which
            # people leave out of settings, makes no difference.
            if issuer.rstrip("/") == self.issuer.rstrip("/") and is_safe(jwks_uri):
                self.issuer, self._jwks_uri = issuer, jwks_uri
                return
        log.warning("the metadata of GEMINI_MCP_OAUTH_ISSUER cannot be read")


def metadata_urls(issuer: str) -> list[str]:
    """Where an issuer's metadata may be, in the order in which the MCP specification asks."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    urls = [f"{origin}/.well-known/{name}{path}" for name in _DOCUMENTS]
    return [*urls, f"{origin}{path}/.well-known/openid-configuration"] if path else urls


_DOCUMENTS = ("oauth-authorization-server", "openid-configuration")


def is_safe(url: str) -> bool:
    """https, or plain http within this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == _KEY_TYPE[algorithm[:2]]
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
    )


async def fetch_json(url: str) -> Mapping[str, Any] | None:
    """A JSON object over HTTP: bounded in time and size, no redirects."""
    import httpx2  # 100 ms, which no start waits for

    body = bytearray()
    try:
        with anyio.fail_after(FETCH_SECONDS):
            async with (
                httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False) as client,
                client.stream("GET", url, headers={"accept": "application/json"}) as answer,
            ):
                if answer.status_code != 200:
                    return None
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        return None
        document = json.loads(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
