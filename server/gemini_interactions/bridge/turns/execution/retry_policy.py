"""Retry policy: when a create that failed may be sent again, and after how long."""

from __future__ import annotations

import anyio

from ....domain.errors import Gone, RateLimited, Unreachable, UpstreamError
from ..service_tiers import FLEX
from .running_turns import RunningTurn

TRIES_TO_CONNECT = 3
TRIES_AT_THE_LIMIT = 3


class RetryPolicy:
    """Of one create; `max_wait` is the time budget in seconds, `start` when it began."""

    def __init__(self, max_wait: float, start: float) -> None:
        self._max_wait = max_wait
        self._start = start
        self._refusals = 0
        self._limits = 0
        self._lag = 0

    def before_repeating(
        self, problem: UpstreamError, running: RunningTurn, now: float
    ) -> float | None:
        """Seconds to wait before the next try; None when it must not be repeated."""
        match problem:
            case Unreachable() if self._refusals < TRIES_TO_CONNECT:
                self._refusals += 1
                return float(0.25 * 2**self._refusals)
            case RateLimited() if running.turn.settings.service_tier == FLEX:
                return None  # whoever takes the cheap tier hears at once that it is full
            case RateLimited(retry_after=float() | int() as wish) if problem.may_pass:
                pause = max(float(wish), 0.0)
                self._limits += 1
                spent = anyio.current_time() - self._start
                fits = spent + wish <= self._max_wait
                return pause if fits and self._limits <= TRIES_AT_THE_LIMIT else None
            case Gone(said=said) if "environment" in said.lower():
                return None  # an interaction may be too young to be found; where it worked is not
            case Gone(code=code) if code != "model_not_found" and now < running.young_until:
                self._lag += 1
                return float(min(0.5 * 2**self._lag, 10.0))
            case _:
                return None
