"""Access tokens of a company's identity provider: JWTs, checked against the issuer's keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mcp.server.auth.provider import AccessToken

from .issuer_keys import ALGORITHMS, IssuerKeys

log = logging.getLogger(__name__)

LONGEST = 16 * 1024
"""Characters that a token may have."""
LONGEST_CLAIM = 500
LEEWAY = 10.0
"""Seconds that the issuer's clock and ours may differ by."""


class JwtVerifier:
    """The SDK's `TokenVerifier` for JWTs. The owner is the issuer and one claim, with a space
    between them: no owner in a file of tokens has one."""

    def __init__(
        self, keys: IssuerKeys, *, audience: str, owner_claim: str, now: Callable[[], float]
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._owner_claim = owner_claim
        self._now = now

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token this is; None for one that does not hold here, whatever the reason.

        Raises `IssuerUnreachable` where the issuer's keys were never read.
        """
        if len(token) > LONGEST or token.count(".") != 2:
            return None
        claims = await self._claims(token)
        if claims is None:
            return None
        owner = self._owner(claims)
        if not owner:
            log.info("an access token was refused: it names no owner")
            return None
        return AccessToken(
            token="",  # it goes no further
            client_id=owner,
            scopes=scopes_of(claims),
            expires_at=int(claims["exp"]),
        )

    async def _claims(self, token: str) -> Mapping[str, Any] | None:
        import jwt  # cryptography behind it takes 30 ms

        try:
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if algorithm not in ALGORITHMS:
                log.info("an access token was refused: its algorithm is not accepted")
                return None
            key = await self._keys.find(key_id if isinstance(key_id, str) else None, algorithm)
            if key is None:
                log.info("an access token was refused: the issuer has no such key")
                return None
            claims: Mapping[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(dict(key), algorithm).key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._keys.issuer,
                options={
                    "require": ["exp", "iss", "aud"],
                    # Against our own clock, below.
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    # An identity provider may have subjects of another kind; ours is the
                    # owner's claim, checked on its own.
                    "verify_sub": False,
                    "verify_jti": False,
                    "enforce_minimum_key_length": True,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError) as error:
            # The kind of error, not its words: they quote what was sent.
            log.info("an access token was refused: %s", type(error).__name__)
            return None
        return claims if self._is_current(claims) else None

    def _is_current(self, claims: Mapping[str, Any]) -> bool:
        ends, begins, now = claims["exp"], claims.get("nbf", 0), self._now()
        for moment in (ends, begins):
            if isinstance(moment, bool) or not isinstance(moment, int | float):
                log.info("an access token was refused: its times are no numbers")
                return False
        if not begins - LEEWAY <= now < ends + LEEWAY:
            log.info("an access token was refused: it does not hold at this time")
            return False
        return True

    def _owner(self, claims: Mapping[str, Any]) -> str:
        value = claims.get(self._owner_claim)
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_CLAIM:
            return ""
        if not value.isprintable():
            return ""
        # An address nobody verified may be somebody else's. Some providers write the word.
        if self._owner_claim == "email" and claims.get("email_verified") not in (True, "true"):
            return ""
        return f"{self._keys.issuer} {value}"


def scopes_of(claims: Mapping[str, Any]) -> list[str]:
    """`scope` as RFC 9068 has it, or `scp` as Microsoft and Okta do; a string or a list."""
    given = claims.get("scope", claims.get("scp"))
    if isinstance(given, str):
        return given.split()
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
