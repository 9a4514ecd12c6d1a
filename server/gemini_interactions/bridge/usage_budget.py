"""Costs: what each owner spent today, and the daily limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..domain import model_catalog
from ..domain.errors import Refused
from ..domain.types import Usage
from ..telemetry.metrics import COST, TOKENS, registry
from .ports import Spent, Store

DAYS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What an owner may spend between 00:00 and 24:00 UTC; 0 is no limit."""

    tokens: int = 0
    usd: float = 0.0


class UsageBudget:
    """Books what was used; `now` is the wall clock, in epoch seconds."""

    def __init__(self, store: Store, limits: Limits, now: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._now = now

    async def book(self, owner: str, model: str, usage: Usage, tier: str = "") -> None:
        day = self._today()
        usd = model_catalog.price(model, usage, day, tier)
        await self._store.add_usage(owner, day.isoformat(), model or "unknown", usage, usd)
        counted = {"input": usage.input, "output": usage.output, "thought": usage.thought}
        for kind, count in {**counted, "cached": usage.cached, "tool_use": usage.tool_use}.items():
            registry.add(TOKENS, model or "unknown", kind, by=max(count, 0))
        if usd is not None:
            registry.add(COST, model or "unknown", by=max(usd, 0.0))

    async def check(self, owner: str) -> None:
        """Refuses new work past a daily limit, with the figure and when it ends."""
        if not (self._limits.tokens or self._limits.usd):
            return
        spent = await self._store.usage(owner, self._today().isoformat())
        tokens = sum(each.usage.total for each in spent)
        usd = sum(each.usd or 0.0 for each in spent)
        if self._limits.tokens and tokens >= self._limits.tokens:
            raise Refused(
                f"Today's limit of {self._limits.tokens:,} tokens is used up ({tokens:,} so far). "
                f"{self._reset()} Whoever runs this server sets it in "
                "GEMINI_MCP_DAILY_TOKEN_LIMIT."
            )
        if self._limits.usd and usd >= self._limits.usd:
            raise Refused(
                f"Today's limit of ${self._limits.usd:,.2f} is used up "
                f"(an estimated ${usd:,.2f} so far). {self._reset()} Whoever runs this server "
                "sets it in GEMINI_MCP_DAILY_USD_LIMIT."
            )

    async def told(self, owner: str) -> str:
        """The last days' use as Markdown."""
        today = self._today()
        first = today - timedelta(days=DAYS_SHOWN - 1)
        spent = await self._store.usage_between(owner, first.isoformat(), today.isoformat())
        lines = [
            "# Gemini usage",
            "",
            f"Tokens and estimated cost, {DAYS_SHOWN} days up to {today} (days end at 00:00 UTC).",
            "",
        ]
        if not spent:
            return "\n".join([*lines, "Nothing was used.", "", self._left(spent, today)]).rstrip()
        lines += ["| day | model | calls | tokens | estimated |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.day} | {each.model} | {each.calls} | {each.usage.total:,} "
            f"| {dollars(each.usd) or 'unknown'} |"
            for each in sorted(spent, key=lambda each: (each.day, each.model), reverse=True)
        ]
        return "\n".join([*lines, "", self._left(spent, today)]).rstrip()

    async def today(self, owner: str) -> dict[str, Any]:
        """What the day has cost so far and what its limits are, as numbers."""
        day = self._today().isoformat()
        spent = await self._store.usage(owner, day)
        return {
            "day": day,
            "tokens": sum(each.usage.total for each in spent),
            "usd": sum(each.usd or 0.0 for each in spent),
            "token_limit": self._limits.tokens,
            "usd_limit": self._limits.usd,
            "resets": self._reset(),
        }

    def _left(self, spent: Sequence[Spent], today: date) -> str:
        tokens = sum(each.usage.total for each in spent if each.day == today.isoformat())
        usd = sum(each.usd or 0.0 for each in spent if each.day == today.isoformat())
        limits = []
        if self._limits.tokens:
            limits.append(f"{tokens:,} of {self._limits.tokens:,} tokens")
        if self._limits.usd:
            limits.append(f"${usd:,.2f} of ${self._limits.usd:,.2f}")
        return f"Today's limits: {', '.join(limits)}. {self._reset()}" if limits else ""

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()

    def _reset(self) -> str:
        seconds = 86_400 - int(self._now()) % 86_400
        return f"It resets at 00:00 UTC, in {seconds // 3600} h {seconds % 3600 // 60} min."


def estimate(model: str, usage: Usage | None, at: float, tier: str = "") -> str:
    """The estimated price of one interaction as people read it; "" where none is known."""
    return dollars(price(model, usage, at, tier))


def price(model: str, usage: Usage | None, at: float, tier: str = "") -> float | None:
    """The estimate itself, in US dollars; None where none is known."""
    if usage is None:
        return None
    return model_catalog.price(model, usage, datetime.fromtimestamp(at, UTC).date(), tier)


def dollars(usd: float | None) -> str:
    if usd is None:
        return ""
    if usd >= 0.995:
        return f"~${usd:,.2f}"
    return f"~${usd:.4f}" if usd >= 0.00005 else "~$0"
