"""The house with its street door open; what a site is stands in `site.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.http.site import Site
from tests.product.conftest import clock, emulator, house  # noqa: F401  fixtures of this folder too
from tests.product.house import House


@pytest.fixture
async def site(house: House) -> AsyncIterator[Site]:  # noqa: F811
    """Nothing is open there until a test says how."""
    site = Site(house)
    yield site
    house.brain.let_go()
    await site.close()
