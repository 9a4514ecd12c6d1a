"""Artifact repository: images, audio and videos Gemini made, kept as files of their owner's, each
with an id of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, assert_never

from ...domain.artifact import FILE_KINDS, ArtifactKind
from ...domain.errors import (
    ConnectionLost,
    Garbled,
    Gone,
    NotAtGoogle,
    NotKept,
    Unavailable,
    UnknownId,
    Unreachable,
    UpstreamError,
)
from ...domain.ids import read_id
from ...domain.types import Artifact, Interaction, Turn
from ...interactions import answer_text
from ..ports import ArtifactSummary, Gemini, Store
from .file_store import FileStore, StoredFile

log = logging.getLogger(__name__)


class ArtifactRepository:
    """Keeps what was made, in files `named` after their words or not; `now` is the wall clock, in
    epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        kept_files: FileStore,
        now: Callable[[], float],
        *,
        named: bool = True,
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._file_store = kept_files
        self._now = now
        self._named = named

    async def check(self) -> None:
        """Refuse if an image could not be kept: before it is paid for."""
        await self._file_store.check()

    async def keep(self, turn: Turn, interaction: Interaction) -> list[Artifact]:
        """The files of a finished turn; keeping them again makes no second copy.

        Raises what went wrong with one (NotKept, Garbled) only once the others are kept.
        """
        if not answer_text.has_media(interaction.steps):
            return []
        answer = answer_text.read(interaction.steps)
        made = {kind: _contents(answer, kind) for kind in FILE_KINDS}
        if not any(made.values()):
            return []
        problem: NotKept | Garbled | None = None
        for kind, contents in made.items():
            shown = enumerate(contents, 1)
            given = {n: each for n, each in shown if each.get("data") or each.get("uri")}
            files = {n: each for n, each in given.items() if _is_readable(each)}
            if len(files) < len(given):
                problem = problem or Garbled()
            if not files:
                continue
            # Named before they are kept: who takes this over after a crash keeps them as the same.
            for handle in await self._store.name_files(turn, kind, list(files), now=self._now()):
                if handle.facts.get("path"):
                    continue
                try:
                    await self._keep(turn, handle, files[handle.facts["number"]])
                except (NotKept, Garbled) as error:
                    problem = problem or error
        if problem is not None:
            raise problem
        return await self.files_of(turn)

    async def _keep(self, turn: Turn, handle: Artifact, content: Mapping[str, Any]) -> None:
        title = str(turn.extra.get("question") or turn.prompt) if self._named else ""
        if handle.kind is ArtifactKind.IMAGE:
            file = await self._keep_image(turn, handle, content, title)
        else:
            file = await self._keep_media(handle, content, title)
        facts = {
            **handle.facts,
            "path": file.path,
            "mime_type": file.mime_type,
            "bytes": file.bytes,
            "width": file.width,
            "height": file.height,
        }
        if handle.kind is not ArtifactKind.IMAGE:
            facts["seconds"] = round(file.seconds, 3)
        await self._store.move_handle(handle, facts=facts)

    async def _keep_image(
        self, turn: Turn, handle: Artifact, picture: Mapping[str, Any], title: str
    ) -> StoredFile:
        name = title if turn.kind == "image" else f"chart {handle.facts['number']} {title}"
        data = picture.get("data") or await self._fetched(picture["uri"])
        return await self._file_store.keep_image(
            data, name, handle.id, is_chart=turn.kind == "research"
        )

    async def _keep_media(
        self, handle: Artifact, content: Mapping[str, Any], title: str
    ) -> StoredFile:
        """Audio or a video; a download costs nothing, so one that breaks is begun again."""
        name = self._file_store.name_of(title, handle.id, handle.kind.value)
        data, address = content.get("data"), str(content.get("uri") or "")
        for is_last in (False, False, True):
            try:
                return await self._file_store.keep_media(
                    data if isinstance(data, str) and data else partial(self._download, address),
                    name,
                    str(content.get("mime_type") or ""),
                    rate=content.get("sample_rate") or content.get("rate"),
                    channels=content.get("channels"),
                )
            except Garbled:
                raise
            except Gone:
                log.warning("%s is not at Google", handle.id, exc_info=True)
                raise NotAtGoogle(handle.kind.noun) from None
            except UpstreamError as problem:
                if is_last or not isinstance(problem, ConnectionLost | Unreachable | Unavailable):
                    log.warning("%s could not be fetched from Google", handle.id, exc_info=True)
                    raise NotKept.unfetched(handle.kind.noun) from None
        raise AssertionError("the last try returns or raises")

    async def _download(self, address: str, write: Callable[[bytes], Awaitable[None]]) -> None:
        await self._gemini.download_to(address, write)

    async def _fetched(self, address: str) -> bytes:
        try:
            return await self._gemini.download(address)
        except UpstreamError:
            log.warning("a picture of Google's could not be fetched", exc_info=True)
            raise NotKept.unfetched() from None

    async def of(self, turn: Turn) -> list[Artifact]:
        """The pictures a turn made, in their order."""
        files = await self.files_of(turn)
        return [each for each in files if each.kind is ArtifactKind.IMAGE]

    async def files_of(self, turn: Turn) -> list[Artifact]:
        """Every file a turn made: each kind in its order."""
        handles = await self._store.handles_of(turn)
        kept = [each for each in handles if each.kind.is_file and each.facts.get("path")]
        return sorted(kept, key=lambda each: (each.kind, each.facts["number"]))

    async def named(self, turn: Turn) -> Artifact | None:
        """The file a turn is making, which has its id already."""
        handles = await self._store.handles_of(turn)
        return next((each for each in handles if each.kind.is_file), None)

    async def preview(self, picture: Artifact, largest: int = 60_000) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where the file is gone."""
        return await self._file_store.preview(str(picture.facts["path"]), largest)

    async def open(self, picture: Artifact) -> BinaryIO | None:
        """The whole file, for reading; None where it is gone."""
        return await self._file_store.open(str(picture.facts["path"]))

    async def versions(
        self, owner: str, id: str, most: int
    ) -> tuple[Artifact, Sequence[ArtifactSummary]]:
        """The picture an id means, and those of its conversation, newest first. A conversation or
        turn means its newest picture."""
        named = read_id(id)
        if named.kind is ArtifactKind.IMAGE:
            picture = await self.find(owner, id)
            made = await self._store.pictures(owner, picture.conversation_id, most)
            return picture, [each for each in made if each.handle.facts.get("path")]
        made = await self._store.pictures(owner, named.name, most)
        kept = [each for each in made if each.handle.facts.get("path")]
        if not kept:
            raise UnknownId(f"There is no picture in '{named.name}' here.")
        return kept[0].handle, kept

    async def find(
        self, owner: str, file_id: str, kind: ArtifactKind = ArtifactKind.IMAGE
    ) -> Artifact:
        """One file by its id; somebody else's, or another kind's, reads like an unknown one."""
        id = read_id(file_id)
        handle = await self._store.handle(owner, id.name) if id.kind is kind else None
        if handle is None or not handle.facts.get("path"):
            raise UnknownId(
                f"There is no {kind.noun} '{id.name}' here. "
                f'Call gemini_history with kind "{kind.listed}" to see those there are.'
            )
        return handle


def _contents(answer: answer_text.Answer, kind: ArtifactKind) -> Sequence[Mapping[str, Any]]:
    """The content objects of an answer that are files of this kind."""
    match kind:
        case ArtifactKind.IMAGE:
            return answer.images
        case ArtifactKind.AUDIO | ArtifactKind.VIDEO:
            return [each for each in answer.media if each["type"] == kind.value]
        case ArtifactKind.RESEARCH | ArtifactKind.AGENT_FILE:
            return ()  # a research is text; an agent's files are fetched from its environment
        case unknown:
            assert_never(unknown)


def _is_readable(content: Mapping[str, Any]) -> bool:
    """Whether its bytes, or else its address, are texts as they should be."""
    return isinstance(content.get("data") or content.get("uri"), str)


def described(files: Sequence[Artifact]) -> list[str]:
    """Each file in a line: id, size in pixels, seconds it plays, type and bytes."""
    return [
        f"{each.id}: {shape(each.facts)}, "
        f"{max(1, round(int(each.facts.get('bytes', 0)) / 1000)):,} KB"
        for each in files
    ]


def shape(facts: Mapping[str, Any]) -> str:
    kind, _, name = str(facts.get("mime_type", "")).partition("/")
    if "source" in facts:  # of a sandbox: whatever it is called there
        return str(facts.get("mime_type") or "a file")
    if kind in ("audio", "video"):
        return _played(facts, kind, name)
    if kind != "image":
        return "a file that is no image known here"
    if not facts.get("width"):
        if name in ("heic", "heif", "avif"):
            return f"{name.upper()}, whose pixels are not read here"
        return f"{name.upper()} whose pixels cannot be read (damaged, or far too many)"
    return f"{facts['width']}×{facts['height']} {name.upper()}"


_FORMATS = {"mp3": "MP3", "wav": "WAV", "ogg": "Ogg", "mp4": "MP4", "webm": "WebM"}


def _played(facts: Mapping[str, Any], kind: str, name: str) -> str:
    """A sound or video: its pixels if any, its format, how long it plays."""
    shape = f"{facts['width']}×{facts['height']} " if facts.get("width") else ""
    return f"{shape}{_FORMATS.get(name, name.upper())} {kind}, {_length(facts.get('seconds'))}"


def _length(seconds: object) -> str:
    if not isinstance(seconds, int | float) or seconds <= 0:
        return "of unknown length"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"
