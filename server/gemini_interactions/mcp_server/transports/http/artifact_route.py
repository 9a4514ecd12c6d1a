"""Pictures over HTTP: whoever has a signed link to one may fetch it, until the link runs out."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from functools import cached_property
from typing import BinaryIO, Protocol
from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ....app import App
from ....components import SIGNING_KEY, links
from ....domain.errors import Refused

log = logging.getLogger(__name__)

PIECE = 256 * 1024

SAFETY = {
    # For the browser that asked alone: what lies between us and it keeps no copy.
    "cache-control": "private, max-age=3600",
    # A picture is shown as what we say it is, and nothing in it runs.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    # The link is a right: it is not told to other places.
    "referrer-policy": "no-referrer",
}


class Links(Protocol):
    """Signs the part of a link that gives the right, and says whose a signed one is."""

    def ticket(self, owner: str, image_id: str, now: float) -> str: ...
    def owner(self, image_id: str, ticket: str, now: float) -> str | None: ...


class ArtifactRoute:
    """Gives out links below `base`, and answers them. A link that is wrong, over or another
    image's reads exactly like one to nothing."""

    def __init__(self, app: App, base: str) -> None:
        self._app = app
        self._base = base
        self.route = Route("/images/{image_id}/{ticket}", self._serve)

    @cached_property
    def _links(self) -> Links:
        return links(self._app.config)

    def check(self) -> None:
        """Raises where the key cannot be used; one of our own is made when it is needed."""
        if self._app.config.is_shared or os.environ.get(SIGNING_KEY):
            _ = self._links

    def link(self, owner: str, image_id: str) -> str:
        ticket = self._links.ticket(owner, image_id, self._app.now())
        return f"{self._base}/images/{image_id}/{ticket}"

    async def _serve(self, request: Request) -> Response:
        image_id = request.path_params["image_id"]
        ticket = request.path_params["ticket"]
        owner = self._links.owner(image_id, ticket, self._app.now())
        if owner is None:
            return _nothing()
        try:
            gallery = (await self._app.bridge()).artifacts
            picture = await gallery.find(owner, image_id)
        except Refused:
            return _nothing()
        file = await gallery.open(picture)
        if file is None:
            return _nothing()
        name = os.path.basename(str(picture.facts["path"]))
        mime_type = str(picture.facts.get("mime_type", ""))
        return StreamingResponse(
            _pieces(file),
            media_type=mime_type if mime_type.startswith("image/") else "application/octet-stream",
            headers={
                **SAFETY,
                "content-length": str(os.fstat(file.fileno()).st_size),
                "content-disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
            },
        )


def _nothing() -> Response:
    return PlainTextResponse("There is nothing here.\n", 404, {"cache-control": "no-store"})


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await anyio.to_thread.run_sync(file.read, PIECE):
            yield piece
