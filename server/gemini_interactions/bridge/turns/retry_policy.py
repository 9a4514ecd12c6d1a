"""Patience: how long the bridge waits for what, and when a create may be sent again."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from ...domain.errors import Gone, RateLimited, Unreachable, UpstreamError
from .running_turns import RunningTurn

TRIES_TO_CONNECT = 3
TRIES_AT_THE_LIMIT = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the bridge is. Times in seconds, sizes in bytes."""

    model: str = ""
    max_wait: float = 45.0
    lease: float = 30.0
    store_lag: float = 120.0
    upstream_timeout: float = 600.0
    max_concurrent: int = 8
    max_prompt_bytes: int = 4 * 1024 * 1024
    transcripts: bool = True
    authenticated: bool = False
    remote_hosts: tuple[str, ...] = ()
    image_model: str = ""
    research_poll: float = 10.0
    research_deadline: float = 4200.0


class RetryPolicy:
    """Whether a create that failed may be sent again, and after how long."""

    def __init__(self, policy: Policy, start: float) -> None:
        self._policy = policy
        self._start = start
        self._refusals = 0
        self._limits = 0
        self._lag = 0

    def before_repeating(
        self, problem: UpstreamError, work: RunningTurn, now: float
    ) -> float | None:
        """Seconds to wait before the next try; None when it must not be repeated."""
        match problem:
            case Unreachable() if self._refusals < TRIES_TO_CONNECT:
                self._refusals += 1
                return float(0.25 * 2**self._refusals)
            case RateLimited(retry_after=float() | int() as wish) if not problem.needs_paid_key:
                pause = max(float(wish), 0.0)
                self._limits += 1
                spent = anyio.current_time() - self._start
                fits = spent + wish <= self._policy.max_wait
                return pause if fits and self._limits <= TRIES_AT_THE_LIMIT else None
            case Gone(code=code) if code != "model_not_found" and now < work.young_until:
                self._lag += 1
                return float(min(0.5 * 2**self._lag, 10.0))
            case _:
                return None
