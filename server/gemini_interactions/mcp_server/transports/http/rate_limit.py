"""Limits: how often an owner may call."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from ....domain.errors import Refused

MINUTE = 60.0


class RateLimiter:
    """At most `calls` a minute for each owner; 0 is no limit. `now` may be any clock in seconds."""

    def __init__(self, calls: int, now: Callable[[], float]) -> None:
        self._calls = calls
        self._now = now
        self._made: dict[str, deque[float]] = {}

    def admit(self, owner: str) -> None:
        """Counts a call, or refuses it; a refused one does not count."""
        if not self._calls:
            return
        now = self._now()
        made = self._made.setdefault(owner, deque())
        # A call from the future was made before the clock was set back: forget it too.
        while made and not 0 <= now - made[0] < MINUTE:
            made.popleft()
        if len(made) >= self._calls:
            raise too_many(self._calls, made[0] + MINUTE - now)
        made.append(now)


def too_many(calls: int, seconds: float) -> Refused:
    """More than `calls` in a minute; there is room again in so many seconds."""
    return Refused(
        f"That is more than the {calls} calls a minute this server allows; nothing was sent. "
        f"Wait {max(1, math.ceil(seconds))} s, then call again."
    )
