"""Own sign-in: an OAuth authorization server for people who have a gateway token and no
identity provider."""

from __future__ import annotations

from urllib.parse import urlsplit

from mcp.server.auth.provider import AccessToken
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...client_address import ClientAddresses
from ..protected_resource_metadata import CACHED, Handler, readable_by_pages
from .authorize import AuthorizationEndpoint
from .client_documents import ClientDocuments
from .consent import ConsentSigner
from .registration import RegistrationEndpoint
from .settings import GatewayTokens, SignInSettings, hashed
from .token import RevocationEndpoint, TokenEndpoint, owner_of

__all__ = ["GatewayTokens", "SignIn", "SignInSettings"]

WELL_KNOWN = "/.well-known/oauth-authorization-server"


class SignIn:
    """The endpoints, and the SDK's `TokenVerifier` for what they gave out."""

    def __init__(
        self,
        settings: SignInSettings,
        key: bytes,
        addresses: ClientAddresses,
        documents: ClientDocuments | None = None,
    ) -> None:
        self._settings = settings
        self._authorize = AuthorizationEndpoint(
            settings, ConsentSigner(key), documents or ClientDocuments(), addresses
        )
        self._register = RegistrationEndpoint(settings, addresses)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose access token this is, while it holds and what it was granted with does."""
        if len(token) > 200:
            return None
        access = await self._settings.oauth_grants()
        found = await access.token(hashed(token), "access")
        if found is None:
            return None
        kept, grant = found
        owner = owner_of(self._settings, grant)
        if owner is None or kept.expires <= self._settings.now():
            return None
        if grant.resource != self._settings.resource:
            return None
        return AccessToken(
            token="",  # it goes no further
            client_id=owner,
            scopes=kept.data.split(),
            expires_at=int(kept.expires),
            resource=grant.resource,
            claims={"credential": grant.credential, "grant": grant.id},
        )

    async def living(self, grants: frozenset[str]) -> frozenset[str]:
        """Those of some grants that nobody has revoked."""
        access = await self._settings.oauth_grants()
        return await access.living(sorted(grants))

    def routes(self) -> list[Route]:
        issuer = self._settings.issuer
        path = urlsplit(issuer).path
        documents = dict.fromkeys((WELL_KNOWN, WELL_KNOWN + path))
        return [
            *(
                Route(each, readable_by_pages(self._metadata, "GET"), methods=["GET", "OPTIONS"])
                for each in documents
            ),
            # Not readable by pages: a browser is sent there.
            Route("/authorize", self._authorize_page, methods=["GET", "POST"]),
            _posted("/token", TokenEndpoint(self._settings)),
            _posted("/register", self._register),
            _posted("/revoke", RevocationEndpoint(self._settings)),
        ]

    async def _authorize_page(self, request: Request) -> Response:
        return await self._authorize(request)

    async def _metadata(self, _request: Request) -> Response:
        """RFC 8414."""
        issuer = self._settings.issuer
        document = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "registration_endpoint": f"{issuer}/register",
            "revocation_endpoint": f"{issuer}/revoke",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": True,
            "authorization_response_iss_parameter_supported": True,
            **({"scopes_supported": [*self._settings.scopes]} if self._settings.scopes else {}),
        }
        return JSONResponse(document, headers=CACHED)


def _posted(path: str, endpoint: Handler) -> Route:
    # As a function: an object that can be called is an application to starlette.
    async def serve(request: Request) -> Response:
        return await endpoint(request)

    return Route(path, readable_by_pages(serve, "POST"), methods=["POST", "OPTIONS"])
