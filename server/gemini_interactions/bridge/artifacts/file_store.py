"""The interface of the file store: where files this server makes are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import BinaryIO, Protocol


class StoredFile(Protocol):
    """A file that is kept: its path, the type and size of its bytes, pixels and seconds if any."""

    @property
    def path(self) -> str: ...
    @property
    def mime_type(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def seconds(self) -> float: ...


Fetch = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]
"""Hands the bytes of a file to what writes them, piece by piece."""


class FileStore(Protocol):
    """Keeps files for their owner, under honest names; slow work happens in threads."""

    async def check(self) -> None:
        """Refuse if an image could not be kept: before it is paid for."""
        ...

    async def keep_image(
        self, data: str | bytes, name: str, id: str, *, is_chart: bool
    ) -> StoredFile:
        """An image, base64 or bytes, as a file named after `name` and `id`, with the extension of
        its bytes."""
        ...

    async def check_media(self) -> None:
        """Refuse if audio or a video could not be kept: before it is paid for."""
        ...

    async def keep_media(
        self,
        data: str | Fetch,
        name: str,
        mime_type: str,
        *,
        rate: object = None,
        channels: object = None,
    ) -> StoredFile:
        """Audio or a video, base64 or fetched piece by piece, as a file of this name, with the
        extension of its bytes; raw samples become a WAV file."""
        ...

    def trouble(self, path: str) -> str:
        """Why a path of a sandbox is not fetched; "" where it may be."""
        ...

    async def keep_agent_file(self, data: Fetch, path: str) -> StoredFile:
        """A file of an agent's sandbox, fetched piece by piece, under the name it has there."""
        ...

    def name_of(self, words: str, id: str, otherwise: str) -> str:
        """What a file is called after its words and id; `otherwise` where no word serves."""
        ...

    async def preview(self, path: str, largest: int) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where there is none."""
        ...

    async def open(self, path: str) -> BinaryIO | None:
        """A file made here, for reading; None where it is gone, or elsewhere."""
        ...

    async def forget(self, paths: Sequence[str]) -> None:
        """Delete files made here; those that are gone, or elsewhere, are left alone."""
        ...

    async def remove_drafts(self) -> None:
        """Remove what processes that were killed had begun to write."""
        ...

    async def forget_texts_before(self, before: float) -> None:
        """Delete the long answers that were written to files before then."""
        ...

    async def keep_report(self, markdown: str, name: str, id: str) -> str:
        """A report as a Markdown file with a plain name; its path."""
        ...
