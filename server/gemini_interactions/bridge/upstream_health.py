"""The upstream: whether Google answers this server's key, asked seldom and never for money."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio

from ..domain.errors import RateLimited, Refused, UpstreamError
from .ports import Gemini

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that whoever asks waits; probes are impatient."""
MINUTE = 60.0
SOON = 5.0
"""Seconds after which a bad answer is asked for again: nobody waits a minute to be served."""


class UpstreamHealth:
    """Asks for the list of models, which costs nothing; `now` is the wall clock."""

    def __init__(self, gemini: Gemini, now: Callable[[], float]) -> None:
        self._gemini = gemini
        self._now = now
        self._looking = anyio.Lock()
        self._answers = False
        self._as_of: float | None = None

    async def answers(self) -> bool:
        """Whether Google answered within the last minute and took the key."""
        async with self._looking:
            holds = MINUTE if self._answers else SOON
            if self._as_of is None or not 0 <= self._now() - self._as_of < holds:
                self._answers, self._as_of = False, None
                try:
                    with anyio.fail_after(PATIENCE):
                        self._answers = await self._look()
                except TimeoutError:
                    # The SDK may only be warming up: whoever asks next asks anew.
                    return False
                self._as_of = self._now()
            return self._answers

    async def _look(self) -> bool:
        try:
            await self._gemini.models()
        except RateLimited:
            return True  # it is there, and its limits come and go within the minute
        except (UpstreamError, Refused) as trouble:
            log.info("Google does not answer (%s)", type(trouble).__name__)
            return False
        return True
