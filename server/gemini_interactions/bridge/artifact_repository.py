"""The gallery: pictures Gemini made, kept as files of their owner's, each with its `i_…` id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from ..domain.errors import Garbled, NotKept, UnknownId, UpstreamError
from ..domain.ids import read_id
from ..domain.types import Artifact, Interaction, Turn
from ..interactions import answer_text
from .file_store import FileStore
from .ports import Gemini, Store

log = logging.getLogger(__name__)


class ArtifactRepository:
    """Keeps what was made, in files `named` after their words or not; `now` is the wall clock, in
    epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        shelf: FileStore,
        now: Callable[[], float],
        *,
        named: bool = True,
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._shelf = shelf
        self._now = now
        self._named = named

    async def check(self) -> None:
        """Refuse if an image could not be kept: before it is paid for."""
        await self._shelf.check()

    async def keep(self, turn: Turn, interaction: Interaction) -> list[Artifact]:
        """The pictures of a finished turn as files; keeping them again makes no second copy.

        Raises what went wrong with one (NotKept, Garbled) only once the others are kept.
        """
        shown = enumerate(answer_text.read(interaction.steps).images, 1)
        pictures = {n: each for n, each in shown if each.get("data") or each.get("uri")}
        if not pictures:
            return []
        problem: NotKept | Garbled | None = None
        # Named before they are kept: who takes this over after a crash keeps them as the same.
        for handle in await self._store.name_images(turn, list(pictures), now=self._now()):
            if handle.facts.get("path"):
                continue
            try:
                await self._keep(turn, handle, pictures[handle.facts["number"]])
            except (NotKept, Garbled) as error:
                problem = problem or error
        if problem is not None:
            raise problem
        return await self.of(turn)

    async def _keep(self, turn: Turn, handle: Artifact, picture: Mapping[str, Any]) -> None:
        number = handle.facts["number"]
        title = str(turn.extra.get("question") or turn.prompt) if self._named else ""
        name = title if turn.kind == "image" else f"chart {number} {title}"
        data = picture.get("data") or await self._fetched(str(picture["uri"]))
        file = await self._shelf.keep_image(data, name, handle.id, is_chart=turn.kind == "research")
        facts = {
            **handle.facts,
            "path": file.path,
            "mime_type": file.mime_type,
            "bytes": file.bytes,
            "width": file.width,
            "height": file.height,
        }
        await self._store.move_handle(handle, facts=facts)

    async def _fetched(self, address: str) -> bytes:
        try:
            return await self._gemini.download(address)
        except UpstreamError:
            log.warning("a picture of Google's could not be fetched", exc_info=True)
            raise NotKept.unfetched() from None

    async def of(self, turn: Turn) -> list[Artifact]:
        """The pictures a turn made, in their order."""
        handles = await self._store.handles_of(turn)
        kept = [each for each in handles if each.kind == "image" and each.facts.get("path")]
        return sorted(kept, key=lambda each: each.facts["number"])

    async def preview(self, picture: Artifact, largest: int = 60_000) -> bytes:
        """A JPEG of at most 512 pixels and `largest` bytes; empty where the file is gone."""
        return await self._shelf.preview(str(picture.facts["path"]), largest)

    async def open(self, picture: Artifact) -> BinaryIO | None:
        """The whole file, for reading; None where it is gone."""
        return await self._shelf.open(str(picture.facts["path"]))

    async def find(self, owner: str, image_id: str) -> Artifact:
        """One picture by its id; somebody else's reads like an unknown one."""
        id = read_id(image_id)
        handle = await self._store.handle(owner, id.name) if id.kind == "image" else None
        if handle is None or not handle.facts.get("path"):
            raise UnknownId(
                f"There is no image '{id.name}' here. "
                'Call gemini_history with kind "images" to see those there are.'
            )
        return handle


def described(pictures: Sequence[Artifact]) -> list[str]:
    """Each picture in a line: id, size in pixels, type and bytes."""
    return [
        f"{each.id}: {_shape(each.facts)}, "
        f"{max(1, round(int(each.facts.get('bytes', 0)) / 1000)):,} KB"
        for each in pictures
    ]


def _shape(facts: Mapping[str, Any]) -> str:
    kind, _, name = str(facts.get("mime_type", "")).partition("/")
    if kind != "image":
        return "a file that is no image known here"
    if not facts.get("width"):
        return f"{name.upper()} whose pixels cannot be read (damaged, or far too many)"
    return f"{facts['width']}×{facts['height']} {name.upper()}"
