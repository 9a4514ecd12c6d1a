"""Behind a reverse proxy with TLS that speaks to a loopback bind: nobody is let in for that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.identity_provider import IdentityProvider
from tests.support.oauth_client import SignedInClient

PUBLIC = "https://gemini.example"
TOKENS = {"anns-token": "ann"}


class ReverseProxy(httpx2.AsyncBaseTransport):
    """Takes what is for the public address to the gateway; everything else goes its own way."""

    def __init__(self, gateway: str) -> None:
        self._gateway = httpx2.URL(gateway)
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "gemini.example":
            request.headers["x-forwarded-for"] = "198.51.100.7"
            request.headers["x-forwarded-proto"] = "https"
            request.url = self._gateway.join(request.url.raw_path.decode())
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Several clients share it; the test closes it."""

    async def close(self) -> None:
        await self._inner.aclose()


@pytest.fixture
async def provider(harness: AppHarness) -> AsyncIterator[IdentityProvider]:
    provider = IdentityProvider(harness.clock)
    await harness.tasks.start(provider.serve)
    yield provider
    provider.stop()


@pytest.mark.parametrize("form", ["built-in", "provider"])
async def test_the_sdks_own_client_signs_in_through_a_proxy(
    gateways: GatewayHarness, provider: IdentityProvider, form: str
) -> None:
    way = {"oauth_builtin": True} if form == "built-in" else {"oauth_issuer": provider.url}
    await gateways.open(tokens=TOKENS, public_url=PUBLIC, trusted_proxies=("127.0.0.1/32",), **way)
    proxy = ReverseProxy(gateways.latest.gateway.url)
    oauth_client = SignedInClient(f"{PUBLIC}/mcp", token="anns-token", transport=proxy)

    async with httpx2.AsyncClient(transport=proxy) as stranger:
        without = await stranger.post(f"{PUBLIC}/mcp", json={})
        forged = await stranger.post(
            f"{PUBLIC}/mcp",
            json={},
            headers={"authorization": "Bearer made-up", "forwarded": "for=127.0.0.1"},
        )
    async with (
        oauth_client.http() as http,
        Client(streamable_http_client(f"{PUBLIC}/mcp", http_client=http)) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "Hello"})
    await proxy.close()

    assert (without.status_code, forged.status_code) == (401, 401)
    assert f'resource_metadata="{PUBLIC}/' in without.headers["www-authenticate"]
    assert not said.is_error
    where = PUBLIC if form == "built-in" else provider.url
    assert oauth_client.visited[0].startswith(f"{where}/authorize")
    assert "resource=https%3A%2F%2Fgemini.example%2Fmcp" in oauth_client.visited[0]
