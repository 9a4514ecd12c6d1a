"""Public pages: a view at a signed address, for whoever has that address. They only show."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from .....app import App
from .....bridge.facade import Bridge
from .....bridge.requests import Caller
from .....domain.artifact import ArtifactKind
from .....domain.errors import Refused, UnknownId, UpstreamError
from .....domain.ids import read_id
from .....domain.types import Artifact
from .....tools import app_views
from ....apps.extension import VIEWS, View, public_page
from ..connection_limits import let_in
from .signed_url_access import SignedUrlAccess

FOLDER = "pages"

MOST_PICTURES = 12
"""Pictures and charts shown on one page; each adds a preview of at most 60 KB to it."""
MOST_LOOKED_AT = 1000

_VIEWS = {view.name: view for view in VIEWS}

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",  # the address is a right: it is not told to other places
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}


def _policy(nonce: str) -> str:
    """What a page may do: run its own script. It has no origin, so nothing here trusts it; what is
    opened from it is a window of its own."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            f"style-src 'nonce-{nonce}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox",
        )
    )


class PageRoute:
    """Gives out addresses of pages, and answers them. One that is wrong, over, of something that
    was deleted or of a token that was removed reads exactly like one to nothing."""

    def __init__(self, app: App, addresses: SignedUrlAccess) -> None:
        self._app = app
        self._addresses = addresses
        self.routes = [Route(f"/{FOLDER}/{{id}}/{{ticket}}", self._serve, methods=["GET"])]

    def address(self, owner: str, id: str, credential: str = "") -> str:
        """The page of a research, image or conversation; it ends with `credential`."""
        return self._addresses.address(FOLDER, id, _signed(id), owner, credential)

    async def _serve(self, request: Request) -> Response:
        id, ticket = request.path_params["id"], request.path_params["ticket"]
        owner = self._addresses.owner(_signed(id), ticket)
        if owner is None:
            return _nothing()
        let_in(request.scope)  # the address is a right, as a token is
        try:
            view, data = await _shown(await self._app.bridge(), owner, id)
        except (Refused, UnknownId):
            return _nothing()
        except UpstreamError as problem:
            return PlainTextResponse(f"{problem.message}\n", 503, _HEADERS)
        nonce = secrets.token_urlsafe(16)
        policy = {"content-security-policy": _policy(nonce)}
        return HTMLResponse(public_page(view, data, nonce), headers={**_HEADERS, **policy})


def _signed(id: str) -> str:
    """What the ticket of a page is for; that of a file opens no page, and the other way round."""
    return f"page {id}"


def _nothing() -> Response:
    return PlainTextResponse(
        "There is nothing here: the address is wrong or over, or what it showed was deleted.\n",
        404,
        _HEADERS,
    )


async def _shown(bridge: Bridge, owner: str, id: str) -> tuple[View, dict[str, Any]]:
    """The view of an id and its data; refuses an id that its owner does not have (any more)."""
    match read_id(id).kind:
        case ArtifactKind.RESEARCH:
            return _VIEWS["research"], await _research(bridge, owner, id)
        case ArtifactKind.IMAGE:
            return _VIEWS["gallery"], await _repository(bridge, owner, id)
    turns = await bridge.conversations.turns(Caller(owner=owner), id)
    # What else its owner did on that day is nobody's business.
    return _VIEWS["usage"], {"conversation": app_views.usage(turns)}


async def _research(bridge: Bridge, owner: str, id: str) -> dict[str, Any]:
    status = await bridge.researches.status(Caller(owner=owner), id)
    data = app_views.research(status)
    del data["conversation_id"]
    if data["has_report"]:
        data["report"] = await bridge.researches.report(owner, id)
    return {**data, "previews": await _previews(bridge, status.charts)}


async def _repository(bridge: Bridge, owner: str, id: str) -> dict[str, Any]:
    """The picture and those before it: what is drawn later was not shown to anybody."""
    current, made = await bridge.artifacts.versions(owner, id, MOST_LOOKED_AT)
    versions = [each for each in made if each.handle.n <= current.n][:MOST_PICTURES]
    data = app_views.repository(current, versions, lambda _: "")
    return {**data, "previews": await _previews(bridge, [each.handle for each in versions])}


async def _previews(bridge: Bridge, pictures: Iterable[Artifact]) -> dict[str, str]:
    found = {
        each.id: await bridge.artifacts.preview(each) for each in list(pictures)[:MOST_PICTURES]
    }
    return {id: base64.b64encode(each).decode() for id, each in found.items() if each}
