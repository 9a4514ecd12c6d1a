"""Uploads: large files to Google's Files API, in pieces, and ready before they are used."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from io import BufferedIOBase
from typing import Any

import anyio

from gemini_interactions.domain.errors import Garbled, Rejected
from gemini_interactions.domain.types import UploadedFile
from gemini_interactions.gemini import error_mapping

_ADDRESS = re.compile(
    r"(?:https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~-]+)*/)?(files/[a-z0-9][a-z0-9-]{0,62})"
    r"(?::download)?(?:\?alt=media)?"
)
_NAME = re.compile(r"files/[a-z0-9][a-z0-9-]{0,62}")
FIRST_LOOK = 0.5
LONGEST_LOOK = 5.0


async def upload(client: Any, file: BufferedIOBase, mime_type: str, name: str) -> UploadedFile:
    """Send the file, from its beginning, in pieces of 8 MiB that are read as they go."""
    # The name travels in a header: the SDK fails on one beyond ASCII.
    plain = name.encode("ascii", "replace").decode().replace("?", "_")[:200]
    file.seek(0)
    with error_mapping.mapped_errors():
        made = await client.aio.files.upload(
            file=file, config={"mime_type": mime_type, "display_name": plain}
        )
    return _uploaded(made)


async def until_ready(
    client: Any, uploaded: UploadedFile, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
) -> UploadedFile:
    """Wait while Google takes the file in (films and sounds); raises Rejected if it cannot."""
    pause = FIRST_LOOK
    while uploaded.state == "PROCESSING":
        await sleep(pause)
        pause = min(pause * 1.5, LONGEST_LOOK)
        uploaded = await look(client, uploaded.name)
    if uploaded.state == "FAILED":
        raise Rejected("The file could not be processed.")
    return uploaded


async def download(client: Any, address: str) -> bytes:
    """The bytes of a file at Google, by its address there."""
    name = _file_name(address)
    with error_mapping.mapped_errors():
        return bytes(await client.aio.files.download(file=name))


def _file_name(address: str) -> str:
    """The name in an address; the SDK would put into a URL whatever it takes for one."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise Garbled("The address of a file is none of Google's.")
    return found[1]


class _Pieces:
    """What the SDK writes a download to, piece by piece."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write

    async def write(self, piece: bytes) -> None:
        # It shares the loop: written in a thread, at the pace of the disk.
        await self._write(piece)


async def download_to(client: Any, address: str, write: Callable[[bytes], Awaitable[None]]) -> None:
    """The same, handed over in pieces of a megabyte as they come."""
    with error_mapping.mapped_errors():
        await client.aio.files.download(file=_file_name(address), destination=_Pieces(write))


async def look(client: Any, name: str) -> UploadedFile:
    """What Google says of an uploaded file; Gone when it no longer has it."""
    with error_mapping.mapped_errors():
        return _uploaded(await client.aio.files.get(name=name))


def _uploaded(file: Any) -> UploadedFile:
    """What the SDK read of a file; Garbled where that names no file of Google's."""
    state = getattr(file.state, "value", None) or str(file.state or "ACTIVE")
    is_named = isinstance(file.name, str) and _NAME.fullmatch(file.name)
    if not is_named or not isinstance(file.uri, str) or not file.uri:
        raise Garbled()
    return UploadedFile(file.name, file.uri, file.mime_type or "", state)
