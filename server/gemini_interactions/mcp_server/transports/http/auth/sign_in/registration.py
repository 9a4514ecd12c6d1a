"""Dynamic client registration (RFC 7591), which strangers may use: bounded in number and time."""

from __future__ import annotations

import json
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ......domain.oauth_grants import Client
from ...client_address import ClientAddresses
from .clients import BadClient, OAuthClient, stored
from .settings import SignInSettings

PER_HOUR = 20
"""Registrations an hour from one address."""
MOST_UNUSED = 10_000
LARGEST = 16 * 1024

_NOT_KEPT = {"cache-control": "no-store", "pragma": "no-cache"}


class RegistrationEndpoint:
    def __init__(self, settings: SignInSettings, addresses: ClientAddresses) -> None:
        self._settings = settings
        self._addresses = addresses

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        try:
            if len(body) > LARGEST:
                raise BadClient("invalid_client_metadata", f"At most {LARGEST:,} bytes.")
            client = _client(body)
        except BadClient as bad:
            return _refusal(400, bad.code, bad.words)
        access, now = await self._settings.oauth_grants(), self._settings.now()
        who, hour = self._addresses.of(request.scope), int(now // 3600)
        if await access.count("registration", who, hour) > PER_HOUR:
            return _refusal(
                429,
                "temporarily_unavailable",
                "Too many registrations from your address; try again in an hour.",
                int((hour + 1) * 3600 - now) + 1,
            )
        if not await access.add_client(Client(client.id, stored(client), now), MOST_UNUSED):
            return _refusal(
                503, "temporarily_unavailable", "Too many apps are registered and unused.", 3600
            )
        return JSONResponse(
            {
                "client_id": client.id,
                "client_id_issued_at": int(now),
                "client_name": client.name,
                "redirect_uris": [*client.redirect_uris],
                # Whatever was asked for: RFC 7591, 3.2.1 lets a server say what it does instead.
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                **({"scope": " ".join(self._settings.scopes)} if self._settings.scopes else {}),
            },
            201,
            headers=_NOT_KEPT,
        )


def _client(body: bytes) -> OAuthClient:
    try:
        metadata = json.loads(body)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise BadClient("invalid_client_metadata", "The body must be a JSON object.")
    return OAuthClient.of(f"app_{secrets.token_hex(12)}", metadata)


def _refusal(status: int, error: str, words: str, wait: int = 0) -> Response:
    return JSONResponse(
        {"error": error, "error_description": words},
        status,
        headers={**_NOT_KEPT, **({"retry-after": str(wait)} if wait else {})},
    )
