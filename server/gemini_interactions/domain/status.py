"""Statuses of turns, as one table: what each of them means for what may be done next.

`Status` is the word callers see. A new one needs a row here, an ending in the two places that
put statuses into words (`tools/rendering`), and a section in the page of statuses; the type
checker and the tests name them, and `docs/contributing.md` has the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never, get_args

Status = Literal[
    "completed",
    "running",
    "requires_action",
    "plan_ready",
    "incomplete",
    "interrupted",
    "stalled",
    "failed",
    "cancelled",
]
"""What a turn, research or image is, in the words callers see."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    """`is_final`: the work is over. `is_chainable`: Google can continue from its interaction.
    `has_answer`: there is a whole text, or the whole beginning of one. `is_given_up`: Google may
    still have an outcome, and a later look may find it. `ended_badly`: it led to nothing.
    `standing` says how it stands, as the end of a sentence."""

    standing: str
    is_final: bool = True
    is_chainable: bool = False
    has_answer: bool = False
    is_given_up: bool = False
    ended_badly: bool = False


def _row(status: Status) -> StatusRow:
    """A match, not a dictionary: the type checker names a status that has no row."""
    match status:
        case "completed":
            return StatusRow("is completed", is_chainable=True, has_answer=True)
        case "running":
            return StatusRow("is still running", is_final=False)
        case "requires_action":
            return StatusRow("waits for function results", is_chainable=True)
        case "plan_ready":
            return StatusRow("has a plan that waits for approval", is_chainable=True)
        case "incomplete":
            return StatusRow("ended incomplete", is_chainable=True, has_answer=True)
        case "interrupted":
            return StatusRow("was interrupted", is_given_up=True, ended_badly=True)
        case "stalled":
            return StatusRow("was stalled", is_given_up=True, ended_badly=True)
        case "failed":
            return StatusRow("failed", ended_badly=True)
        case "cancelled":
            return StatusRow("was cancelled", ended_badly=True)
        case unknown:
            assert_never(unknown)


ALL: tuple[Status, ...] = get_args(Status)
STATUSES: Mapping[Status, StatusRow] = {status: _row(status) for status in ALL}
CHAINABLE = frozenset(status for status in STATUSES if STATUSES[status].is_chainable)
"""Statuses whose interaction Google can continue from."""
GIVEN_UP = tuple(status for status in STATUSES if STATUSES[status].is_given_up)
