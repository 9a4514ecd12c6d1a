"""Files made here over HTTP: whoever has a signed link to one may fetch it, until that runs out."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .....app import App
from .....domain.artifact import BY_PREFIX, FILE_KINDS, ArtifactKind
from .....domain.errors import Refused
from .....domain.ids import read_id
from ..connection_limits import let_in
from .signed_url_access import SignedUrlAccess

log = logging.getLogger(__name__)

PIECE = 256 * 1024
_SHOWN = ("image/", "audio/", "video/")

SAFETY = {
    # For the browser that asked alone: what lies between us and it keeps no copy.
    "cache-control": "private, max-age=3600",
    # A picture is shown as what we say it is, and nothing in it runs.
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    # The link is a right: it is not told to other places.
    "referrer-policy": "no-referrer",
}


class ArtifactRoute:
    """Gives out links, and answers them. A link that is wrong, over, another
    image's or of a token that was removed reads exactly like one to nothing."""

    def __init__(self, app: App, addresses: SignedUrlAccess) -> None:
        self._app = app
        self._addresses = addresses
        self.routes = [
            Route(f"/{kind.listed}/{{file_id}}/{{ticket}}", self._serve) for kind in FILE_KINDS
        ]

    def link(self, owner: str, file_id: str, credential: str = "") -> str:
        """`credential` is what the owner came in with: the link ends with it."""
        folder = BY_PREFIX[file_id[0]].listed
        return self._addresses.address(folder, file_id, file_id, owner, credential)

    async def _serve(self, request: Request) -> Response:
        file_id = request.path_params["file_id"]
        ticket = request.path_params["ticket"]
        owner = self._addresses.owner(file_id, ticket)
        if owner is None:
            return _nothing()
        let_in(request.scope)  # a link is a right, as a token is
        try:
            repository = (await self._app.bridge()).artifacts
            kind = read_id(file_id).kind
            if not isinstance(kind, ArtifactKind):
                return _nothing()
            made = await repository.find(owner, file_id, kind)
        except Refused:
            return _nothing()
        file = await repository.open(made)
        if file is None:
            return _nothing()
        name = os.path.basename(str(made.facts["path"]))
        mime_type = str(made.facts.get("mime_type", ""))
        # Pictures are looked at; what plays may hold anything, and is a download.
        is_shown = mime_type.startswith(_SHOWN) and kind is not ArtifactKind.AGENT_FILE
        how = "inline" if kind is ArtifactKind.IMAGE else "attachment"
        return StreamingResponse(
            _pieces(file),
            media_type=mime_type if is_shown else "application/octet-stream",
            headers={
                **SAFETY,
                "content-length": str(os.fstat(file.fileno()).st_size),
                "content-disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
            },
        )


def _nothing() -> Response:
    return PlainTextResponse("There is nothing here.\n", 404, {"cache-control": "no-store"})


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await anyio.to_thread.run_sync(file.read, PIECE):
            yield piece
