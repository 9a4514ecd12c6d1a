"""Own sign-in: from a client that knows nothing to its calls, and every way to be refused."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from gemini_interactions.mcp_server.transports.http.auth.sign_in.authorize import MOST_GUESSES
from gemini_interactions.mcp_server.transports.http.auth.sign_in.registration import PER_HOUR
from gemini_interactions.mcp_server.transports.http.auth.sign_in.settings import (
    ACCESS_SECONDS,
    REFRESH_SECONDS,
)
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import REDIRECT, SignedInClient, answered

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


@dataclass
class App:
    """A client by hand."""

    http: httpx2.AsyncClient
    resource: str
    id: str = ""
    verifier: str = ""

    async def register(self, **more: Any) -> httpx2.Response:
        answer = await self.http.post(
            "/register", json={"redirect_uris": [REDIRECT], "client_name": "By hand", **more}
        )
        if answer.status_code == 201:
            self.id = answer.json()["client_id"]
        return answer

    def request(self, **changes: str) -> str:
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "state": "as it was",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": self.resource,
            **changes,
        }
        return "/authorize?" + urlencode({name: each for name, each in asked.items() if each})

    async def page(self, **changes: str) -> httpx2.Response:
        return await self.http.get(self.request(**changes))

    async def code(self, token: str = "anns-token", **changes: str) -> str:
        back = await answered(self.http, await self.page(**changes), token=token)
        return told(back)["code"]

    async def exchange(self, given_code: str, **changes: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": given_code,
            "client_id": self.id,
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
            **changes,
        }
        return await self.http.post("/token", data=form)

    async def refresh(self, token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.id}
        return await self.http.post("/token", data={**form, **changes})

    async def signed_in(self, token: str = "anns-token") -> dict[str, Any]:
        given: dict[str, Any] = (await self.exchange(await self.code(token))).json()
        return given

    async def status(self, token: str) -> int:
        headers = {"authorization": f"Bearer {token}", "mcp-session-id": "none"}
        return (await self.http.get("/mcp", headers=headers)).status_code


def told(back: httpx2.Response) -> dict[str, str]:
    """What a redirect says."""
    query = urlsplit(back.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


@pytest.fixture
async def app(site: GatewayHarness, request: pytest.FixtureRequest) -> App:
    await site.open(tokens=TOKENS, oauth_builtin=True, **getattr(request, "param", {}))
    http = site.raw()
    site._raw.append(http)
    app = App(http, site.url)
    await app.register()
    return app


KNOWN = 404
"""What a token that is let in gets for a session that is not there."""


# ------------------------------------------------------------------------------ all of it


@pytest.mark.parametrize("scopes", [(), ("gemini.use", "gemini.more")])
@pytest.mark.parametrize("legacy", [False, True])
async def test_the_sdks_own_client_signs_in_and_refreshes(
    site: GatewayHarness, house: AppHarness, scopes: tuple[str, ...], legacy: bool
) -> None:
    await site.open(tokens=TOKENS, oauth_builtin=True, oauth_scopes=scopes)
    visitor = SignedInClient(site.url, token="anns-token")
    ann = await site.visit(token="anns-token")

    async with (
        visitor.http() as http,
        Client(
            streamable_http_client(site.url, http_client=http), mode="legacy" if legacy else "auto"
        ) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "From an app"})
        house.clock.advance(ACCESS_SECONDS + 1)
        visitor.auth.context.token_expiry_time = 1
        again = await client.call_tool("gemini_history", {})

    assert not said.is_error
    assert not again.is_error
    assert len(visitor.visited) == 1
    assert "From an app" in (await ann.history()).text


async def test_the_sdks_own_client_steps_up_where_it_asked_for_too_little(
    site: GatewayHarness,
) -> None:
    await site.open(tokens=TOKENS, oauth_builtin=True, oauth_scopes=("gemini.use", "gemini.more"))
    http = site.raw()
    site._raw.append(http)
    app = App(http, site.url)
    await app.register()
    given = (await app.exchange(await app.code(scope="gemini.use"))).json()
    visitor = SignedInClient(site.url, token="anns-token")
    from mcp.shared.auth import OAuthToken

    await visitor.storage.set_tokens(OAuthToken(**given))

    async with (
        visitor.http() as client_http,
        Client(streamable_http_client(site.url, http_client=client_http)) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "Hello"})

    assert given["scope"] == "gemini.use"
    assert not said.is_error
    assert "scope=gemini.use+gemini.more" in visitor.visited[0]


async def test_two_people_who_sign_in_by_one_app_are_two_owners(
    site: GatewayHarness, app: App
) -> None:
    tokens = [(await app.signed_in(each))["access_token"] for each in TOKENS]
    ann, bob = [await site.visit(token=each) for each in tokens]

    made = await ann.ask("Mine")

    assert made.status == "completed"
    assert (await bob.result(made.id)).is_error


async def test_the_metadata_says_what_there_is(app: App, site: GatewayHarness) -> None:
    metadata = (await app.http.get("/.well-known/oauth-authorization-server")).json()

    base = site.place.gateway.url
    assert metadata["issuer"] == base
    assert metadata["authorization_endpoint"] == f"{base}/authorize"
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["token_endpoint_auth_methods_supported"] == ["none"]
    assert metadata["client_id_metadata_document_supported"] is True
    assert metadata["authorization_response_iss_parameter_supported"] is True


async def test_nothing_in_the_database_lets_anybody_in(app: App, house: AppHarness) -> None:
    given = await app.signed_in()
    code = await app.code()

    kept = b"".join(file.read_bytes() for file in house.folder.rglob("*") if file.is_file())

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
async def test_a_client_that_leads_anywhere_else_is_not_registered(app: App, uris: Any) -> None:
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
    app: App, uri: str
) -> None:
    answer = await app.register(
        redirect_uris=[uri], token_endpoint_auth_method="client_secret_post"
    )

    assert answer.status_code == 201
    assert answer.json()["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in answer.json()
    assert (await app.page(redirect_uri=uri)).status_code == 200


async def test_registrations_are_few_an_hour_and_unused_ones_gone_after_a_day(
    app: App, house: AppHarness
) -> None:
    first = app.id
    answers = [(await app.register()).status_code for _ in range(PER_HOUR)]
    house.clock.advance(3600)
    later = await app.register()
    house.clock.advance(86_400)
    app.id = first
    gone = await app.page()

    assert answers == [201] * (PER_HOUR - 1) + [429]
    assert later.status_code == 201
    assert gone.status_code == 400
    assert "registration has run out" in gone.text


async def test_a_client_that_was_used_stays(app: App, house: AppHarness) -> None:
    await app.signed_in()
    house.clock.advance(5 * 86_400)

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
    app: App, site: GatewayHarness, changes: dict[str, str], error: str
) -> None:
    back = await app.page(**changes)

    assert back.status_code == 303
    assert told(back) == {"error": error, "state": "as it was", "iss": site.place.gateway.url}


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
    app: App, changes: dict[str, str]
) -> None:
    page = await app.page(**changes)

    assert page.status_code == 400
    assert "location" not in page.headers
    assert "<form" not in page.text


async def test_the_port_of_a_loopback_address_may_differ(app: App) -> None:
    uri = REDIRECT.replace("3999", "50123")

    back = await answered(app.http, await app.page(redirect_uri=uri), token="anns-token")

    assert back.headers["location"].startswith(uri)


async def test_the_page_cannot_be_framed_and_says_who_asks_and_where_it_leads(app: App) -> None:
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
    app: App, house: AppHarness
) -> None:
    page = await app.page()
    wrong = [await answered(app.http, page, token="guess") for _ in range(MOST_GUESSES)]
    late = await answered(app.http, page, token="anns-token")
    house.clock.advance(3600)
    hour_later = await answered(app.http, await app.page(), token="anns-token")

    assert {each.status_code for each in wrong} == {401}
    assert 'role="alert"' in wrong[0].text
    assert "guess" not in wrong[0].text
    assert late.status_code == 429
    assert hour_later.status_code == 303


async def test_who_says_no_is_sent_back_without_a_code(app: App) -> None:
    back = await answered(app.http, await app.page(), answer="deny", token="")

    assert told(back)["error"] == "access_denied"
    assert "code" not in told(back)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_other_pages_cannot_post_an_answer(app: App, headers: dict[str, str]) -> None:
    page = await app.page()
    app.http.headers.update(headers)

    answer = await answered(app.http, page, token="anns-token")

    assert answer.status_code == 403
    assert "location" not in answer.headers


async def test_a_browser_answers_only_the_page_it_was_shown(app: App, site: GatewayHarness) -> None:
    page = await app.page()
    browser = {"sec-fetch-site": "same-origin", "origin": site.place.gateway.url}

    async with site.raw(**browser) as other:
        elsewhere = await answered(other, page, token="anns-token")
    app.http.headers.update(browser)
    here = await answered(app.http, page, token="anns-token")

    assert elsewhere.status_code == 400
    assert here.status_code == 303


async def test_a_page_that_was_changed_or_has_run_out_is_no_answer(
    app: App, house: AppHarness
) -> None:
    page = await app.page()
    forged = await app.http.post("/authorize", data={"request": "e30=.00", "token": "anns-token"})
    house.clock.advance(1000)
    late = await answered(app.http, page, token="anns-token")

    assert (forged.status_code, late.status_code) == (400, 400)


# ---------------------------------------------------------------------------------- tokens


async def test_a_code_is_used_once_and_a_second_use_ends_what_it_gave(app: App) -> None:
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
    app: App, changes: dict[str, str], error: str
) -> None:
    code = await app.code()

    answer = await app.exchange(code, **changes)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_runs_out(app: App, house: AppHarness) -> None:
    code = await app.code()
    house.clock.advance(121)

    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_reuse_ends_the_family(
    app: App, caplog: pytest.LogCaptureFixture
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


async def test_tokens_run_out(app: App, house: AppHarness) -> None:
    given = await app.signed_in()
    house.clock.advance(ACCESS_SECONDS + 1)
    late = await app.status(given["access_token"])
    refreshed = await app.refresh(given["refresh_token"])
    house.clock.advance(REFRESH_SECONDS + 1)

    assert late == 401
    assert refreshed.status_code == 200
    assert (await app.refresh(refreshed.json()["refresh_token"])).status_code == 400


async def test_a_refresh_may_ask_for_no_more_than_was_granted(app: App) -> None:
    given = await app.signed_in()

    answer = await app.refresh(given["refresh_token"], scope="admin")

    assert answer.json()["error"] == "invalid_scope"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_client_may_end_its_access(app: App, which: str) -> None:
    given = await app.signed_in()

    unknown = await app.http.post("/revoke", data={"token": "made-up", "client_id": app.id})
    others = await app.http.post("/revoke", data={"token": given[which], "client_id": "other"})
    still = await app.status(given["access_token"])
    await app.http.post("/revoke", data={"token": given[which], "client_id": app.id})

    assert (unknown.status_code, others.status_code, still) == (200, 200, KNOWN)
    assert await app.status(given["access_token"]) == 401
    assert (await app.refresh(given["refresh_token"])).status_code == 400


async def test_removing_a_gateway_token_ends_what_was_granted_with_it(
    app: App, site: GatewayHarness
) -> None:
    anns, bobs = await app.signed_in("anns-token"), await app.signed_in("bobs-token")

    site.write_tokens({"bobs-token": "bob", "anns-new-token": "ann"})

    assert await app.status(anns["access_token"]) == 401
    assert (await app.refresh(anns["refresh_token"])).status_code == 400
    assert await app.status(bobs["access_token"]) == KNOWN


@pytest.mark.parametrize("app", [{"public_url": "https://gemini.example"}], indirect=True)
async def test_behind_a_proxy_everything_goes_by_the_public_address(app: App) -> None:
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
