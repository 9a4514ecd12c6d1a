"""The way to Google as the environment describes it: proxies and certificate authorities.

httpx2 and OpenSSL raise while a client is *built* when one of these variables cannot be used,
and say neither which variable it was nor what to do. So they are looked at before. Values are
never repeated: a proxy's address may hold a password.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from gemini_interactions.domain.errors import BadNetworkSetting

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
BUNDLE = "REQUESTS_CA_BUNDLE"
"""What `requests` reads; many companies set it for everybody, and only it."""

_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"


def check(environ: Mapping[str, str], *, is_secure: bool = True) -> None:
    """Raise `BadNetworkSetting` for the first variable that cannot be used."""
    for trouble in troubles(environ, is_secure=is_secure):
        raise BadNetworkSetting(trouble)


def troubles(environ: Mapping[str, str], *, is_secure: bool = True) -> Iterator[str]:
    """What is wrong with each variable, as the middle of a sentence that begins with its name."""
    for variable in proxy_variables(environ):
        if trouble := _proxy_trouble(environ[variable]):
            yield f"{variable} {trouble}"
    if is_secure:
        for variable in (_FILE, *(() if _has_own(environ) else (BUNDLE,))):
            if trouble := _certificates_trouble(environ.get(variable, "")):
                yield f"{variable} {trouble}"


def proxy_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables that name a proxy in use, as urllib and so httpx2 read them."""
    if "*" in re.split(r"[,\s]+", environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return []
    found = []
    for scheme in ("https", "http", "all"):
        for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            if environ.get(variable, "").strip():
                found.append(variable)
                break
    return found


def extra_authorities(environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """A context that trusts the certificates of `REQUESTS_CA_BUNDLE` besides the usual ones.

    None where it is not set, or where OpenSSL's own variables (which google-genai reads) are.
    """
    bundle = environ.get(BUNDLE, "")
    if not bundle or _has_own(environ):
        return None
    import httpx2

    context = httpx2.create_ssl_context()
    where: dict[str, Any] = {"capath" if os.path.isdir(bundle) else "cafile": bundle}
    context.load_verify_locations(**where)
    return context


def _has_own(environ: Mapping[str, str]) -> bool:
    return bool(environ.get(_FILE) or environ.get(_FOLDER))


def _proxy_trouble(value: str) -> str:
    value = value.strip()
    try:
        address = urlsplit(value if "://" in value else f"http://{value}")
        port, host = address.port, address.hostname
    except ValueError:
        return "does not hold the address of a proxy (its host or port cannot be read)"
    if address.scheme not in PROXY_SCHEMES:
        kind = address.scheme if re.fullmatch(r"[a-z][a-z0-9+.-]{0,11}", address.scheme) else "?"
        return (
            f"names a proxy of a kind that cannot be used ({kind}://); it must begin with "
            f"{', '.join(f'{each}://' for each in PROXY_SCHEMES[:-1])} or {PROXY_SCHEMES[-1]}://"
        )
    if not host or port == 0:
        return "does not hold the address of a proxy (there is no host in it)"
    return ""


def _certificates_trouble(value: str) -> str:
    if not value:
        return ""
    try:
        # No context needs the system's own certificates for this, which take 40 ms to load.
        where: dict[str, Any] = {"capath" if os.path.isdir(value) else "cafile": value}
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**where)
    except FileNotFoundError:
        return "names a file of certificates that is not there"
    except ssl.SSLError:
        return "names a file that holds no certificates (PEM) that can be read"
    except (OSError, ValueError):
        return "names a file of certificates that this user cannot read"
    return ""
