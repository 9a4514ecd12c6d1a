"""Own sign-in: from a client that knows nothing to its calls, and every way to be refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from gemini_interactions.mcp_server.transports.http.auth.sign_in.authorize import MOST_GUESSES
from gemini_interactions.mcp_server.transports.http.auth.sign_in.registration import PER_HOUR
from gemini_interactions.mcp_server.transports.http.auth.sign_in.settings import (
    ACCESS_SECONDS,
)
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import (
    REDIRECT,
    RawOAuthClient,
    SignedInClient,
    redirect_params,
    submit_consent,
)

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


# ------------------------------------------------------------------------------ all of it


@pytest.mark.parametrize("scopes", [(), ("gemini.use", "gemini.more")])
@pytest.mark.parametrize("legacy", [False, True])
async def test_the_sdks_own_client_signs_in_and_refreshes(
    gateways: GatewayHarness, harness: AppHarness, scopes: tuple[str, ...], legacy: bool
) -> None:
    await gateways.open(tokens=TOKENS, oauth_builtin=True, oauth_scopes=scopes)
    oauth_client = SignedInClient(gateways.url, token="anns-token")
    ann = await gateways.connect(token="anns-token")

    async with (
        oauth_client.http() as http,
        Client(
            streamable_http_client(gateways.url, http_client=http),
            mode="legacy" if legacy else "auto",
        ) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "From an app"})
        harness.clock.advance(ACCESS_SECONDS + 1)
        oauth_client.auth.context.token_expiry_time = 1
        again = await client.call_tool("gemini_history", {})

    assert not said.is_error
    assert not again.is_error
    assert len(oauth_client.visited) == 1
    assert "From an app" in (await ann.history()).text


async def test_the_sdks_own_client_steps_up_where_it_asked_for_too_little(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(
        tokens=TOKENS, oauth_builtin=True, oauth_scopes=("gemini.use", "gemini.more")
    )
    http = gateways.raw()
    gateways._raw.append(http)
    app = RawOAuthClient(http, gateways.url)
    await app.register()
    given = (await app.exchange(await app.code(scope="gemini.use"))).json()
    oauth_client = SignedInClient(gateways.url, token="anns-token")
    from mcp.shared.auth import OAuthToken

    await oauth_client.storage.set_tokens(OAuthToken(**given))

    async with (
        oauth_client.http() as client_http,
        Client(streamable_http_client(gateways.url, http_client=client_http)) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "Hello"})

    assert given["scope"] == "gemini.use"
    assert not said.is_error
    assert "scope=gemini.use+gemini.more" in oauth_client.visited[0]


async def test_two_people_who_sign_in_by_one_app_are_two_owners(
    gateways: GatewayHarness, app: RawOAuthClient
) -> None:
    tokens = [(await app.signed_in(each))["access_token"] for each in TOKENS]
    ann, bob = [await gateways.connect(token=each) for each in tokens]

    made = await ann.ask("Mine")

    assert made.status == "completed"
    assert (await bob.result(made.id)).is_error


async def test_the_metadata_says_what_there_is(
    app: RawOAuthClient, gateways: GatewayHarness
) -> None:
    metadata = (await app.http.get("/.well-known/oauth-authorization-server")).json()

    base = gateways.latest.gateway.url
    assert metadata["issuer"] == base
    assert metadata["authorization_endpoint"] == f"{base}/authorize"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["none"]
    assert metadata["client_id_metadata_document_supported"] is True
    assert metadata["authorization_response_iss_parameter_supported"] is True


async def test_nothing_in_the_database_lets_anybody_in(
    app: RawOAuthClient, harness: AppHarness
) -> None:
    given = await app.signed_in()
    code = await app.code()

    kept = b"".join(file.read_bytes() for file in harness.folder.rglob("*") if file.is_file())

    for secret in ("anns-token", code, given["access_token"], given["refresh_token"]):
        assert secret.encode() not in kept
    assert hashlib.sha256(b"anns-token").hexdigest().encode() not in kept


# ------------------------------------------------------------------------------- registration


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["http://app.example/callback"],
        ["javascript:alert(1)"],
        ["data:text/html,x"],
        ["https://app.example/callback#part"],
        ["https://ann@app.example/callback"],
        ["https://app.example/call back"],
        ["https://app.example\\@evil.example/"],
        ["not an address"],
        "https://app.example/callback",
        [7],
        ["https://app.example/"] * 21,
    ],
)
async def test_a_client_that_leads_anywhere_else_is_not_registered(
    app: RawOAuthClient, uris: Any
) -> None:
    answer = await app.register(redirect_uris=uris)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "com.example.app:/callback",
        "http://localhost:1234/callback",
        "http://[::1]:9/callback",
    ],
)
async def test_clients_come_back_by_https_loopback_or_a_scheme_of_their_own(
    app: RawOAuthClient, uri: str
) -> None:
    answer = await app.register(
        redirect_uris=[uri], token_endpoint_auth_method="client_secret_post"
    )

    assert answer.status_code == 201
    assert answer.json()["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in answer.json()
    assert (await app.page(redirect_uri=uri)).status_code == 200


async def test_registrations_are_few_an_hour_and_unused_ones_gone_after_a_day(
    app: RawOAuthClient, harness: AppHarness
) -> None:
    first = app.id
    answers = [(await app.register()).status_code for _ in range(PER_HOUR)]
    harness.clock.advance(3600)
    later = await app.register()
    harness.clock.advance(86_400)
    app.id = first
    gone = await app.page()

    assert answers == [201] * (PER_HOUR - 1) + [429]
    assert later.status_code == 201
    assert gone.status_code == 400
    assert "registration has run out" in gone.text


async def test_a_client_that_was_used_stays(app: RawOAuthClient, harness: AppHarness) -> None:
    await app.signed_in()
    harness.clock.advance(5 * 86_400)

    assert (await app.page()).status_code == 200


# --------------------------------------------------------------------------------- the page


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
    ],
)
async def test_a_request_that_is_wrong_is_told_to_the_client_with_our_name(
    app: RawOAuthClient, gateways: GatewayHarness, changes: dict[str, str], error: str
) -> None:
    back = await app.page(**changes)

    assert back.status_code == 303
    assert redirect_params(back) == {
        "error": error,
        "state": "as it was",
        "iss": gateways.latest.gateway.url,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": REDIRECT + "/more"},
        {"redirect_uri": REDIRECT.replace("127.0.0.1", "localhost")},
        {"redirect_uri": REDIRECT.replace("http:", "https:")},
    ],
)
async def test_nobody_is_sent_to_an_address_that_was_not_registered(
    app: RawOAuthClient, changes: dict[str, str]
) -> None:
    page = await app.page(**changes)

    assert page.status_code == 400
    assert "location" not in page.headers
    assert "<form" not in page.text


async def test_the_port_of_a_loopback_address_may_differ(app: RawOAuthClient) -> None:
    uri = REDIRECT.replace("3999", "50123")

    back = await submit_consent(app.http, await app.page(redirect_uri=uri), token="anns-token")

    assert back.headers["location"].startswith(uri)


async def test_the_page_cannot_be_framed_and_says_who_asks_and_where_it_leads(
    app: RawOAuthClient,
) -> None:
    await app.register(client_name='<b>"Evil"</b>\u202e&', redirect_uris=["https://app.example/cb"])
    page = await app.page(redirect_uri="https://app.example/cb")

    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "script" not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert "&lt;b&gt;&quot;Evil&quot;&lt;/b&gt; &amp;" in page.text
    assert "<dd>app.example</dd>" in page.text


async def test_a_wrong_token_is_said_and_after_a_few_nobody_guesses_on(
    app: RawOAuthClient, harness: AppHarness
) -> None:
    page = await app.page()
    wrong = [await submit_consent(app.http, page, token="guess") for _ in range(MOST_GUESSES)]
    late = await submit_consent(app.http, page, token="anns-token")
    harness.clock.advance(3600)
    hour_later = await submit_consent(app.http, await app.page(), token="anns-token")

    assert {each.status_code for each in wrong} == {401}
    assert 'role="alert"' in wrong[0].text
    assert "guess" not in wrong[0].text
    assert late.status_code == 429
    assert hour_later.status_code == 303


async def test_who_says_no_is_sent_back_without_a_code(app: RawOAuthClient) -> None:
    back = await submit_consent(app.http, await app.page(), answer="deny", token="")

    assert redirect_params(back)["error"] == "access_denied"
    assert "code" not in redirect_params(back)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_other_pages_cannot_post_an_answer(
    app: RawOAuthClient, headers: dict[str, str]
) -> None:
    page = await app.page()
    app.http.headers.update(headers)

    answer = await submit_consent(app.http, page, token="anns-token")

    assert answer.status_code == 403
    assert "location" not in answer.headers


async def test_a_browser_answers_only_the_page_it_was_shown(
    app: RawOAuthClient, gateways: GatewayHarness
) -> None:
    page = await app.page()
    browser = {"sec-fetch-site": "same-origin", "origin": gateways.latest.gateway.url}

    async with gateways.raw(**browser) as other:
        elsewhere = await submit_consent(other, page, token="anns-token")
    app.http.headers.update(browser)
    here = await submit_consent(app.http, page, token="anns-token")

    assert elsewhere.status_code == 400
    assert here.status_code == 303


async def test_a_page_that_was_changed_or_has_run_out_is_no_answer(
    app: RawOAuthClient, harness: AppHarness
) -> None:
    page = await app.page()
    forged = await app.http.post("/authorize", data={"request": "e30=.00", "token": "anns-token"})
    harness.clock.advance(1000)
    late = await submit_consent(app.http, page, token="anns-token")

    assert (forged.status_code, late.status_code) == (400, 400)
