"""Image turns: pictures made and edited in a conversation, delivered as files."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from ....domain.errors import BadArgument, Garbled, Gone, NotKept, Refused, UpstreamError
from ....domain.models import model_catalog
from ....domain.types import Artifact, CreateRequest, Interaction, Turn, TurnSettings
from ...requests import ImageRequest
from .. import function_calls, outcomes
from ..execution.running_turns import RunningTurn
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandler, WithWords

log = logging.getLogger(__name__)

SHOWN_AGAIN = (
    "Google had forgotten this conversation; its last picture was sent again from the copy kept "
    "here, without what was said before."
)
STOPPED = (
    "Gemini reached its limit before it had made the image. Ask for a simpler one, or try again."
)


class ImageHandler(TurnHandler[ImageRequest]):
    kinds = ("image",)
    sends = "unary"
    may_join_waiting = False  # four identical calls are four pictures

    async def prepare(
        self, new: NewTurn[ImageRequest], with_words: WithWords
    ) -> NewTurn[ImageRequest]:
        order, runtime = new.request, self._runtime
        choice = model_catalog.choose(
            order.model, kind="image", default=runtime.config.image_model, today=runtime.today
        )
        await runtime.artifacts.check()
        if order.save_to:
            await runtime.attachments.check_target(order.save_to)
        new = replace(
            new,
            settings=TurnSettings(model=choice.model),
            notes=(choice.note,) if choice.note else (),
            extra={"image": _response_format(order)},
        )
        if not order.conversation_id:
            return new
        place = await runtime.resolver.of_ours(new.caller, order.conversation_id)
        before = await runtime.resolver.predecessor(new.caller.owner, place)
        if not await runtime.resolver.is_stored(before):
            raise BadArgument(
                "That conversation was started with store=false, so Google has no picture of it "
                "to work on. Leave `conversation_id` out, or pass the picture in `images`."
            )
        return replace(new, conversation_id=place.name, parent=place.turn)

    async def build_request(
        self, turn: Turn, new: NewTurn[ImageRequest], after: Predecessor
    ) -> RequestPlan:
        good = after.good
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        text = {"type": "text", "text": new.prompt}
        content = [*new.attached.contents, text]
        request = CreateRequest(
            input=content if new.attached.contents else new.prompt,
            model=turn.settings.model,
            previous_interaction_id=good.interaction_id if good else "",
            response_format=[{"type": "text"}, turn.extra["image"]],
            timeout=self._runtime.config.upstream_timeout_seconds,
        )
        notes = (*new.notes, *new.attached.notes)
        words = [{"type": "user_input", "content": content}]
        return RequestPlan(request, turn.settings, notes, words=words)

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        lost: tuple[str, ...] = ()
        try:
            await self._runtime.artifacts.keep(turn, interaction)
        except NotKept as problem:
            return outcomes.unkept(interaction, problem)
        except Garbled:
            lost = (outcomes.DAMAGED,)
        except Exception:
            log.exception("could not keep a picture of turn %s", turn.id)
            return outcomes.unkept(interaction, NotKept.by_fault())
        outcome = await self._runtime.outcome(interaction)
        return replace(outcome, notes=(*outcome.notes, *lost))

    async def deliver(self, turn: Turn, new: NewTurn[ImageRequest], outcome: Outcome) -> Outcome:
        """Copies where they were wanted, and the truth where there is no picture."""
        pictures = await self._runtime.artifacts.of(turn)
        if not pictures:
            return _without_picture(outcome)
        target = new.request.save_to
        if not target:
            return outcome
        saved, notes = [], []
        for picture in pictures:
            try:
                saved.append(await self._runtime.attachments.save(turn.owner, picture.id, target))
            except Refused as refusal:  # the picture itself is safe, and was paid for
                notes.append(f"It could not be saved there: {refusal}")
        return replace(
            outcome, notes=(*outcome.notes, *notes), extra={**outcome.extra, "saved": saved}
        )

    async def rebuild(self, running: RunningTurn, request: CreateRequest) -> CreateRequest:
        """Google has forgotten the conversation: we still have its last picture."""
        runtime, turn, good = self._runtime, running.turn, running.good
        picture = await self._last_picture(good) if good else None
        if picture is None:
            return await super().rebuild(running, request)
        longest = runtime.config.upstream_timeout_seconds
        kept = await runtime.attachments.read(turn.owner, [picture.id], longest)
        sent = await runtime.attachments.sent(running.turn.owner, kept, running.tell)
        running.turn = replace(turn, notes=(*turn.notes, SHOWN_AGAIN))
        text = {"type": "text", "text": request.input}
        content = request.input if isinstance(request.input, list) else [text]
        return replace(request, previous_interaction_id="", input=[*sent.contents, *content])

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        if not isinstance(problem, Gone) or problem.is_model or running.good is None:
            return problem
        return BadArgument(
            "Google no longer has that conversation. Leave `conversation_id` out and pass "
            'the picture itself in `images`: gemini_history with kind "images" lists them.'
        )

    async def _last_picture(self, good: Turn) -> Artifact | None:
        """The last picture of a conversation up to this turn, if its file is still here."""
        store, artifacts = self._runtime.store, self._runtime.artifacts
        for turn in await store.lineage(good.owner, good.conversation_id, good.n):
            if pictures := await artifacts.of(turn):
                file = await artifacts.open(pictures[-1])
                if file is None:
                    return None
                file.close()
                return pictures[-1]
        return None


def _without_picture(outcome: Outcome) -> Outcome:
    """An answer in words only: Gemini declined, or the prompt did not ask for a picture."""
    if outcome.status not in ("completed", "incomplete"):
        return outcome
    if outcomes.DAMAGED in outcome.notes:
        problem = Garbled()
        notes = tuple(each for each in outcome.notes if each != outcomes.DAMAGED)
        error = {"kind": problem.kind, "message": f"{outcomes.DAMAGED} {problem.message}"}
        return replace(outcome, status="failed", notes=notes, error=error)
    if outcome.status == "incomplete" and not outcome.text:
        error = {"kind": "NoImage", "message": STOPPED}
        return replace(outcome, status="failed", notes=(), error=error)
    said = "Gemini made no image; what it said instead is above. " if outcome.text else ""
    return replace(
        outcome,
        status="failed",
        error={
            "kind": "NoImage",
            "message": f"{said or 'Gemini made no image. '}Describe the picture you want "
            "differently, and avoid people, brands or anything it may decline to show.",
        },
    )


def _response_format(order: ImageRequest) -> dict[str, Any]:
    """The response format's image part."""
    image: dict[str, Any] = {"type": "image", "mime_type": "image/jpeg", "delivery": "inline"}
    if order.aspect_ratio:
        image["aspect_ratio"] = order.aspect_ratio
    if order.size:
        image["image_size"] = order.size
    return image
