"""Speech turns: a text, or the newest answer of a conversation, read aloud.

The speech of an answer stands in its conversation, but models of speech are sent no more than
what they are to read; later turns chain past it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ....domain.artifact import ArtifactKind
from ....domain.errors import BadArgument, Refused, Rejected, UpstreamError
from ....domain.quoted_text import quoted
from ....domain.types import CreateRequest, Turn, Usage
from ....interactions import answer_text
from ...requests import SpeechRequest
from ..execution.running_turns import RunningTurn
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..turn_handler import WithWords
from .media import MediaHandler

MIME_TYPES = {"mp3": "audio/mp3", "wav": "audio/wav", "ogg": "audio/ogg_opus"}
MOST_TOKENS = 16_384
"""Tokens of sound one call of a speech model can make."""
_LETTERS_A_SECOND = 10
_TOKENS_A_SECOND = 32


class SpeechHandler(MediaHandler[SpeechRequest]):
    kinds = ("speech",)
    sends = "unary"
    output = "speech"
    made = ArtifactKind.AUDIO

    def most(self, request: SpeechRequest, model: str) -> Usage:
        letters = len(request.text)
        sound = math.ceil(letters / _LETTERS_A_SECOND) * _TOKENS_A_SECOND + _TOKENS_A_SECOND
        tokens = min(sound, MOST_TOKENS) if letters else MOST_TOKENS
        return Usage(input=letters // 3 + 1, output=tokens, total=tokens)

    async def prepare(
        self, new: NewTurn[SpeechRequest], with_words: WithWords
    ) -> NewTurn[SpeechRequest]:
        wanted, runtime = new.request, self._runtime
        if not wanted.conversation_id:
            return await self._prepared(new)
        place = await runtime.resolver.of_ours(new.caller, wanted.conversation_id)
        await runtime.resolver.predecessor(new.caller.owner, place)
        new = replace(new, conversation_id=place.name, parent=place.turn)
        return await self._prepared(new)

    async def _prepared(self, new: NewTurn[SpeechRequest]) -> NewTurn[SpeechRequest]:
        wanted = new.request
        return await self.prepared(
            new,
            model=wanted.model,
            save_to=wanted.save_to,
            default=self._runtime.config.speech_model,
            facts={"format": wanted.format},
        )

    async def build_request(
        self, turn: Turn, new: NewTurn[SpeechRequest], after: Predecessor
    ) -> RequestPlan:
        wanted = new.request
        text = wanted.text or await self._newest_answer(after)
        request = CreateRequest(
            input=text,
            model=turn.settings.model,
            generation=_speech_config(wanted),
            response_format=[{"type": "audio", "mime_type": MIME_TYPES[wanted.format]}],
            timeout=self._runtime.config.upstream_timeout_seconds,
        )
        return self.plan(turn, new, request)

    async def _newest_answer(self, after: Predecessor) -> str:
        """The words of the newest answer there is, as they are read aloud."""
        store, found = self._runtime.store, after.before
        while found is not None:
            if found.kind != "speech" and found.is_final:
                steps = found.steps
                if not steps and found.interaction_id and found.error is None:
                    there = await self._runtime.gemini.get(
                        found.interaction_id, api_version=found.api_version
                    )
                    steps = there.steps
                if text := answer_text.spoken(steps):
                    return text
            if found.parent is None:
                break
            found = await store.turn(found.owner, found.conversation_id, found.parent)
        raise BadArgument("That conversation has no answer to read aloud. Pass `text` instead.")

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        if isinstance(problem, Rejected) and "voice" in problem.said.lower():
            return BadArgument(
                f'Gemini does not take that voice: "{quoted(problem.said)}" '
                "gemini://models lists the voices; Kore and Puck are two."
            )
        return problem


def _speech_config(wanted: SpeechRequest) -> dict[str, Any]:
    language = {"language": wanted.language} if wanted.language else {}
    if wanted.speakers:
        return {"speech_config": [{**language, **each} for each in wanted.speakers]}
    voice = {"voice": wanted.voice} if wanted.voice else {}
    return {"speech_config": [{**language, **voice}]} if language or voice else {}
