"""Leases: who works on a turn until when, as seen by the clocks of one process."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ....domain.errors import NoPlace

if TYPE_CHECKING:
    from ...runtime import Runtime
    from .running_turns import RunningTurn

PROOF_SECONDS = 1.0
"""How old a proven lease may be when a request leaves; what happens to a process within that
time, such as a suspend, nobody can tell from here."""

POSTPONED_AT_MOST = 3
"""How often in a row others are spared: a process that is always late must judge in the end."""

FIRST_PLACE = 0.05
LONGEST_PLACE = 1.0
"""How long to wait, in seconds, before looking again for a place that other workers hold."""


class LeaseLost(Exception):
    """Another process took the turn over: it is theirs to finish, and nothing may be sent."""


def boot_time() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class LeaseProof:
    """Proves the lease of one turn before each of its requests; see `UpstreamCaller`.

    `prove` compares and sets the lease in the store, and raises LeaseLost where that fails.
    """

    def __init__(
        self, prove: Callable[[], Awaitable[None]], clock: Callable[[], float] = boot_time
    ) -> None:
        self._prove = prove
        self._clock = clock
        self._proven: float | None = None

    async def renew(self) -> None:
        """Prove it now, whatever was proven before."""
        await self._prove()
        self._proven = self._clock()

    async def check(self) -> None:
        """Prove it again, if too much time has passed since."""
        if self._proven is None or self._clock() - self._proven > PROOF_SECONDS:
            await self.renew()


async def claim_send(runtime: Runtime, running: RunningTurn, places: int) -> None:
    """Prove the lease, and before the first request that there is still room in the budget.

    Nothing may be sent without: another process may have said that this turn is over. Raises
    LeaseLost where it did. Waits for one of the `places` that the processes of a gateway share.
    """
    turn = running.turn
    pause = FIRST_PLACE
    while True:
        try:
            is_held = await runtime.store.claim_send(
                turn,
                holder=runtime.holder,
                now=runtime.now(),
                lease_until=runtime.lease_until,
                reservation=running.reservation if turn.sent is None else None,
                preparation=running.preparation,
                places=places,
            )
            break
        except NoPlace:
            await runtime.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 1.5, LONGEST_PLACE)
    if not is_held:
        raise LeaseLost()
    running.preparation = None
    running.turn = replace(running.turn, sent=turn.sent or runtime.now())
    running.changed()


class GapDetector:
    """Notices that this process did not run for a while, or that its wall clock was set.

    Others may have been held up by the same, such as a laptop's sleep, and have not renewed their
    leases yet: for one more `interval` they are not judged. `now` is the wall clock.
    """

    def __init__(
        self,
        now: Callable[[], float],
        interval: float,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._now = now
        self._interval = interval
        self._clock = clock
        self._renewed: tuple[float, float] | None = None
        self._spared_until: float | None = None
        self._postponed = 0

    def renewed(self) -> None:
        """This process has renewed its own leases."""
        self._renewed = (self._clock(), self._now())

    @property
    def is_overdue(self) -> bool:
        """Whether this process should have renewed its own leases by now, by either clock."""
        if self._renewed is None:
            return False
        booted, now = self._renewed
        most = 2 * self._interval
        passed = self._now() - now
        return self._clock() - booted > most or passed > most or passed < -self._interval

    def spare_others(self) -> None:
        """A gap was found, and this process has renewed its own leases."""
        self._postponed += 1
        if self._postponed <= POSTPONED_AT_MOST:
            self._spared_until = self._now() + 1.5 * self._interval

    def may_judge(self) -> bool:
        """Whether a lease that has ended means that its process is gone."""
        if self._spared_until is None:
            self._postponed = 0
            return True
        # A clock that was set back must not spare them for hours.
        left = self._spared_until - self._now()
        if 0 < left <= 2 * self._interval:
            return False
        self._spared_until = None
        self._postponed = 0
        return True
