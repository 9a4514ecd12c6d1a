"""The token endpoint (RFC 6749): codes and refresh tokens are exchanged, each of them once.

And revocation (RFC 7009). All clients are public: what proves a client is the code verifier,
or the refresh token itself, which changes with every use.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ......domain.oauth_grants import Grant, Token, TokenKind
from .settings import ACCESS_SECONDS, REFRESH_SECONDS, SignInSettings, hashed, new_secret

log = logging.getLogger(__name__)

LARGEST_FORM = 16 * 1024

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_NOT_KEPT = {"cache-control": "no-store", "pragma": "no-cache"}


class _Refused(Exception):
    """An error of RFC 6749, 5.2."""

    def __init__(self, error: str, words: str) -> None:
        super().__init__(words)
        self.error = error
        self.words = words


_DEAD = "This is unknown, has run out, or was used before."


class TokenEndpoint:
    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings

    async def __call__(self, request: Request) -> Response:
        try:
            form = await _form(request)
            kind: TokenKind
            match form.get("grant_type"):
                case "authorization_code":
                    kind, secret = "code", form.get("code", "")
                case "refresh_token":
                    kind, secret = "refresh", form.get("refresh_token", "")
                case _:
                    raise _Refused(
                        "unsupported_grant_type",
                        "grant_type must be authorization_code or refresh_token.",
                    )
            return JSONResponse(await self._exchanged(kind, secret, form), headers=_NOT_KEPT)
        except _Refused as refused:
            return JSONResponse(
                {"error": refused.error, "error_description": refused.words},
                400,
                headers=_NOT_KEPT,
            )

    async def _exchanged(
        self, kind: TokenKind, secret: str, form: Mapping[str, str]
    ) -> Mapping[str, str | int]:
        access, now = await self._settings.oauth_grants(), self._settings.now()
        found = await access.token(hashed(secret), kind)
        if found is None:
            raise _Refused("invalid_grant", _DEAD)
        token, grant = found
        self._check(token, grant, form, now)
        scopes = self._scopes(grant, form) if kind == "refresh" else grant.scopes
        new, answer = _issued(grant, scopes, now)
        # A replay also comes to here, since what was exchanged is kept: it ends the grant.
        match await access.exchange(token.hash, kind, new, now):
            case "done":
                await access.tidy(now)
                return answer
            case "reused":
                log.warning("a %s was used twice: access %s was ended", _WORDS[kind], grant.id)
        raise _Refused("invalid_grant", _DEAD)

    def _check(self, token: Token, grant: Grant, form: Mapping[str, str], now: float) -> None:
        """Refuses whoever is not the client it was given to, and what has run out."""
        if form.get("client_id") != grant.client_id or token.expires < now:
            raise _Refused("invalid_grant", _DEAD)
        resource = form.get("resource", "")
        if resource and not self._settings.is_for_us(resource):
            raise _Refused("invalid_target", "resource is not this server.")
        if owner_of(self._settings, grant) is None:
            raise _Refused("invalid_grant", "The gateway token it was granted with was removed.")
        if token.kind == "code":
            told = json.loads(token.data)
            if form.get("redirect_uri", told["redirect_uri"]) != told["redirect_uri"]:
                raise _Refused("invalid_grant", "redirect_uri is not the one of the request.")
            if not _verifies(form.get("code_verifier", ""), told["challenge"]):
                raise _Refused("invalid_grant", "code_verifier is wrong.")

    def _scopes(self, grant: Grant, form: Mapping[str, str]) -> str:
        """A refresh may ask for less, never for more."""
        asked, granted = form.get("scope", "").split(), grant.scopes.split()
        if not set(asked) <= {*granted, "offline_access"}:
            raise _Refused("invalid_scope", "scope is more than was granted.")
        return " ".join(each for each in granted if not asked or each in asked)


class RevocationEndpoint:
    """Ends a grant by one of its tokens; says yes to unknown ones too, as RFC 7009 has it."""

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings

    async def __call__(self, request: Request) -> Response:
        try:
            form = await _form(request)
        except _Refused as refused:
            return JSONResponse({"error": refused.error}, 400, headers=_NOT_KEPT)
        access, hash = await self._settings.oauth_grants(), hashed(form.get("token", ""))
        kinds: tuple[TokenKind, ...] = ("access", "refresh")
        for kind in kinds:
            found = await access.token(hash, kind)
            if found and form.get("client_id", found[1].client_id) == found[1].client_id:
                await access.revoke(found[1].id)
        return Response(headers=_NOT_KEPT)


def owner_of(settings: SignInSettings, grant: Grant) -> str | None:
    """Whose grant this is while the gateway token it was granted with holds."""
    owner = settings.tokens.holder(grant.credential)
    return owner if owner == grant.owner else None


async def _form(request: Request) -> Mapping[str, str]:
    body = await request.body()
    pairs = parse_qsl(body[:LARGEST_FORM].decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    if len(body) > LARGEST_FORM or len(form) != len(pairs):
        raise _Refused("invalid_request", "Each parameter may be given once.")
    return form


def _issued(grant: Grant, scopes: str, now: float) -> tuple[list[Token], dict[str, str | int]]:
    """A new access and refresh token: as they are kept, and as the client gets them."""
    access, refresh = new_secret("access"), new_secret("refresh")
    kept = [
        Token(hashed(access), "access", grant.id, now + ACCESS_SECONDS, scopes),
        Token(hashed(refresh), "refresh", grant.id, now + REFRESH_SECONDS),
    ]
    answer: dict[str, str | int] = {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": refresh,
        **({"scope": scopes} if scopes else {}),
    }
    return kept, answer


def _verifies(verifier: str, challenge: str) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    computed = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(computed, challenge)


_WORDS: Mapping[TokenKind, str] = {"code": "code", "refresh": "refresh token", "access": "token"}
