"""The shelf: where files this server makes are kept. What the bridge needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol


class StoredFile(Protocol):
    """A file on the shelf: its path, the type and size of its bytes, its pixels if any."""

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

    async def preview(self, path: str, largest: int) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where there is none."""
        ...

    async def open(self, path: str) -> BinaryIO | None:
        """An image made here, for reading; None where it is gone, or elsewhere."""
        ...

    async def forget(self, paths: Sequence[str]) -> None:
        """Delete files made here; those that are gone, or elsewhere, are left alone."""
        ...

    async def forget_texts_before(self, before: float) -> None:
        """Delete the long answers that were written to files before then."""
        ...

    async def keep_report(self, markdown: str, name: str, id: str) -> str:
        """A report as a Markdown file with a plain name; its path."""
        ...
