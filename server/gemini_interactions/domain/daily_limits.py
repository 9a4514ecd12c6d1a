"""Daily limits: what an owner may use in a day, what turns hold of it, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass

from .types import Usage

DAY = 86_400


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """What an owner may spend between 00:00 and 24:00 UTC; 0 is no limit."""

    tokens: int = 0
    usd: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.tokens or self.usd)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The estimated use of a turn, held against its owner's daily limits until it ends.

    `day` is the UTC day of admission (ISO 8601), to which everything the turn uses is booked.
    """

    day: str
    model: str
    tokens: int
    usd: float
    limits: DailyLimits = DailyLimits()


@dataclass(frozen=True, slots=True)
class Booking:
    """What a turn really used, and its estimated price where one is known."""

    model: str
    usage: Usage
    usd: float | None


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What an owner has used on one day (`booked`) and what work in flight holds (`reserved`)."""

    booked_tokens: int = 0
    booked_usd: float = 0.0
    reserved_tokens: int = 0
    reserved_usd: float = 0.0


def has_room(state: BudgetState, wanted: Reservation) -> bool:
    """Whether a turn fits beside what is booked and reserved."""
    limits = wanted.limits
    used = state.booked_tokens + state.reserved_tokens
    if limits.tokens and (used + wanted.tokens > limits.tokens or used >= limits.tokens):
        return False
    cost = state.booked_usd + state.reserved_usd
    # Sums of dollars are not exact.
    return not limits.usd or (cost + wanted.usd <= limits.usd * (1 + 1e-9) and cost < limits.usd)


def refusal(state: BudgetState, wanted: Reservation, now: float) -> str:
    """Why there is no room: what is booked, what is reserved, and when it resets; for what would
    not fit into a whole day, the limit it needs. `wanted` may be of nothing."""
    limits = wanted.limits
    used = state.booked_tokens + state.reserved_tokens
    if limits.tokens and (used + wanted.tokens > limits.tokens or used >= limits.tokens):
        problem = _problem(
            f"{limits.tokens:,} tokens",
            f"{state.booked_tokens:,} so far" if state.booked_tokens >= limits.tokens else "",
            f"{state.booked_tokens:,} booked, {state.reserved_tokens:,} reserved",
            f"{wanted.tokens:,} tokens" if wanted.tokens else "",
            is_too_dear=wanted.tokens > limits.tokens,
        )
        setting = "GEMINI_MCP_DAILY_TOKEN_LIMIT"
    else:
        problem = _problem(
            _dollars(limits.usd),
            f"an estimated {_dollars(state.booked_usd)} so far"
            if state.booked_usd >= limits.usd
            else "",
            f"{_dollars(state.booked_usd)} booked, {_dollars(state.reserved_usd)} reserved",
            _dollars(wanted.usd) if wanted.usd else "",
            is_too_dear=wanted.usd > limits.usd,
        )
        setting = "GEMINI_MCP_DAILY_USD_LIMIT"
    return f"{problem} {reset(now)} Whoever runs this server sets it in {setting}."


def reset(now: float) -> str:
    seconds = DAY - int(now) % DAY
    return f"It resets at 00:00 UTC, in {seconds // 3600} h {seconds % 3600 // 60} min."


def _problem(limit: str, so_far: str, standing: str, need: str, *, is_too_dear: bool) -> str:
    standing = f"{standing} for work in flight"
    if is_too_dear:
        return (
            f"This alone is estimated at {need}, more than the whole daily limit of {limit} "
            f"({standing}). It needs a limit of at least {need}."
        )
    if so_far:
        return f"Today's limit of {limit} is used up ({so_far}): {standing}."
    this = f", and this is estimated at {need}" if need else ""
    return f"Today's limit of {limit} has no room for this: {standing}{this}."


def _dollars(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 0.005 or not usd else f"${usd:.4f}"
