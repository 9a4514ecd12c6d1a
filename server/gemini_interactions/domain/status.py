"""Statuses of turns, as one table: what each of them means for what may be done next.

`Status` is the word callers see. A new one needs a row here, an ending in the two places that
put statuses into words (`tools/rendering`), and a section in the page of statuses; the type
checker and the tests name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

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


STATUSES: Mapping[Status, StatusRow] = {
    "completed": StatusRow("is completed", is_chainable=True, has_answer=True),
    "running": StatusRow("is still running", is_final=False),
    "requires_action": StatusRow("waits for function results", is_chainable=True),
    "plan_ready": StatusRow("has a plan that waits for approval", is_chainable=True),
    "incomplete": StatusRow("ended incomplete", is_chainable=True, has_answer=True),
    "interrupted": StatusRow("was interrupted", is_given_up=True, ended_badly=True),
    "stalled": StatusRow("was stalled", is_given_up=True, ended_badly=True),
    "failed": StatusRow("failed", ended_badly=True),
    "cancelled": StatusRow("was cancelled", ended_badly=True),
}

ALL: tuple[Status, ...] = get_args(Status)
CHAINABLE = frozenset(status for status in STATUSES if STATUSES[status].is_chainable)
"""Statuses whose interaction Google can continue from."""
GIVEN_UP = tuple(status for status in STATUSES if STATUSES[status].is_given_up)
