"""Authentication: the ways to show who one is, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

from .issuer_keys import IssuerUnreachable
from .token_file import Tokens

GRANT = "g_"
"""What the ids of grants begin with; credentials have no such letters."""

Living = Callable[[frozenset[str]], Awaitable[frozenset[str]]]
"""Those of some grants that nobody has revoked."""


class Authenticator:
    """Whose request it is, or the answer that says what is missing.

    `metadata_url` is where clients learn how to sign in, "" where they cannot.
    """

    def __init__(
        self,
        tokens: Tokens | None,
        verifier: TokenVerifier | None = None,
        *,
        scopes: Sequence[str] = (),
        metadata_url: str = "",
        living: Living | None = None,
    ) -> None:
        self._tokens = tokens
        self._verifier = verifier
        self._scopes = scopes
        self._metadata_url = metadata_url
        self._living = living

    async def user(self, headers: Headers) -> AuthenticatedUser | Response:
        token = bearer(headers)
        if not token:
            return self._challenge(
                HTTPStatus.UNAUTHORIZED, "A token is needed: Authorization: Bearer TOKEN."
            )
        if self._tokens is not None and (known := self._tokens.principal(token)):
            # A gateway token is the owner's own: it is limited by nothing.
            owner, credential = known
            return user(owner, credential)
        try:
            found = await self._verified(token)
        except IssuerUnreachable:
            return PlainTextResponse(
                "The sign-in service cannot be reached; try again in a minute.\n",
                HTTPStatus.SERVICE_UNAVAILABLE,
                {"connection": "close", "retry-after": "60"},
            )
        if found is None:
            return self._challenge(
                HTTPStatus.UNAUTHORIZED, "That token is not known here.", "invalid_token"
            )
        if missing := [each for each in self._scopes if each not in found.scopes]:
            return self._challenge(
                HTTPStatus.FORBIDDEN,
                f"The token lacks the scope {' '.join(missing)}.",
                "insufficient_scope",
            )
        return AuthenticatedUser(found)

    async def _verified(self, token: bytes) -> AccessToken | None:
        if self._verifier is None:
            return None
        try:
            return await self._verifier.verify_token(token.decode("ascii"))
        except UnicodeDecodeError:
            return None

    async def gone(self, rights: frozenset[str]) -> frozenset[str]:
        """Those of what requests came in with that hold no longer."""
        grants = frozenset(each for each in rights if each.startswith(GRANT))
        gone = {each for each in rights - grants if self.holder(each) is None}
        if grants and self._living is not None:
            gone |= grants - await self._living(grants)
        return frozenset(gone)

    def holder(self, credential: str) -> str | None:
        return self._tokens.holder(credential) if self._tokens is not None else None

    def _challenge(self, status: HTTPStatus, words: str, error: str = "") -> Response:
        """RFC 6750, with where to sign in (RFC 9728) and all that is needed there."""
        parts = ['realm="gemini"']
        if error:
            parts.append(f'error="{error}"')
        if self._metadata_url:
            parts.append(f'resource_metadata="{self._metadata_url}"')
            if self._scopes:
                parts.append(f'scope="{" ".join(self._scopes)}"')
        return PlainTextResponse(
            f"{words}\n",
            status,
            {"connection": "close", "www-authenticate": f"Bearer {', '.join(parts)}"},
        )


def user(owner: str, credential: str = "") -> AuthenticatedUser:
    """Who comes in; the SDK binds a legacy session to them. The token itself goes no further."""
    claims = {"credential": credential} if credential else None
    return AuthenticatedUser(AccessToken(token="", client_id=owner, scopes=[], claims=claims))


def rights_of(user: AuthenticatedUser) -> tuple[str, ...]:
    """What a user came in with that can be removed: a gateway token, and a grant made with it."""
    claims = user.access_token.claims or {}
    return tuple(str(claims[name]) for name in ("credential", "grant") if name in claims)


def bearer(headers: Headers) -> bytes:
    """The token of the one Authorization header, or nothing."""
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
