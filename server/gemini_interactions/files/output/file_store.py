"""The file store: where files made here are kept, under honest names, for this user only."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from ...domain.errors import Refused
from ...domain.file_errors import CannotKeepMedia
from ..path_sandbox.allowed_dirs import Folders
from . import agent_files, images, media_files, previews
from .atomic_write import NewFile, draft_name, hold, remove_drafts
from .images import Saved
from .wav import raw_audio

Fetch = Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]
"""Hands the bytes of a file to what writes them, piece by piece."""


class FileStore:
    """Files in the folders of images, of reports with their charts, of audio and videos, and of
    agents; work is in threads."""

    def __init__(
        self,
        data_dir: Path,
        images_dir: Path,
        reports_dir: Path,
        media_dir: Path,
        agents_dir: Path,
    ) -> None:
        self._data_dir = data_dir
        self._images_dir = images_dir
        self._reports_dir = reports_dir
        self._media_dir = media_dir
        self._agents_dir = agents_dir

    @property
    def _folders(self) -> list[Path]:
        return [self._images_dir, self._reports_dir, self._media_dir, self._agents_dir]

    async def check(self) -> None:
        """Refuse if an image could not be kept: before it is paid for."""

        def check() -> None:
            with images.new_image(self._images_dir, "", ""):
                pass  # without being kept, nothing remains of it

        await anyio.to_thread.run_sync(check)

    async def check_media(self) -> None:
        """Refuse if audio or a video could not be kept: before it is paid for."""

        def check() -> None:
            with images.new_file(self._media_dir, "check", CannotKeepMedia):
                pass

        await anyio.to_thread.run_sync(check)

    async def keep_media(
        self,
        data: str | Fetch,
        name: str,
        mime_type: str,
        *,
        rate: object = None,
        channels: object = None,
    ) -> Saved:
        """Audio or a video, base64 or fetched piece by piece, as a file of this name, with the
        extension of its bytes; raw samples become a WAV file.

        `rate` and `channels` are what their content says of raw samples, beside the type.
        """
        raw = raw_audio(mime_type, rate, channels)
        new = await anyio.to_thread.run_sync(self._new_media, name)

        async def write(piece: bytes) -> None:
            await anyio.to_thread.run_sync(_write, new, piece)

        try:
            with _refusing(new):
                await anyio.to_thread.run_sync(media_files.prepare, new, raw)
                if isinstance(data, str):
                    decode = images.decode_base64_to_file
                    await anyio.to_thread.run_sync(decode, data, new.file)
            if not isinstance(data, str):
                await data(write)
            saved = await anyio.to_thread.run_sync(media_files.finish, new, raw)
            await anyio.to_thread.run_sync(_forget_others, saved, name.rpartition("-")[2])
            return saved
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(new.__exit__)

    def trouble(self, path: str) -> str:
        """Why a path of a sandbox is not fetched; "" where it may be."""
        return agent_files.trouble(path)

    async def keep_agent_file(self, data: Fetch, path: str) -> Saved:
        """A file of an agent's sandbox, fetched piece by piece, under the name it has there."""
        run = anyio.to_thread.run_sync
        taken = await run(agent_files.taken, self._agents_dir)
        new = await run(agent_files.new_file, self._agents_dir, path)
        try:
            await data(agent_files.BoundedWriter(new, path, taken, run).write)
            return await run(agent_files.finish, new)
        finally:
            with anyio.CancelScope(shield=True):
                await run(new.__exit__)

    def name_of(self, words: str, id: str, otherwise: str) -> str:
        """What a file is called after its words and id; `otherwise` where no word serves."""
        return images.name_of(words, id, otherwise)

    def _new_media(self, name: str) -> NewFile:
        return images.new_file(self._media_dir, name, CannotKeepMedia)

    async def keep_image(self, data: str | bytes, name: str, id: str, *, is_chart: bool) -> Saved:
        """An image, base64 or bytes, as a file named after `name` and `id`, with the extension of
        its bytes."""
        where = self._reports_dir if is_chart else self._images_dir

        def keep() -> Saved:
            with images.new_image(where, name, id) as new:
                saved = images.save(data, new)
            _forget_others(saved, id)
            return saved

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
        """A file made here, for reading; None where it is gone, or elsewhere."""

        def opened() -> BinaryIO | None:
            ours = Folders(self._folders)
            try:
                return ours.open_inside(path).file
            except (OSError, Refused):
                return None

        return await anyio.to_thread.run_sync(opened)

    async def forget(self, paths: Sequence[str]) -> None:
        """Delete files made here; those that are gone, or elsewhere, are left alone."""

        def forget() -> None:
            ours = [folder.resolve() for folder in self._folders]
            for path in map(Path, paths):
                if path.parent.resolve() in ours:
                    with suppress(OSError):
                        path.unlink()

        await anyio.to_thread.run_sync(forget)

    async def remove_drafts(self) -> None:
        """Remove what processes that were killed had begun to write."""

        def remove() -> None:
            for folder in self._folders:
                remove_drafts(folder)

        await anyio.to_thread.run_sync(remove)

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
            draft = path.with_name(draft_name())  # half a report is never there under its name
            with open(draft, "w", encoding="utf-8", errors="replace", opener=_private) as file:
                hold(file.fileno())
                file.write(markdown)
            draft.replace(path)

        await anyio.to_thread.run_sync(write)
        return str(path)


def _forget_others(saved: Saved, id: str) -> None:
    """Delete what a process left under another name that ended before it said so: the id stands
    at the end of each."""
    path = Path(saved.path)
    with suppress(OSError):
        for left in path.parent.glob(f"*-{id}.*"):
            if left.name != path.name:
                left.unlink(missing_ok=True)


def _write(new: NewFile, piece: bytes) -> None:
    with _refusing(new):
        new.file.write(piece)


@contextmanager
def _refusing(new: NewFile) -> Iterator[None]:
    """An error of the system in writing a file is one of its refusals."""
    try:
        yield
    except OSError as error:
        raise new.refused(error) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
