"""Protected resource metadata (RFC 9728): where clients learn who signs people in here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp

WELL_KNOWN = "/.well-known/oauth-protected-resource"

CACHED = {"cache-control": "public, max-age=3600"}


def metadata_url(resource: str) -> str:
    """Where the metadata of a resource is: the well-known path goes before the resource's own."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path}"


def routes(resource: str, issuer: str, scopes: Sequence[str]) -> list[Route]:
    """The document, in both forms: clients ask for the one with the resource's path first."""
    document = {
        "resource": resource,
        "authorization_servers": [issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "Gemini",
        **({"scopes_supported": [*scopes]} if scopes else {}),
    }

    async def serve(_request: Request) -> Response:
        return JSONResponse(document, headers=CACHED)

    # A proxy in front may take the public URL's own path off, or leave it on.
    paths = dict.fromkeys((WELL_KNOWN, f"{WELL_KNOWN}/mcp", WELL_KNOWN + urlsplit(resource).path))
    return [
        Route(path, readable_by_pages(serve, "GET"), methods=["GET", "OPTIONS"]) for path in paths
    ]


Handler = Callable[[Request], Awaitable[Response]]


def readable_by_pages(handler: Handler, *methods: str) -> ASGIApp:
    """Clients that run in a browser ask from any origin; nothing here depends on who asks."""
    return CORSMiddleware(
        request_response(handler),
        allow_origins=["*"],
        allow_methods=[*methods, "OPTIONS"],
        allow_headers=["*"],
        max_age=3600,
    )
