"""Music turns: a piece composed from words and pictures."""

from __future__ import annotations

from ....domain.artifact import ArtifactKind
from ....domain.types import CreateRequest, Turn, Usage
from ...requests import MusicRequest
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..turn_handler import WithWords
from .media import MediaHandler
from .speech import MIME_TYPES


class MusicHandler(MediaHandler[MusicRequest]):
    kinds = ("music",)
    sends = "unary"
    may_join_waiting = False  # as with pictures: two identical calls are two pieces
    output = "music"
    made = ArtifactKind.AUDIO

    def most(self, request: MusicRequest, model: str) -> Usage:
        return Usage(pieces=1)

    async def prepare(
        self, new: NewTurn[MusicRequest], with_words: WithWords
    ) -> NewTurn[MusicRequest]:
        wanted = new.request
        return await self.prepared(
            new,
            model=wanted.model,
            save_to=wanted.save_to,
            default=self._runtime.config.music_model,
            facts={"format": wanted.format},
        )

    async def build_request(
        self, turn: Turn, new: NewTurn[MusicRequest], after: Predecessor
    ) -> RequestPlan:
        self.check_attached(new, ("image",), "images")
        text = {"type": "text", "text": new.prompt}
        request = CreateRequest(
            input=[*new.attached.contents, text] if new.attached.contents else new.prompt,
            model=turn.settings.model,
            response_format=[{"type": "audio", "mime_type": MIME_TYPES[new.request.format]}],
            timeout=self._runtime.config.upstream_timeout_seconds,
        )
        return self.plan(turn, new, request)
