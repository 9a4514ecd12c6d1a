"""The shelf: where files made here are kept, under honest names, for this user only."""

from __future__ import annotations

import base64
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

EXTENSIONS = (
    (b"\xff\xd8\xff", "jpg", "image/jpeg"),
    (b"\x89PNG\r\n", "png", "image/png"),
    (b"GIF8", "gif", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file on the shelf."""

    path: str
    mime_type: str
    bytes: int
    width: int = 0
    height: int = 0


class Shelf:
    """Files in the data folder (reports, charts) and the images folder."""

    def __init__(self, data_dir: Path, images_dir: Path) -> None:
        self._data_dir = data_dir
        self._images_dir = images_dir

    async def keep_image(self, data: str, name: str, id: str, folder: str = "") -> Kept:
        """Base64 to a file named after `name` and `id`, with the extension of its bytes."""
        where = self._data_dir / folder if folder else self._images_dir
        return await anyio.to_thread.run_sync(_keep_image, data, where, name, id)

    async def preview(self, path: str, largest: int) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where there is none."""
        return b""

    async def keep_report(self, markdown: str, name: str, id: str) -> str:
        """A report as a Markdown file with a plain name; its path."""
        path = self._data_dir / "research" / f"{slug(name)}-{id}.md"
        await anyio.to_thread.run_sync(_write, path, markdown.encode("utf-8", "replace"))
        return str(path)


def slug(text: str) -> str:
    """A plain file name out of any words."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return words[:50].rstrip("-") or "file"


def _keep_image(data: str, where: Path, name: str, id: str) -> Kept:
    content = base64.b64decode(data)
    extension, mime = next(
        ((ending, mime) for magic, ending, mime in EXTENSIONS if content.startswith(magic)),
        ("bin", "application/octet-stream"),
    )
    path = where / f"{slug(name)}-{id}.{extension}"
    _write(path, content)
    return Kept(str(path), mime, len(content))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(content)
