"""Redirect URIs: where an answer may be sent back to, and whether one is of a client's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlencode, urlsplit

LONGEST = 2000

_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_OTHER_SCHEMES = frozenset(
    # Schemes that name no app of somebody's own: a browser runs, shows or sends what they hold.
    [
        *("about", "blob", "chrome", "chrome-extension", "content", "data", "edge", "file"),
        *("filesystem", "ftp", "ftps", "gopher", "http", "https", "intent", "javascript", "jar"),
        *("ldap", "mailto", "mms", "moz-extension", "ms-appinstaller", "ms-msdt", "news", "nntp"),
        *("resource", "search-ms", "shell", "sms", "ssh", "steam", "tel", "telnet", "urn"),
        *("vbscript", "view-source", "wais", "webcal", "ws", "wss"),
    ]
)


def is_acceptable(uri: str) -> bool:
    """https, http on a loopback address, or a private-use scheme (RFC 8252); no fragment."""
    parts = _split(uri)
    if parts is None:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return parts.hostname in _LOOPBACK
    return parts.scheme not in _OTHER_SCHEMES and len(parts.scheme) > 1


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Exactly one of them; on a loopback address under http any port is the same one."""
    return any(uri == each or _without_port(uri) == _without_port(each) for each in registered)


def _without_port(uri: str) -> str | SplitResult:
    """A loopback URI without its port, every other one as it is."""
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        return uri
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts._replace(netloc=host)


def _split(uri: str) -> SplitResult | None:
    # What a browser and Python read differently is refused: spaces, controls, backslashes.
    if len(uri) > LONGEST or not re.fullmatch(r"[!#-;=?-\[\]_a-z~%]+", uri) or "#" in uri:
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) or "@" in parts.netloc:
        return None
    return parts


def with_answer(uri: str, **answer: str) -> str:
    """The redirect URI with the answer's parameters; its own query stays as it is."""
    query = urlencode({name: value for name, value in answer.items() if value})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def destination(uri: str) -> str:
    """Where it leads, in words for people."""
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return parts.netloc
    if parts.scheme == "http":
        return f"a program on this computer ({parts.netloc})"
    return f"the app that opens {parts.scheme}: links"


def form_action(uri: str) -> str:
    """What a page's policy must allow, so that a form may end there: its origin or scheme."""
    parts = urlsplit(uri)
    return (
        f"{parts.scheme}://{parts.netloc}"
        if parts.scheme in ("http", "https")
        else (f"{parts.scheme}:")
    )
