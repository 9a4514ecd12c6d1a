"""What signing in needs to know of the server it is for."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from ......domain.oauth_grants import OAuthGrants

ACCESS_SECONDS = 3600
REFRESH_SECONDS = 30 * 86_400
CODE_SECONDS = 120


class GatewayTokens(Protocol):
    """The tokens file: who came in with a token, and whether that token still holds."""

    def principal(self, token: bytes) -> tuple[str, str] | None:
        """Owner and credential; the credential names the token without giving it away."""

    def holder(self, credential: str) -> str | None:
        """The owner whose token a credential stands for, None once it was removed."""


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """`issuer` is the public address of this server; `resource` that of its MCP endpoint."""

    issuer: str
    resource: str
    scopes: tuple[str, ...]
    tokens: GatewayTokens
    oauth_grants: Callable[[], Awaitable[OAuthGrants]]
    now: Callable[[], float]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_https(self) -> bool:
        return self.issuer.startswith("https:")

    def is_for_us(self, resource: str) -> bool:
        """Whether a resource indicator names this server; clients differ in a final slash, and
        some name the server rather than its endpoint."""
        ours = (self.resource, self.issuer)
        return resource.rstrip("/") in ours

    def granted(self, asked: str) -> tuple[str, ...]:
        """The scopes somebody gets: those asked for that there are here; all, if none was."""
        wanted = asked.split() or self.scopes
        return tuple(each for each in self.scopes if each in wanted)


def new_secret(kind: str) -> str:
    """A token of 256 bits; its prefix lets scanners of repositories recognise it."""
    return f"gim_{kind}_{secrets.token_urlsafe(32)}"


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
