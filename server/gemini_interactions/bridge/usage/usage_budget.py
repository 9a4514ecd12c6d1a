"""Usage budget: what each owner used today, what work in flight holds, and the daily limits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ...domain.daily_limits import (
    Booking,
    BudgetState,
    DailyLimits,
    Reservation,
    has_room,
    refusal,
    reset,
)
from ...domain.errors import OverLimit
from ...domain.models import model_catalog
from ...domain.types import Turn, TurnSettings, Usage
from ...telemetry.metrics import COST, TOKENS, model_label, registry
from ..ports import Spent, Store
from .usage_estimate import (
    USUAL_BESIDE_PROMPT,
    PlannedUse,
    beside_prompt,
    content_tokens,
    estimated,
    run_price,
    text_tokens,
)

log = logging.getLogger(__name__)

DAYS_SHOWN = 30

MOST_TOKENS = 50_000_000
"""More than any interaction uses, in tokens: a higher count is a mistake of whoever counted."""

_TOKENS = ("input", "output", "thought", "cached", "tool_use", "total")

_PRIOR = 2
"""As so many turns the guess weighs against what turns of a model really used."""
_MOST_KNOWN = 1_000


class UsageBudget:
    """Reserves and books what turns use; `now` is the wall clock, in epoch seconds."""

    def __init__(self, store: Store, limits: DailyLimits, now: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._now = now
        self._typical: dict[tuple[str, str], tuple[int, int]] = {}
        """By owner and model: how many turns were seen, and what they used besides their prompt."""

    @property
    def is_limited(self) -> bool:
        """Whether there is any daily limit."""
        return bool(self._limits)

    async def check(self, owner: str) -> None:
        """Refuses new work where no room is left, before anything is done for it."""
        if not self._limits:
            return
        state = await self._store.budget(owner, self._today().isoformat())
        nothing = Reservation(self._today().isoformat(), "", 0, 0.0, self._limits)
        if not has_room(state, nothing):
            raise OverLimit(refusal(state, nothing, self._now()))

    def reservation(
        self,
        owner: str,
        model: str,
        prompt: str,
        extra: Mapping[str, Any],
        *,
        settings: TurnSettings | None = None,
        input: Sequence[Mapping[str, Any]] | None = None,
        before: Turn | None = None,
        day: str = "",
    ) -> Reservation:
        """What to hold for a turn; `before` is the one whose history goes along.

        A guess alone is no reason to refuse what would fit into the whole limit: what is guessed
        of an answer is cut to that.
        """
        known = text_tokens(prompt) if input is None else content_tokens(input)
        settings = settings or TurnSettings()
        known += text_tokens(settings.system_instruction)
        past = before.usage if before is not None else None
        use = PlannedUse(
            model,
            known,
            past.input + past.output if past is not None else 0,
            settings.thinking,
            settings.tools,
            settings.service_tier,
            self._typical_of(owner, model),
            extra,
        )
        found = estimated(use, self._today())
        tokens, usd = found.tokens, found.usd
        if self._limits.tokens and found.known <= self._limits.tokens and found.is_guess:
            tokens = min(tokens, self._limits.tokens)
        if self._limits.usd and found.is_guess:
            usd = min(usd, self._limits.usd)
        return Reservation(
            day or self._today().isoformat(), model or "unknown", tokens, usd, self._limits
        )

    def _typical_of(self, owner: str, model: str) -> float | None:
        seen = self._typical.get((owner, model))
        if seen is None:
            return None
        turns, tokens = seen
        return (tokens + _PRIOR * USUAL_BESIDE_PROMPT) / (turns + _PRIOR)

    def booking(
        self, turn: Turn, model: str, usage: Usage | None, tier: str = ""
    ) -> Booking | None:
        """What to book for a turn; None where its use is not known, or not to be believed."""
        if usage is None:
            return None
        trusted = plausible(usage)
        if trusted != usage:
            log.warning("implausible usage of turn %s was corrected", turn.id)
        if trusted is None:
            return None
        model = model or turn.settings.model or "unknown"
        self._learn(turn, model, trusted)
        day = datetime.fromtimestamp(turn.created, UTC).date()
        usd = model_catalog.price(model, trusted, day, tier)
        if usd is None and turn.kind == "agent":
            # Without it no limit in dollars would ever end runs whose tokens have no price.
            usd = run_price(model, turn.extra)
        return Booking(model, trusted, usd)

    def settlement(
        self, turn: Turn, model: str, usage: Usage | None, *, tier: str, is_answer: bool
    ) -> tuple[Usage | None, Booking | None, bool]:
        """The use to store with a turn that ends, what to book for it, and whether its estimate is
        booked where that is nothing: for what was paid and does not say how much."""
        if usage is not None and usage == turn.usage:  # found again: it was booked before
            return usage, None, False
        booking = self.booking(turn, model, usage, tier)
        return booking.usage if booking else None, booking, is_answer and booking is None

    @staticmethod
    def count(booking: Booking) -> None:
        """Add what was booked to this process's metrics."""
        used, label = booking.usage, model_label(booking.model)
        counted = {"input": used.input, "output": used.output, "thought": used.thought}
        for kind, count in {**counted, "cached": used.cached, "tool_use": used.tool_use}.items():
            registry.add(TOKENS, label, kind, by=count)
        if booking.usd is not None:
            registry.add(COST, label, by=max(booking.usd, 0.0))

    def _learn(self, turn: Turn, model: str, usage: Usage) -> None:
        key = (turn.owner, model)
        turns, tokens = self._typical.pop(key, (0, 0))
        self._typical[key] = (turns + 1, tokens + beside_prompt(turn, usage))
        if len(self._typical) > _MOST_KNOWN:
            del self._typical[next(iter(self._typical))]

    async def usd_left(self, owner: str) -> float | None:
        """Estimated dollars of today's limit that are left; None where there is no limit."""
        if not self._limits.usd:
            return None
        spent = await self._store.usage(owner, self._today().isoformat())
        return self._limits.usd - sum(each.usd or 0.0 for each in spent)

    async def as_text(self, owner: str) -> str:
        """The last days' use as Markdown."""
        today = self._today()
        first = today - timedelta(days=DAYS_SHOWN - 1)
        spent = await self._store.usage_between(owner, first.isoformat(), today.isoformat())
        state = await self._store.budget(owner, today.isoformat())
        left = self._left(state)
        lines = [
            "# Gemini usage",
            "",
            f"Tokens and estimated cost, {DAYS_SHOWN} days up to {today} (days end at 00:00 UTC).",
            "",
        ]
        if not spent:
            return "\n".join([*lines, "Nothing was used.", "", *left]).rstrip()
        lines += ["| day | model | calls | tokens | estimated |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.day} | {each.model} | {_calls(each)} | {each.usage.total:,} "
            f"| {dollars(each.usd) or 'unknown'} |"
            for each in sorted(spent, key=lambda each: (each.day, each.model), reverse=True)
        ]
        if any(each.estimated for each in spent):
            lines += ["", ESTIMATED]
        if any(each.usd and not model_catalog.price_of(each.model, today) for each in spent):
            lines += ["", BY_THE_RUN]
        return "\n".join([*lines, "", *left]).rstrip()

    async def today(self, owner: str) -> dict[str, Any]:
        """What the day has cost so far and what its limits are, as numbers."""
        day = self._today().isoformat()
        state = await self._store.budget(owner, day)
        return {
            "day": day,
            "tokens": state.booked_tokens,
            "usd": state.booked_usd,
            "reserved_tokens": state.reserved_tokens,
            "reserved_usd": state.reserved_usd,
            "token_limit": self._limits.tokens,
            "usd_limit": self._limits.usd,
            "resets": reset(self._now()),
        }

    def _left(self, state: BudgetState) -> list[str]:
        held = f"{state.reserved_tokens:,} tokens ({dollars(state.reserved_usd)})"
        lines = [f"Reserved for work in flight: {held if state.reserved_tokens else 'nothing'}."]
        limits = []
        if self._limits.tokens:
            limits.append(f"{state.booked_tokens:,} of {self._limits.tokens:,} tokens")
        if self._limits.usd:
            limits.append(f"{_bill(state.booked_usd)} of {_bill(self._limits.usd)}")
        if limits:
            lines.append(f"Today's limits: {', '.join(limits)}. {reset(self._now())}")
        return lines

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


ESTIMATED = (
    "Calls marked as estimated ended without saying what they used, such as when they were "
    "interrupted: they are booked with what such calls usually use."
)


BY_THE_RUN = (
    "For the tokens of agents in a sandbox no price is known: each run counts with the middle of "
    "the range that Google publishes for one."
)


def plausible(usage: Usage) -> Usage | None:
    """Counts that can be added up: whole numbers from 0 on. None where they say nothing: such a
    turn is booked as estimated, so that it can neither switch a limit off nor fill it."""
    counts = {name: _count(getattr(usage, name)) for name in _TOKENS}
    parts = counts["input"] + counts["output"] + counts["thought"] + counts["tool_use"]
    total = counts["total"] or parts
    has_files = bool(usage.pieces or usage.seconds)
    if max(total, parts) > MOST_TOKENS or not (total or has_files):
        return None
    return replace(usage, **{**counts, "total": total})


def _count(value: Any) -> int:
    """A count as upstream gave it, whatever it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(max(value, 0), 10 * MOST_TOKENS))


def _calls(spent: Spent) -> str:
    estimated = f" ({spent.estimated:,} estimated)" if spent.estimated else ""
    return f"{spent.calls}{estimated}"


def estimate(model: str, usage: Usage | None, at: float, tier: str = "") -> str:
    """The estimated price of one interaction as people read it; "" where none is known."""
    return dollars(price(model, usage, at, tier))


def price(model: str, usage: Usage | None, at: float, tier: str = "") -> float | None:
    """The estimate itself, in US dollars; None where none is known."""
    if usage is None:
        return None
    return model_catalog.price(model, usage, datetime.fromtimestamp(at, UTC).date(), tier)


def dollars(usd: float | None) -> str:
    """An estimate as people read it; "" for none."""
    return "" if usd is None else f"~{amount(usd)}"


def amount(usd: float) -> str:
    """Dollars with cents; what is below a dollar, with as many digits as show that it is not 0."""
    if usd >= 0.995:
        return f"${usd:,.2f}"
    if usd >= 0.00005:
        return f"${usd:.4f}"
    return f"${usd:.10f}".rstrip("0").rstrip(".")[:12] if usd > 0 else "$0"


def _bill(usd: float) -> str:
    """Dollars and cents; below a cent, the digits."""
    return f"${usd:,.2f}" if usd >= 0.01 or usd == 0 else amount(usd)
