"""Media: speech, music and videos."""

from __future__ import annotations

from ...domain.errors import BadArgument
from ..requests import Caller, MusicRequest, Reply, SpeechRequest, VideoRequest
from ..runtime import Runtime
from ..turns.handlers.music import MusicHandler
from ..turns.handlers.speech import SpeechHandler
from ..turns.handlers.video import VideoHandler
from ..turns.new_turn import NewTurn
from ..turns.submission import TurnSubmission
from ..turns.validation import check_model, check_prompt

ALOUD = "Read the newest answer aloud."
"""What stands for the words of a speech that are those of an answer."""
_NEEDS_VIDEO = ("edit", "extend", "upscale")
_NEEDS_IMAGE = ("image_to_video", "reference_to_video")
_ALIASES = "none is needed for the default"


class Media:
    def __init__(
        self,
        runtime: Runtime,
        submission: TurnSubmission,
        speech: SpeechHandler,
        music: MusicHandler,
        video: VideoHandler,
    ) -> None:
        self._runtime = runtime
        self._submission = submission
        self._speech = speech
        self._music = music
        self._video = video

    async def speak(self, caller: Caller, wanted: SpeechRequest) -> Reply:
        """Read a text aloud, or the newest answer of a conversation."""
        if bool(wanted.text.strip()) == bool(wanted.conversation_id):
            raise BadArgument(
                "Pass `text` to read aloud, or `conversation_id` to read its newest answer: one "
                "of the two."
            )
        if wanted.voice and wanted.speakers:
            raise BadArgument("Pass `voice` for one speaker or `speakers` for several, not both.")
        check_prompt(self._runtime.config, wanted.text, "text")
        check_model(wanted.model, _ALIASES)
        queue = self._runtime.resolver.queue_of(wanted.conversation_id)
        new = NewTurn(caller, "speech", wanted.text or ALOUD, wanted, queue)
        return await self._submission.submit(new, self._speech)

    async def compose(self, caller: Caller, wanted: MusicRequest) -> Reply:
        """Compose a piece of music."""
        if not wanted.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what the music should be like.")
        check_prompt(self._runtime.config, wanted.prompt)
        check_model(wanted.model, _ALIASES)
        new = NewTurn(caller, "music", wanted.prompt, wanted, files=wanted.images)
        return await self._submission.submit(new, self._music)

    async def film(self, caller: Caller, wanted: VideoRequest) -> Reply:
        """Start a video; returns as soon as Google's id of it is committed."""
        if not wanted.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what the video should show or change.")
        check_prompt(self._runtime.config, wanted.prompt)
        check_model(wanted.model, _ALIASES)
        if not wanted.conversation_id:
            if wanted.task in _NEEDS_VIDEO and not wanted.video:
                raise BadArgument(f"`task` {wanted.task} needs a `video` (v_… or a file).")
            if wanted.task in _NEEDS_IMAGE and not wanted.images:
                raise BadArgument(f"`task` {wanted.task} needs `images`.")
        queue = self._runtime.resolver.queue_of(wanted.conversation_id)
        files = [*wanted.images, *([wanted.video] if wanted.video else [])]
        new = NewTurn(caller, "video", wanted.prompt, wanted, queue, files)
        return await self._submission.submit(new, self._video)
