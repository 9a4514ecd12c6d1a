"""Service tiers: flex costs half and waits long, priority costs more; Google says what it gave."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from ...domain.errors import RateLimited, Refused, Unavailable, UpstreamError
from ...domain.models import model_catalog
from ...domain.types import CreateRequest, Turn, TurnSettings

FLEX = "flex"
FLEX_SECONDS = 1260.0
"""How long a flex turn may take in all: Google promises one to fifteen minutes."""
FLEX_WAIT = 5.0
"""Seconds after which a call for a flex turn answers "running": what may wait is no host's
business to wait for."""


def patient(request: CreateRequest, *, store: bool) -> CreateRequest:
    """A flex request as it is sent: in the background where Google keeps it, so that its id is
    known at once; else in the foreground, with all the time it may take."""
    if request.service_tier != FLEX:
        return request
    longest = max(request.timeout, FLEX_SECONDS)
    return replace(request, background=store, timeout=longest)


def default(configured: str) -> str:
    """The tier to ask for where a call names none; Google's own default goes without saying."""
    return "" if configured == "standard" else configured


def longest(turn: Turn, otherwise: float) -> float:
    """Seconds a turn may take at Google."""
    return max(otherwise, FLEX_SECONDS) if turn.settings.service_tier == FLEX else otherwise


def explained(
    problem: UpstreamError, settings: TurnSettings, today: date
) -> UpstreamError | Refused:
    """What it means that a tier had no room; other problems mean what they always do."""
    if settings.service_tier != FLEX or not isinstance(problem, RateLimited | Unavailable):
        return problem
    if isinstance(problem, RateLimited) and not problem.may_pass:
        return problem
    cost = model_catalog.price_of(settings.model, today)
    price = ""
    if cost is not None:
        dollars = f"${cost.input:g} in and ${cost.output:g} out"
        price = f" (an estimated {dollars} for a million tokens)"
    # There is no falling back to a dearer tier by itself.
    return Refused(
        "Gemini has no room in the flex tier just now; nothing was billed. Try again later, or "
        f"with service_tier standard, which costs twice as much{price}."
    )
