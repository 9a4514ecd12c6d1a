"""Which model serves a request, at which thinking level and price: rules over the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from gemini_interactions.domain.models.model_table import (
    AGENTS,
    ALIASES,
    DEFAULTS,
    GONE,
    IMAGE,
    LEVELS,
    MUSIC,
    ROWS,
    SANDBOX_AGENT,
    SPEECH,
    TABLE,
    TEXT,
    TIERS,
    VIDEO,
    WHEN_MAKING,
    Depth,
    Kind,
    Model,
    Output,
    Price,
    aliases,
)
from gemini_interactions.domain.types import Usage

__all__ = [
    "AGENTS",
    "ALIASES",
    "IMAGE",
    "LEVELS",
    "MUSIC",
    "SANDBOX_AGENT",
    "SPEECH",
    "TEXT",
    "TIERS",
    "VIDEO",
    "Depth",
    "Kind",
    "Model",
    "Output",
    "Price",
    "aliases",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to send, and what to tell the caller about it."""

    model: str
    note: str = ""


def choose(model: str, *, kind: Output = "text", default: str = "", today: date) -> Choice:
    """The model that serves this wish today: an alias, a successor, or the id untouched.

    An empty wish means `default`, itself an id or an alias; an empty default ours for the kind.
    """
    # Ours for texts is what `fast` stands for, which changes on a day.
    name = _bare(model) or _bare(default) or ("fast" if kind == "text" else DEFAULTS[kind])
    known = name.lower()
    alias = WHEN_MAKING.get(kind, {}).get(known) or aliases(today).get(known)
    if alias:
        return Choice(alias)
    successor = _successor(known, today)
    if not successor:
        return Choice(known if known in ROWS else name)
    if kind != "text" and ROWS[successor].kind != kind:
        successor = DEFAULTS[kind]
    what = "Agent" if ROWS[successor].kind == "agent" else "Model"
    return Choice(successor, f"{what} {known} is retired; {successor} was used instead.")


def _bare(model: str) -> str:
    name = model.strip()
    while name[:7].lower() == "models/":
        name = name[7:].strip()
    return name


def _successor(model: str, today: date) -> str:
    """What stands in for this id today; empty when it lives, or nobody has heard of it."""
    row = ROWS.get(model)
    if row is not None:
        return row.successor if row.ends and today >= row.ends else ""
    gone = next((then for pattern, then in GONE if pattern.fullmatch(model)), "")
    # A successor may be gone by now too.
    return gone and (_successor(gone, today) or gone)


def level(model: str, thinking: str) -> tuple[str, str]:
    """The thinking level to send and a note when it is not the one asked for.

    Between two that are equally near the lower one is taken: never more than was asked.
    """
    row = ROWS.get(_bare(model).lower())
    if row is None or not row.levels or thinking in row.levels or thinking not in LEVELS:
        return thinking, ""
    asked = LEVELS.index(thinking)
    nearest = min(row.levels, key=lambda has: (abs(LEVELS.index(has) - asked), LEVELS.index(has)))
    return nearest, f"{row.id} has no thinking level {thinking}; {nearest} was used instead."


def price(model: str, usage: Usage, today: date, tier: str = "") -> float | None:
    """An estimate in US dollars; None when nobody here knows the model's price."""
    if not usage.is_itemized:
        return None
    cost = price_of(model, today)
    return cost.of(usage) * TIERS.get(tier, 1.0) if cost else None


def price_of(model: str, today: date) -> Price | None:
    """The row that says what a model, or what stands in for it, costs today."""
    name = _bare(model).lower()
    row = ROWS.get(_successor(name, today) or name)
    return row.price(today) if row else None


def kind_of(model: str) -> Kind | None:
    """What a model makes; None where nobody here has heard of it."""
    row = ROWS.get(_bare(model).lower())
    return row.kind if row else None


def longest(model: str) -> int:
    """Seconds of the longest video a model makes; 0 is unknown."""
    row = ROWS.get(_bare(model).lower())
    return row.longest if row else 0


def known() -> tuple[Model, ...]:
    """Every row of the table, the ones to prefer first."""
    return TABLE


def is_agent(model: str) -> bool:
    """Whether this id names an agent, which no model call takes."""
    name = _bare(model).lower()
    return name.startswith(("deep-research-", "antigravity-"))


def agent_of(depth: Depth) -> str:
    """The Deep Research agent for this depth."""
    return AGENTS[depth]
