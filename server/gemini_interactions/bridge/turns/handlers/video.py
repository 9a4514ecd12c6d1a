"""Video turns: made at Google in the background, and followed there by whoever holds the lease."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ....domain.artifact import ArtifactKind
from ....domain.errors import BadArgument, Gone, Refused, TimedOut, UpstreamError
from ....domain.models import model_catalog
from ....domain.types import CreateRequest, Interaction, Turn, Usage
from ...requests import VideoRequest
from ...research.poller import ResearchPoller
from ...runtime import Runtime
from .. import function_calls
from ..execution.running_turns import RunningTurn
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import WithWords
from .background import PATIENCE, Unconfirmed, place_at_google
from .media import MediaHandler

LONGEST = 15
"""Seconds of the longest video where nothing is known of its model."""
FIRST_LOOK = 2.0
FORGOTTEN = "Google no longer has this video: it was deleted there, or has expired."
TASK_LEFT_OUT = (
    "`task` was left out: within a conversation Gemini tells by itself what to do with its video."
)


class UnconfirmedVideo(Unconfirmed):
    """Google took a video and did not say so in time."""

    what = "video"
    doing = "made"


class VideoHandler(MediaHandler[VideoRequest]):
    kinds = ("video",)
    sends = "background"
    artifact = ArtifactKind.VIDEO
    output = "video"
    made = ArtifactKind.VIDEO

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        first = min(FIRST_LOOK, runtime.config.research_poll_seconds)
        self.poller = ResearchPoller(
            runtime, self, interval=first, forgotten=FORGOTTEN, is_whole=_is_whole
        )

    def most(self, request: VideoRequest, model: str) -> Usage:
        longest = request.duration or model_catalog.longest(model) or LONGEST
        return Usage(pieces=1, seconds=float(longest))

    async def prepare(
        self, new: NewTurn[VideoRequest], with_words: WithWords
    ) -> NewTurn[VideoRequest]:
        wanted = new.request
        if wanted.conversation_id:
            place, _ = await place_at_google(
                self._runtime,
                new.caller,
                wanted.conversation_id,
                with_words,
                unstored="so Google has nothing of it to work on. Leave `conversation_id` out, or "
                "pass the file in `video`.",
            )
            new = replace(new, conversation_id=place.name, parent=place.turn)
        new = await self.prepared(
            new,
            model=wanted.model,
            save_to=wanted.save_to,
            default=self._runtime.config.video_model,
            facts={},
        )
        extra = {**new.extra, "background": True, "video": _response_format(wanted)}
        # The file that will be made has its id from the start: that of the first one.
        return replace(new, extra=extra, artifact_facts={"number": 1})

    async def build_request(
        self, turn: Turn, new: NewTurn[VideoRequest], after: Predecessor
    ) -> RequestPlan:
        good, wanted = after.good, new.request
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        self.check_attached(new, ("image", "video"), "images")
        text = {"type": "text", "text": new.prompt}
        # Google refuses a task together with the interaction before it.
        task = "" if good is not None else wanted.task
        request = CreateRequest(
            input=[*new.attached.contents, text] if new.attached.contents else new.prompt,
            model=turn.settings.model,
            previous_interaction_id=good.interaction_id if good else "",
            generation={"video_config": {"task": task}} if task else {},
            response_format=[turn.extra["video"]],
            background=True,
            timeout=PATIENCE,
        )
        return self.plan(turn, new, request, (TASK_LEFT_OUT,) if task != wanted.task else ())

    async def follow(self, running: RunningTurn) -> Outcome | None:
        return await self.poller.follow(running)

    async def attend(self, running: RunningTurn) -> None:
        await self.poller.attend(running)

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        if isinstance(problem, TimedOut):
            return UnconfirmedVideo()
        if isinstance(problem, Gone) and not problem.is_model and running.good is not None:
            return BadArgument(
                "Google no longer has that conversation. Leave `conversation_id` out and pass "
                'the file itself in `video`: gemini_history with kind "video" lists them.'
            )
        return problem

    async def rebuild(self, running: RunningTurn, request: CreateRequest) -> CreateRequest:
        """A video cannot be told again in words: its file has to be passed."""
        raise Gone()


def _response_format(wanted: VideoRequest) -> dict[str, Any]:
    """The response format. Videos may be too large to come inside an answer."""
    video: dict[str, Any] = {"type": "video", "delivery": "uri"}
    if wanted.aspect_ratio:
        video["aspect_ratio"] = wanted.aspect_ratio
    if wanted.duration:
        video["duration"] = f"{wanted.duration}s"
    if wanted.resolution:
        video["resolution"] = wanted.resolution
    return video


def _is_whole(interaction: Interaction) -> bool:
    """A video is paid by the second: nobody waits for its tokens."""
    return True
