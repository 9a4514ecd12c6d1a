"""The ids people and models write: conversations, turns, researches, images, Google's own.

An id is a name, not a capability: reading one here says only what it names, and every use
is checked against its owner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .artifact import BY_PREFIX, ArtifactKind
from .errors import BadArgument
from .types import CROCKFORD

_OURS = re.compile(rf"([c{''.join(BY_PREFIX)}])_([{CROCKFORD}]{{10}})(?:/([1-9][0-9]{{0,8}}))?")
_GOOGLES = re.compile(r"v1_[A-Za-z0-9_-]{1,253}")
_USABLE = re.compile(r"[A-Za-z0-9_-]{1,256}")

Kind = Literal["conversation", "turn", "interaction"] | ArtifactKind


@dataclass(frozen=True, slots=True)
class Id:
    """What an id names: `name` without the turn, `turn` only for ``c_…/n``, and for
    ``r_…/n``, the n-th turn of a research: its plan, a revision, the run."""

    kind: Kind
    name: str
    turn: int | None = None

    def __str__(self) -> str:
        return self.name if self.turn is None else f"{self.name}/{self.turn}"


def is_interaction_id(value: object) -> bool:
    """Whether it may stand in an address at Google: the SDK puts ids there as they are."""
    return isinstance(value, str) and _USABLE.fullmatch(value) is not None


def read_id(text: str) -> Id:
    """What `text` names; raises BadArgument when it is no id at all."""
    text = text.strip()
    if _GOOGLES.fullmatch(text):
        return Id("interaction", text)
    ours = _OURS.fullmatch(text.lower())
    if ours:
        letter, rest, turn = ours.groups()
        name = f"{letter}_{rest}"
        if letter == "c":
            return Id("turn", name, int(turn)) if turn else Id("conversation", name)
        kind = BY_PREFIX[letter]
        if turn is None or kind is ArtifactKind.RESEARCH:
            return Id(kind, name, int(turn) if turn else None)
    shown = text if len(text) <= 40 else text[:39] + "…"
    raise BadArgument(
        f"'{shown}' is not an id of this server. Ids look like c_4k9x2m7q0z (a conversation) or "
        "c_4k9x2m7q0z/3 (its third turn). Call gemini_history to see the ones there are."
    )
