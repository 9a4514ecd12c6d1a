"""The ways to authenticate that the settings choose, with the routes that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcp.server.auth.provider import TokenVerifier
from starlette.routing import Route

from .....app import App
from .....components import signing_key
from .....config.setting_table import BadSetting
from .....config.settings import Config
from ..client_address import ClientAddresses
from . import protected_resource_metadata
from .authenticator import Authenticator, Living
from .token_file import Tokens


@dataclass(frozen=True, slots=True)
class Authentication:
    """What checks tokens, and the routes that are open to whoever has none yet."""

    authenticator: Authenticator
    routes: Sequence[Route] = ()


def check(config: Config) -> None:
    """Refuses settings that contradict each other."""
    if config.oauth_builtin and config.oauth_issuer:
        raise BadSetting(
            "GEMINI_MCP_OAUTH_BUILTIN and GEMINI_MCP_OAUTH_ISSUER exclude each other: leave "
            "signing in to the identity provider, or do it here."
        )
    if config.oauth_builtin and config.tokens_file is None:
        raise BadSetting(
            "GEMINI_MCP_OAUTH_BUILTIN needs a file of gateway tokens, with which people show who "
            "they are: name one in GEMINI_MCP_TOKENS_FILE (--tokens-file)."
        )


def authentication(
    app: App, base: str, tokens: Tokens | None, addresses: ClientAddresses
) -> Authentication:
    """`base` is the public address of this server."""
    config, resource = app.config, f"{base}/mcp"
    verifier: TokenVerifier
    living: Living | None = None
    if config.oauth_issuer:
        from .issuer_keys import IssuerKeys, fetch_json
        from .jwt_verifier import JwtVerifier

        issuer = config.oauth_issuer
        verifier = JwtVerifier(
            IssuerKeys(issuer, fetch_json, app.now),
            audience=config.oauth_audience or resource,
            owner_claim=config.oauth_owner_claim,
            now=app.now,
        )
        routes: list[Route] = []
    elif config.oauth_builtin and tokens is not None:
        from .sign_in import SignIn, SignInSettings

        issuer = base
        sign_in = SignIn(
            SignInSettings(base, resource, config.oauth_scopes, tokens, app.oauth_grants, app.now),
            signing_key(config),
            addresses,
        )
        verifier, routes, living = sign_in, sign_in.routes(), sign_in.living
    else:
        return Authentication(Authenticator(tokens))
    metadata_url = protected_resource_metadata.metadata_url(resource)
    return Authentication(
        Authenticator(
            tokens,
            verifier,
            scopes=config.oauth_scopes,
            metadata_url=metadata_url,
            living=living,
        ),
        [*protected_resource_metadata.routes(resource, issuer, config.oauth_scopes), *routes],
    )
