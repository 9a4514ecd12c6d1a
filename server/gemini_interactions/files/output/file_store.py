"""The shelf: where files made here are kept, under honest names, for this user only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from ...domain.errors import Refused
from ..path_sandbox.allowed_dirs import Folders
from . import images, previews
from .images import Saved


class FileStore:
    """Files in the folders of images and of reports with their charts; work is in threads."""

    def __init__(self, data_dir: Path, images_dir: Path, reports_dir: Path) -> None:
        self._data_dir = data_dir
        self._images_dir = images_dir
        self._reports_dir = reports_dir

    async def check(self) -> None:
        """Refuse if an image could not be kept: before it is paid for."""

        def check() -> None:
            with images.new_image(self._images_dir, "", ""):
                pass  # without being kept, nothing remains of it

        await anyio.to_thread.run_sync(check)

    async def keep_image(self, data: str | bytes, name: str, id: str, *, is_chart: bool) -> Saved:
        """An image, base64 or bytes, as a file named after `name` and `id`, with the extension of
        its bytes."""
        where = self._reports_dir if is_chart else self._images_dir

        def keep() -> Saved:
            with suppress(OSError):
                for left in where.glob(f"*-{id}.*"):  # by a process that ended before it said so
                    left.unlink(missing_ok=True)
            with images.new_image(where, name, id) as new:
                return images.save(data, new)

        return await anyio.to_thread.run_sync(keep)

    async def preview(self, path: str, largest: int) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where there is none."""

        def preview() -> bytes:
            try:
                with open(path, "rb") as file:
                    return previews.preview(file, largest) or b""
            except OSError:  # somebody moved or deleted it
                return b""

        return await anyio.to_thread.run_sync(preview)

    async def open(self, path: str) -> BinaryIO | None:
        """An image made here, for reading; None where it is gone, or elsewhere."""

        def opened() -> BinaryIO | None:
            ours = Folders([self._images_dir, self._reports_dir])
            try:
                return ours.open_inside(path).file
            except (OSError, Refused):
                return None

        return await anyio.to_thread.run_sync(opened)

    async def forget(self, paths: Sequence[str]) -> None:
        """Delete files made here; those that are gone, or elsewhere, are left alone."""

        def forget() -> None:
            ours = [self._images_dir.resolve(), self._reports_dir.resolve()]
            for path in map(Path, paths):
                if path.parent.resolve() in ours:
                    with suppress(OSError):
                        path.unlink()

        await anyio.to_thread.run_sync(forget)

    async def forget_texts_before(self, before: float) -> None:
        """Delete the long answers that were written to files before then."""

        def forget() -> None:
            for path in (self._data_dir / "texts").glob("*.md"):
                with suppress(OSError):
                    if path.stat().st_mtime < before:
                        path.unlink()

        await anyio.to_thread.run_sync(forget)

    async def keep_report(self, markdown: str, name: str, id: str) -> str:
        """A report as a Markdown file with a plain name; its path."""
        path = self._reports_dir / f"{images.name_of(name, id, 'report')}.md"

        def write() -> None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_suffix(".part")  # half a report is never there under its name
            with open(draft, "w", encoding="utf-8", errors="replace", opener=_private) as file:
                file.write(markdown)
            draft.replace(path)

        await anyio.to_thread.run_sync(write)
        return str(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
