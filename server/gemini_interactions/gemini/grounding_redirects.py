"""Redirects: where the source links of Google's search answers really lead.

Google hands out links to itself that redirect to the page. Each is asked for once, at
Google's redirect host and nowhere else: where it leads is read, and not followed.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

if TYPE_CHECKING:
    import httpx2

HOST = "vertexaisearch.cloud.google.com"
_PATH = re.compile(r"/grounding-api-redirect/[\w=%~-]+", re.ASCII)

SECONDS = 2.0
"""How long all links of one answer may take together."""
AT_ONCE = 8
MOST = 100
"""How many links of one answer are asked for; the rest stay unresolved."""
REMEMBERED = 2000
LONGEST = 2000
"""Characters a target may have: what is longer is no source anybody can read."""

_NOT_IN_THE_WEB = frozenset({"localhost", "local", "internal", "invalid", "test", "onion", "lan"})
_TOP = re.compile(r"[a-z][a-z0-9-]+")

log = logging.getLogger(__name__)


class RedirectResolver:
    """Looks up links, remembers where they lead; `transport` is for tests."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._opening = anyio.Lock()
        self._known: OrderedDict[str, str] = OrderedDict()

    async def resolve(self, urls: Sequence[str]) -> Mapping[str, str]:
        """Each link's target, or "" where that could not be found out in time."""
        paths = {url: _path(url) for url in urls}
        found = {path: self._recall(path) for path in paths.values()}
        unknown = [path for path, target in found.items() if path and target is None]
        if unknown:
            with anyio.move_on_after(SECONDS):
                await self._look_up(unknown[:MOST], found)
        return {url: found[path] or "" for url, path in paths.items()}

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _recall(self, path: str) -> str | None:
        if path in self._known:
            self._known.move_to_end(path)
        return self._known.get(path)

    async def _look_up(self, paths: Sequence[str], found: dict[str, str | None]) -> None:
        client = await self._opened()
        places = anyio.CapacityLimiter(AT_ONCE)

        async def look(path: str) -> None:
            async with places:
                target = await _asked(client, path)
            if target is not None:
                found[path] = self._known[path] = target
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)

        async with anyio.create_task_group() as tasks:
            for path in paths:
                tasks.start_soon(look, path)

    async def _opened(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._client is None:
                # In a thread: loading the certificates takes 40 ms.
                self._client = await anyio.to_thread.run_sync(_client, self._transport)
            return self._client


def _client(transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
    # Both have come with google-genai by the time there is an answer.
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx2

    from gemini_interactions.gemini import network_settings

    return httpx2.AsyncClient(
        transport=transport,
        verify=network_settings.extra_authorities(os.environ) or True,
        follow_redirects=False,
        timeout=SECONDS,
        limits=httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
        # Google would set some to recognise us by.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


async def _asked(client: httpx2.AsyncClient, path: str) -> str | None:
    """The target, "" where there is none to show, None where Google could not be asked."""
    import httpx2

    try:
        answer = await client.head(f"https://{HOST}{path}")
    except httpx2.HTTPError:
        log.debug("a source link could not be resolved")
        return None
    if answer.status_code >= 500 or answer.status_code == 429:
        return None
    return _shown(answer.headers.get("location", "")) if answer.is_redirect else ""


def _path(url: str) -> str:
    """The path of one of Google's redirects; "" for any other URL."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    is_googles = (
        parts.scheme.lower() in ("http", "https")
        and (parts.hostname or "").lower() == HOST
        and port in (None, 80, 443)
        and not parts.username
        and _PATH.fullmatch(parts.path)
    )
    return parts.path if is_googles else ""


def _shown(target: str) -> str:
    """A target fit to be shown as a source: a page in the public web."""
    if not 0 < len(target) <= LONGEST or any(each.isspace() for each in target):
        return ""
    try:
        parts = urlsplit(target)
        host = (parts.hostname or "").lower().rstrip(".")
        _ = parts.port  # raises where it is none
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or parts.username is not None:
        return ""
    if host == HOST or not target.isprintable() or not _is_public(host):
        return ""
    return target


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # Browsers read names that end in a number, such as 127.1, as addresses.
        name, _, top = host.rpartition(".")
        return bool(name and _TOP.fullmatch(top)) and top not in _NOT_IN_THE_WEB
