"""The harness with an HTTP gateway (`GatewayHarness`)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.product.conftest import clock, emulator, harness  # noqa: F401  fixtures of this folder too
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import RawOAuthClient

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


@pytest.fixture
async def gateways(harness: AppHarness) -> AsyncIterator[GatewayHarness]:  # noqa: F811
    """Nothing is open there until a test says how."""
    gateways = GatewayHarness(harness)
    yield gateways
    harness.control.let_go()
    await gateways.close()


@pytest.fixture
async def app(gateways: GatewayHarness, request: pytest.FixtureRequest) -> RawOAuthClient:
    await gateways.open(tokens=TOKENS, oauth_builtin=True, **getattr(request, "param", {}))
    http = gateways.raw()
    gateways._raw.append(http)
    app = RawOAuthClient(http, gateways.url)
    await app.register()
    return app
