"""Client-id metadata documents: fetched from addresses that strangers name, within bounds.

https only; the name is resolved once and that address connected to, which must be a public
one; no redirects, no proxy; at most 5 KB and 3 seconds; the document must name its own address.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio

from .clients import BadClient, OAuthClient, is_address

LARGEST = 5 * 1024
SECONDS = 3.0
DAY = 86_400.0

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Numeric addresses of a host name."""

UNREADABLE = BadClient(
    "invalid_client_metadata", "The document at the client's address cannot be read."
)


@dataclass(frozen=True, slots=True)
class Document:
    client: OAuthClient
    seconds: float
    """How long it may be kept."""


class ClientDocuments:
    """Fetches documents. Tests hand in where names lead and which certificates are believed."""

    def __init__(
        self,
        resolve: Resolve | None = None,
        verify: ssl.SSLContext | None = None,
        is_allowed: Callable[[str], bool] | None = None,
    ) -> None:
        self._resolve = resolve or _resolve
        self._verify = verify
        self._is_allowed = is_allowed or is_public

    async def fetch(self, client_id: str) -> Document:
        """The client at an address; raises `BadClient`, whose words say nothing of the network."""
        if not is_address(client_id):
            raise UNREADABLE
        try:
            with anyio.fail_after(SECONDS):
                body, seconds = await self._body(client_id)
        except (TimeoutError, OSError, UnicodeError):
            raise UNREADABLE from None
        return Document(read_document(client_id, body), seconds)

    async def _body(self, url: str) -> tuple[bytes, float]:
        import httpx2  # 100 ms, which no start waits for

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        numbers = await self._resolve(host, port)
        # All of them: one that is private says that the name is meant for inside.
        if not numbers or not all(self._is_allowed(number) for number in numbers):
            raise UNREADABLE
        number = f"[{numbers[0]}]" if ":" in numbers[0] else numbers[0]
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        body = bytearray()
        try:
            async with (
                httpx2.AsyncClient(
                    verify=self._verify or True,
                    timeout=SECONDS,
                    follow_redirects=False,
                    trust_env=False,
                ) as http,
                http.stream(
                    "GET",
                    f"https://{number}:{port}{path}",
                    headers={
                        "host": parts.netloc,
                        "accept": "application/json",
                        # What is small when sent could be huge when unpacked.
                        "accept-encoding": "identity",
                    },
                    extensions={"sni_hostname": host},
                ) as answer,
            ):
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                is_json = kind == "application/json" or kind.endswith("+json")
                if answer.status_code != 200 or not is_json:
                    raise UNREADABLE
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(body) > LARGEST:
                        raise UNREADABLE
                return bytes(body), _fresh(answer.headers.get("cache-control", ""))
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise UNREADABLE from None


def read_document(client_id: str, body: bytes) -> OAuthClient:
    """A client from its document; raises `BadClient`."""
    try:
        metadata: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise UNREADABLE from None
    if not isinstance(metadata, Mapping) or metadata.get("client_id") != client_id:
        raise BadClient(
            "invalid_client_metadata", "The document at the client's address is not its own."
        )
    if metadata.get("token_endpoint_auth_method", "none") != "none" or "client_secret" in metadata:
        raise BadClient("invalid_client_metadata", "token_endpoint_auth_method must be none here.")
    return OAuthClient.of(client_id, metadata)


def is_public(number: str) -> bool:
    """Whether an address is one on the public internet."""
    try:
        address = ipaddress.ip_address(number)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        # Each of these leads on to an IPv4 address that stands inside it.
        if any(address in network for network in _TRANSLATED) or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


_TRANSLATED = [
    ipaddress.IPv6Network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96")
]


def _fresh(cache_control: str) -> float:
    """How long an answer may be kept: as it says, a day at most."""
    words = cache_control.lower()
    if "no-store" in words or "no-cache" in words:
        return 0.0
    told = re.search(r"max-age=(\d{1,9})", words)
    return min(DAY, float(told[1])) if told else DAY


async def _resolve(host: str, port: int) -> list[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]
