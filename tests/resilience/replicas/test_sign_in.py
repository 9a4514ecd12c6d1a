"""Signing in at one replica, and calling another: nothing of it is one process's own."""

from __future__ import annotations

import httpx2

from tests.support.cluster_harness import PATIENCE, Cluster, _InTurn
from tests.support.oauth_client import RawOAuthClient, redirect_params, submit_consent

PUBLIC = "https://gemini.example"


async def test_each_step_of_signing_in_may_be_at_another_replica_and_the_first_may_die(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_OAUTH_BUILTIN="on", GEMINI_MCP_PUBLIC_URL=PUBLIC)
    http = httpx2.AsyncClient(
        base_url=PUBLIC, timeout=PATIENCE, transport=_InTurn([one, other, one, other])
    )
    cluster._raw.append(http)
    app = RawOAuthClient(http, f"{PUBLIC}/mcp")

    registered = await app.register()
    page = await app.page()
    back = await submit_consent(http, page, token="anns-token")
    one.kill()
    await one.ended()
    alone = httpx2.AsyncClient(base_url=PUBLIC, timeout=PATIENCE, transport=_InTurn([other]))
    cluster._raw.append(alone)
    app.http = alone
    given = (await app.exchange(redirect_params(back)["code"])).json()
    client = await cluster.connect(other, token=given["access_token"])
    said = await client.ask("After the first one died")
    refreshed = await app.refresh(given["refresh_token"])

    assert (registered.status_code, page.status_code) == (201, 200)
    assert redirect_params(back)["iss"] == PUBLIC
    assert said.status == "completed"
    assert refreshed.status_code == 200
