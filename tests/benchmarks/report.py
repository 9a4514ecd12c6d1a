"""A row: one measurement beside its floor, and how far apart they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median


@dataclass(frozen=True, slots=True)
class Measurement:
    """`ours` against `budget`: a ratio to `floor` where there is a floor, else a plain figure.

    Only figures from one run are compared, since machines and hours differ.
    """

    what: str
    unit: str
    ours: float
    budget: float
    floor: float | None = None
    note: str = ""

    @property
    def measured(self) -> float:
        return self.ours / self.floor if self.floor else self.ours

    @property
    def is_within(self) -> bool:
        return self.measured <= self.budget

    @classmethod
    def ratio(
        cls, what: str, unit: str, ours: Sequence[float], floor: Sequence[float], budget: float
    ) -> Measurement:
        """From samples: their least, which noise disturbs least; the medians as a note."""
        middle = f"medians {median(ours):,.1f} / {median(floor):,.1f}"
        return cls(what, unit, min(ours), budget, min(floor), f"{middle}, n={len(ours)}")


def table(title: str, rows: Sequence[Measurement]) -> str:
    """The rows as a Markdown table."""
    lines = [f"## {title}", "", "| what | ours | floor | measured | budget | | |"]
    lines.append("|---|--:|--:|--:|--:|---|---|")
    for row in rows:
        floor = f"{row.floor:,.1f} {row.unit}" if row.floor else ""
        x = " ×" if row.floor else f" {row.unit}"
        budget = f"≤ {row.budget:,.2f}{x}" if row.budget < inf else ""
        lines.append(
            f"| {row.what} | {row.ours:,.1f} {row.unit} | {floor} | {row.measured:,.2f}{x} "
            f"| {budget} | {'ok' if row.is_within else 'OVER'} | {row.note} |"
        )
    return "\n".join(lines)
