"""Images: pictures made and edited in a conversation, delivered as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from ....domain import model_catalog
from ....domain.errors import BadArgument, Garbled, Gone, Refused
from ....domain.types import Artifact, CreateRequest, Turn, TurnSettings
from ...artifact_repository import ArtifactRepository
from ...attachments import Attachments
from ...ports import Store
from ...requests import Caller, ImageRequest, Reply
from .. import function_calls, outcomes
from ..executor import TurnExecutor
from ..history_chain import HistoryChain, passed_over
from ..outcomes import Outcome
from ..retry_policy import Policy
from ..running_turns import RunningTurn
from ..submission import TurnSubmission
from ..turn_resolver import TurnResolver

SHOWN_AGAIN = (
    "Google had forgotten this conversation; its last picture was sent again from the copy kept "
    "here, without what was said before."
)


class Images:
    """What the images toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        workshop: TurnExecutor,
        desk: TurnSubmission,
        places: TurnResolver,
        attachments: Attachments,
        gallery: ArtifactRepository,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._desk = desk
        self._places = places
        self._attachments = attachments
        self._gallery = gallery
        self._policy = policy
        self._now = now
        self._chains = HistoryChain(store)

    async def generate(self, caller: Caller, order: ImageRequest) -> Reply:
        """Draw a new picture, or edit the last one of a conversation."""
        if not order.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what to draw.")
        self._desk.check_prompt(order.prompt)
        self._desk.check_model(order.model, "image, image-pro")
        return await self._desk.serve(
            caller, lambda: self._begun(caller, order), self._places.line(order.conversation_id)
        )

    async def _begun(self, caller: Caller, order: ImageRequest) -> Turn:
        choice = model_catalog.choose(
            order.model, kind="image", default=self._policy.image_model, today=self._today()
        )
        await self._desk.admit(caller.owner)
        await self._gallery.check()
        if order.save_to:
            await self._attachments.check_target(order.save_to)
        attached = await self._attachments.read(
            caller.owner, order.references, self._desk.left(caller)
        )
        text = {"type": "text", "text": order.prompt}
        intent = self._desk.intent(
            caller,
            order.prompt,
            {"image": _wanted(order)},
            settings=TurnSettings(model=choice.model),
            input=[*attached.kept(), text] if attached.contents else None,
        )
        notes = (*((choice.note,) if choice.note else ()), *attached.notes)

        async def made(work: RunningTurn) -> Outcome | None:
            contents = (await self._attachments.sent(work, attached)).contents
            given = [*contents, text] if contents else order.prompt
            outcome = await self._draw(work, given, notes)
            return await self._delivered(work.turn, outcome, order.save_to)

        return await self._desk.begin(
            caller, order.prompt, await self._writing(caller, order, intent), made
        )

    async def _delivered(self, turn: Turn, outcome: Outcome, target: str) -> Outcome:
        """Copies where they were wanted, and the truth where there is no picture."""
        pictures = await self._gallery.of(turn)
        if not pictures:
            return _without_picture(outcome)
        if not target:
            return outcome
        saved, notes = [], []
        for picture in pictures:
            try:
                saved.append(await self._attachments.save(turn.owner, picture.id, target))
            except Refused as refusal:  # the picture itself is safe, and was paid for
                notes.append(f"It could not be saved there: {refusal}")
        return replace(
            outcome, notes=(*outcome.notes, *notes), extra={**outcome.extra, "saved": saved}
        )

    async def _writing(
        self, caller: Caller, order: ImageRequest, intent: dict[str, Any]
    ) -> Callable[[], Any]:
        """How the turn is written down: in a new conversation, or behind those of one."""
        if not order.conversation_id:
            return lambda: self._store.begin(caller.owner, kind="image", **intent)
        place = await self._places.of_ours(caller, order.conversation_id)
        before = await self._places.before(caller.owner, place)
        if not await self._places.is_stored(before):
            raise BadArgument(
                "That conversation was started with store=false, so Google has no picture of it "
                "to work on. Leave `conversation_id` out, or pass the picture in `images`."
            )
        return lambda: self._store.follow(
            caller.owner, place.name, kind="image", parent=place.turn, **intent
        )

    async def _draw(
        self, work: RunningTurn, given: str | list[dict[str, Any]], notes: tuple[str, ...]
    ) -> Outcome:
        """Wait for the turn before where there is one, then create, in one piece."""
        turn = work.turn
        before = await self._workshop.predecessor(turn)
        good = await self._chains.last_good(before) if before else None
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(await self._workshop.with_words(good))
        await self._workshop.sending(
            work, turn.settings, good, (*passed_over(before, good), *notes)
        )
        call = CreateRequest(
            input=given,
            model=turn.settings.model,
            previous_interaction_id=good.interaction_id if good else "",
            response_format=[{"type": "text"}, turn.extra["image"]],
            timeout=self._policy.upstream_timeout,
        )
        if good is not None:
            work.rebuild = partial(self._rebuilt, work, call, good)
        try:
            interaction = await self._workshop.exchange.create(work, call)
        except Gone as gone:
            if gone.is_model or good is None:
                raise
            raise BadArgument(
                "Google no longer has that conversation. Leave `conversation_id` out and pass "
                'the picture itself in `images`: gemini_history with kind "images" lists them.'
            ) from None
        if interaction.id:
            await self._workshop.exchange.named(work, interaction.id)
        return await self._workshop.judged(work.turn, interaction)

    async def _rebuilt(self, work: RunningTurn, call: CreateRequest, good: Turn) -> CreateRequest:
        """The same call for a conversation that Google has forgotten: we still have its picture."""
        text = {"type": "text", "text": call.input}
        content = call.input if isinstance(call.input, list) else [text]
        picture = await self._last_picture(good)
        if picture is None:
            words = [{"type": "user_input", "content": content}]
            is_kept = self._policy.transcripts
            return await self._chains.rebuilt(work, call, good, words, self._now(), is_kept=is_kept)
        patience = self._policy.upstream_timeout
        kept = await self._attachments.read(work.turn.owner, [picture.id], patience)
        sent = await self._attachments.sent(work, kept)
        work.turn = replace(work.turn, notes=(*work.turn.notes, SHOWN_AGAIN))
        return replace(call, previous_interaction_id="", input=[*sent.contents, *content])

    async def _last_picture(self, good: Turn) -> Artifact | None:
        """The last picture of a conversation up to this turn, if its file is still here."""
        for turn in await self._store.lineage(good.owner, good.conversation_id, good.n):
            if pictures := await self._gallery.of(turn):
                file = await self._gallery.open(pictures[-1])
                if file is None:
                    return None
                file.close()
                return pictures[-1]
        return None

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def _without_picture(outcome: Outcome) -> Outcome:
    """An answer in words only: Gemini declined, or the prompt did not ask for a picture."""
    if outcome.status not in ("completed", "incomplete"):
        return outcome
    if outcomes.DAMAGED in outcome.notes:
        problem = Garbled()
        notes = tuple(each for each in outcome.notes if each != outcomes.DAMAGED)
        error = {"kind": problem.kind, "message": f"{outcomes.DAMAGED} {problem.message}"}
        return replace(outcome, status="failed", notes=notes, error=error)
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


def _wanted(order: ImageRequest) -> dict[str, Any]:
    """The response format's image part."""
    image: dict[str, Any] = {"type": "image", "mime_type": "image/jpeg", "delivery": "inline"}
    if order.aspect_ratio:
        image["aspect_ratio"] = order.aspect_ratio
    if order.size:
        image["image_size"] = order.size
    return image
