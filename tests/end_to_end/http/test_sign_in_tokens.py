"""Codes and tokens of our own sign-in: who may use them, how often, and how long."""

from __future__ import annotations

import pytest

from gemini_interactions.mcp_server.transports.http.auth.sign_in.settings import (
    ACCESS_SECONDS,
    REFRESH_SECONDS,
)
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import RawOAuthClient

KNOWN = 404
"""What a token that is let in gets for a session that is not there."""


# ---------------------------------------------------------------------------------- tokens


async def test_a_code_is_used_once_and_a_second_use_ends_what_it_gave(app: RawOAuthClient) -> None:
    code = await app.code()
    given = (await app.exchange(code)).json()
    before = await app.status(given["access_token"])

    again = await app.exchange(code)

    assert before == KNOWN
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert await app.status(given["access_token"]) == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 64}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:3999/other"}, "invalid_grant"),
        ({"client_id": "somebody-else"}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_code_is_exchanged_only_by_whom_it_was_given_to(
    app: RawOAuthClient, changes: dict[str, str], error: str
) -> None:
    code = await app.code()

    answer = await app.exchange(code, **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_runs_out(app: RawOAuthClient, harness: AppHarness) -> None:
    code = await app.code()
    harness.clock.advance(121)

    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_reuse_ends_the_family(
    app: RawOAuthClient, caplog: pytest.LogCaptureFixture
) -> None:
    first = await app.signed_in()
    second = (await app.refresh(first["refresh_token"])).json()
    third = (await app.refresh(second["refresh_token"])).json()
    before = await app.status(third["access_token"])

    reused = await app.refresh(first["refresh_token"])

    assert before == KNOWN
    assert reused.json()["error"] == "invalid_grant"
    assert await app.status(third["access_token"]) == 401
    assert (await app.refresh(third["refresh_token"])).status_code == 400
    assert "used twice" in caplog.text
    assert first["refresh_token"] not in caplog.text


async def test_tokens_run_out(app: RawOAuthClient, harness: AppHarness) -> None:
    given = await app.signed_in()
    harness.clock.advance(ACCESS_SECONDS + 1)
    late = await app.status(given["access_token"])
    refreshed = await app.refresh(given["refresh_token"])
    harness.clock.advance(REFRESH_SECONDS + 1)

    assert late == 401
    assert refreshed.status_code == 200
    assert (await app.refresh(refreshed.json()["refresh_token"])).status_code == 400


async def test_a_refresh_may_ask_for_no_more_than_was_granted(app: RawOAuthClient) -> None:
    given = await app.signed_in()

    answer = await app.refresh(given["refresh_token"], scope="admin")

    assert answer.json()["error"] == "invalid_scope"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_client_may_end_its_access(app: RawOAuthClient, which: str) -> None:
    given = await app.signed_in()

    unknown = await app.http.post("/revoke", data={"token": "made-up", "client_id": app.id})
    others = await app.http.post("/revoke", data={"token": given[which], "client_id": "other"})
    still = await app.status(given["access_token"])
    await app.http.post("/revoke", data={"token": given[which], "client_id": app.id})

    assert (unknown.status_code, others.status_code, still) == (200, 200, KNOWN)
    assert await app.status(given["access_token"]) == 401
    assert (await app.refresh(given["refresh_token"])).status_code == 400


async def test_removing_a_gateway_token_ends_what_was_granted_with_it(
    app: RawOAuthClient, gateways: GatewayHarness
) -> None:
    anns, bobs = await app.signed_in("anns-token"), await app.signed_in("bobs-token")

    gateways.write_tokens({"bobs-token": "bob", "anns-new-token": "ann"})

    assert await app.status(anns["access_token"]) == 401
    assert (await app.refresh(anns["refresh_token"])).status_code == 400
    assert await app.status(bobs["access_token"]) == KNOWN


@pytest.mark.parametrize("app", [{"public_url": "https://gemini.example"}], indirect=True)
async def test_behind_a_proxy_everything_goes_by_the_public_address(app: RawOAuthClient) -> None:
    app.http.headers["host"] = "gemini.example"
    app.resource = "https://gemini.example/mcp"
    challenge = (await app.http.post("/mcp", json={})).headers["www-authenticate"]
    page = await app.page()
    given = await app.signed_in()

    assert (
        'resource_metadata="https://gemini.example/.well-known/oauth-protected-resource/mcp"'
        in challenge
    )
    assert "__Host-gemini-consent=" in page.headers["set-cookie"]
    assert "Secure" in page.headers["set-cookie"]
    assert "HttpOnly" in page.headers["set-cookie"]
    assert "SameSite=strict" in page.headers["set-cookie"]
    assert await app.status(given["access_token"]) == KNOWN
