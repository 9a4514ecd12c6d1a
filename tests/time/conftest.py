"""The house of the product tests, and a wire into it for clients with bad manners."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.product.conftest import clock, emulator, guest, house
from tests.product.house import House
from tests.time.wire import Inside, Wire

__all__ = ["clock", "emulator", "guest", "house"]

Wired = Callable[..., Awaitable[Inside]]


@pytest.fixture
def wired(house: House) -> Wired:
    """Starts a server and a wire to it: `await wired("legacy", max_wait_seconds=1)`."""

    async def start(era: str = "modern", **changes: object) -> Inside:
        return await Wire.to(house, era, **changes)

    return start
