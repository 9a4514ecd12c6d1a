"""What speech, music and video turns have in common: a file is what they are for.

What was wanted of the file stands in the turn itself, so that whoever takes it over after a
crash does the same with it.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from ....domain.artifact import ArtifactKind
from ....domain.errors import BadArgument, Garbled, NotKept, Refused
from ....domain.models import model_catalog
from ....domain.models.model_catalog import Output
from ....domain.types import Artifact, CreateRequest, Interaction, Turn, TurnSettings, Usage
from ...usage.usage_budget import dollars
from .. import outcomes
from ..new_turn import NewTurn, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandler

R = TypeVar("R")

log = logging.getLogger(__name__)

MADE = "made"
"""Where a turn keeps what was wanted of its file."""
_NAMES = {
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "video/mp4": "mp4",
}


class MediaHandler(TurnHandler[R]):
    output: ClassVar[Output]
    """What the model makes."""
    made: ClassVar[ArtifactKind]
    """What the file is."""

    @abstractmethod
    def most(self, request: R, model: str) -> Usage:
        """The most a call can use, for its price."""

    async def prepared(
        self, new: NewTurn[R], *, model: str, save_to: str, default: str, facts: Mapping[str, Any]
    ) -> NewTurn[R]:
        """The turn with its model and what is wanted of its file; refuses what cannot be had,
        before anything is paid."""
        runtime = self._runtime
        choice = model_catalog.choose(model, kind=self.output, default=default, today=runtime.today)
        kind = model_catalog.kind_of(choice.model)
        if kind not in (None, self.output):
            raise BadArgument(
                f"`model`: {choice.model} makes {kind}, not {self.output}. Leave it out for the "
                "default; gemini://models lists what there is."
            )
        await runtime.files.check_media()
        if save_to:
            await runtime.attachments.check_target(save_to)
        usage = self.most(new.request, choice.model)
        most = model_catalog.price(choice.model, usage, runtime.today)
        await self._check_budget(new.caller.owner, most)
        wanted = {**facts, **({"save_to": save_to} if save_to else {})}
        return replace(
            new,
            settings=TurnSettings(model=choice.model),
            notes=(choice.note,) if choice.note else (),
            extra={MADE: wanted, **({"most_usd": round(most, 4)} if most is not None else {})},
        )

    async def _check_budget(self, owner: str, most: float | None) -> None:
        budget = self._runtime.budget
        would = f" This call would cost at most {dollars(most)}." if most is not None else ""
        try:
            await budget.check(owner)
        except Refused as refusal:
            raise Refused(f"{refusal}{would}") from None
        left = await budget.usd_left(owner)
        if left is not None and most is not None and most > left:
            raise Refused(
                f"This call would cost at most {dollars(most)}, and {dollars(max(left, 0.0))} of "
                "today's limit is left. Ask for less, or wait: whoever runs this server sets the "
                "limit in GEMINI_MCP_DAILY_USD_LIMIT."
            )

    def plan(
        self, turn: Turn, new: NewTurn[R], request: CreateRequest, notes: Sequence[str] = ()
    ) -> RequestPlan:
        """What is sent, with the words that stand for it where Google has forgotten."""
        given = request.input
        content = given if isinstance(given, list) else [{"type": "text", "text": given}]
        words = [{"type": "user_input", "content": content}]
        notes = (*new.notes, *notes, *new.attached.notes)
        return RequestPlan(request, turn.settings, notes, words=words)

    def check_attached(self, new: NewTurn[R], allowed: Sequence[str], parameter: str) -> None:
        """Refuse what this kind of model cannot look at."""
        given = zip(new.attached.contents, new.attached.labels, strict=False)
        for content, label in given:
            if content.get("type") not in allowed:
                raise BadArgument(
                    f"`{parameter}`: {label} is no {' or '.join(allowed)}. Nothing was sent."
                )

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        """The file, kept; or the truth where there is none."""
        lost = ""
        try:
            await self._runtime.artifacts.keep(turn, interaction)
        except NotKept as problem:
            return outcomes.unkept(interaction, problem)
        except Exception as problem:
            if not isinstance(problem, Garbled):
                log.exception("could not keep the file of turn %s", turn.id)
                return outcomes.unkept(interaction, NotKept.by_fault(self.made.noun))
            lost = f"The {self.made.noun} came damaged, and could not be kept. {problem.message}"
        outcome = outcomes.of(interaction)
        files = [
            each for each in await self._runtime.artifacts.files_of(turn) if each.kind is self.made
        ]
        if not files:
            return self._without_file(outcome, lost)
        outcome = replace(outcome, usage=_with_files(interaction.usage, files))
        wanted = turn.extra.get(MADE, {})
        notes = (*outcome.notes, *_another_format(str(wanted.get("format", "")), files))
        text = _with_ids(outcome.text, self.made, files)
        return await self._saved(turn, replace(outcome, notes=notes, text=text), files)

    def _without_file(self, outcome: Outcome, lost: str) -> Outcome:
        """An answer in words only: Gemini declined, or its file was damaged."""
        if outcome.status not in ("completed", "incomplete"):
            return outcome
        if lost:
            return replace(outcome, status="failed", error={"kind": "Garbled", "message": lost})
        noun = self.made.noun
        if f"[{self.made.value}]" in outcome.text:
            lost = f"The {noun} came without any bytes. Ask for it again."
            return replace(outcome, status="failed", error={"kind": "Garbled", "message": lost})
        said = f"Gemini made no {noun}; what it said instead is above. " if outcome.text else ""
        return replace(
            outcome,
            status="failed",
            error={
                "kind": "NoFile",
                "message": f"{said or f'Gemini made no {noun}. '}Describe what you want "
                "differently, and avoid people, brands or anything it may decline to make.",
            },
        )

    async def _saved(self, turn: Turn, outcome: Outcome, files: Sequence[Artifact]) -> Outcome:
        """A copy where one was wanted, made once."""
        target = str(turn.extra.get(MADE, {}).get("save_to", ""))
        if not target or turn.extra.get("saved"):
            return outcome
        saved, notes = [], []
        for file in files:
            try:
                saved.append(
                    await self._runtime.attachments.save(turn.owner, file.id, target, file.kind)
                )
            except Refused as refusal:  # the file itself is safe, and was paid for
                notes.append(f"It could not be saved there: {refusal}")
        return replace(
            outcome, notes=(*outcome.notes, *notes), extra={**outcome.extra, "saved": saved}
        )


def _with_files(usage: Usage | None, files: Sequence[Artifact]) -> Usage:
    """What was used, with the files that were made: some models are paid for by them."""
    seconds = sum(float(each.facts.get("seconds") or 0.0) for each in files)
    return replace(usage or Usage(), pieces=len(files), seconds=round(seconds, 3))


def _with_ids(text: str, kind: ArtifactKind, files: Sequence[Artifact]) -> str:
    """The text with the id of each file where the file stands."""
    for file in files:
        text = text.replace(f"[{kind.value}]", f"[{kind.value} {file.id}]", 1)
    return text


def _another_format(wanted: str, files: Sequence[Artifact]) -> tuple[str, ...]:
    """One line where what came is not what was asked for."""
    came = {str(each.facts.get("mime_type", "")) for each in files}
    names = sorted(_NAMES.get(each, each) for each in came)
    if not wanted or names == [wanted]:
        return ()
    return (f"{wanted} was asked for, and Gemini sent {' and '.join(names)}.",)
