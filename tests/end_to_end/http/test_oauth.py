"""Access tokens of an identity provider: whose call it is, and every way to be refused."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from gemini_interactions.config.setting_table import BadSetting
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.transports.http.asgi_app import Address, tokens_for
from gemini_interactions.mcp_server.transports.http.auth.issuer_keys import (
    BETWEEN_FETCHES,
    FRESH,
    IssuerKeys,
    is_safe,
    metadata_urls,
)
from gemini_interactions.mcp_server.transports.http.auth.jwt_verifier import JwtVerifier, scopes_of
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.identity_provider import (
    EC_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    IdentityProvider,
    jwk,
)
from tests.support.oauth_client import SignedInClient


@pytest.fixture
async def provider(harness: AppHarness) -> AsyncIterator[IdentityProvider]:
    provider = IdentityProvider(harness.clock)
    await harness.tasks.start(provider.serve)
    yield provider
    provider.stop()


async def status(gateways: GatewayHarness, token: str) -> tuple[int, str]:
    async with gateways.raw(authorization=f"Bearer {token}") as raw:
        answer = await raw.get("/mcp", headers={"mcp-session-id": "none"})
    return answer.status_code, answer.headers.get("www-authenticate", "")


async def test_two_subjects_of_a_provider_are_two_owners(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url)
    tokens = [provider.sign(gateways.url, sub=each) for each in ("ann", "bob")]
    ann, bob = [await gateways.connect(token=each) for each in tokens]

    made = await ann.ask("Mine")

    assert made.status == "completed"
    assert "Mine" in (await ann.history()).text
    assert (await bob.result(made.id)).is_error
    assert provider.url not in made.text


async def test_no_call_without_a_token_gets_in_on_loopback_either(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_scopes=("gemini.use", "gemini.more"))

    async with gateways.raw() as raw:
        answer = await raw.post("/mcp", json={})

    challenge = answer.headers["www-authenticate"]
    metadata = f"{gateways.latest.gateway.url}/.well-known/oauth-protected-resource/mcp"
    assert answer.status_code == 401
    assert f'resource_metadata="{metadata}"' in challenge
    assert 'scope="gemini.use gemini.more"' in challenge
    assert "error=" not in challenge


@pytest.mark.parametrize("form", ["", "/mcp"])
async def test_both_forms_of_the_metadata_are_open_to_everybody(
    gateways: GatewayHarness, provider: IdentityProvider, form: str
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_scopes=("gemini.use",))

    async with gateways.raw(origin="https://inspector.example") as raw:
        answer = await raw.get(f"/.well-known/oauth-protected-resource{form}")

    assert answer.json() == {
        "resource": gateways.url,
        "authorization_servers": [provider.url],
        "bearer_methods_supported": ["header"],
        "resource_name": "Gemini",
        "scopes_supported": ["gemini.use"],
    }
    assert answer.headers["access-control-allow-origin"] == "*"


REFUSED: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "https://other.example/mcp"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://other.example"},
    "run out": {"exp": int(time.time()) - 10**6},
    "no expiry": {"exp": None},
    "not yet": {"nbf": int(time.time()) + 10**9},
    "expiry that is no number": {"exp": "soon"},
    "another key": {"key": OTHER_RSA_KEY},
    "a key of another name": {"headers": {"kid": "two"}},
    "a key of another kind": {"key": EC_KEY, "algorithm": "ES256"},
    "no owner": {"sub": None},
    "an empty owner": {"sub": " "},
    "an owner that is no string": {"sub": 7, "key": RSA_KEY},
    "an owner with a line break": {"sub": "ann\nbob"},
    "an owner without end": {"sub": "a" * 1000},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
async def test_a_token_that_does_not_hold_is_refused_and_leaves_nothing_in_the_log(
    gateways: GatewayHarness,
    provider: IdentityProvider,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "gemini_interactions")
    await gateways.open(oauth_issuer=provider.url)
    changes = {"audience" if name == "aud" else name: value for name, value in changes.items()}
    token = provider.sign(**{"audience": gateways.url, **changes})

    code, challenge = await status(gateways, token)

    assert code == 401
    assert 'error="invalid_token"' in challenge
    assert 'resource_metadata="' in challenge
    assert token not in caplog.text
    assert token.split(".")[2] not in caplog.text


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_an_algorithm_without_a_private_key_is_refused(
    gateways: GatewayHarness, provider: IdentityProvider, algorithm: str
) -> None:
    await gateways.open(oauth_issuer=provider.url)
    public = provider.keys[0]["n"].encode()
    key = public if algorithm == "HS256" else None

    token = provider.sign(gateways.url, key=key, algorithm=algorithm)

    assert (await status(gateways, token))[0] == 401


async def test_a_token_without_a_scope_is_told_all_that_is_needed(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_scopes=("gemini.use", "gemini.more"))

    code, challenge = await status(gateways, provider.sign(gateways.url, scope="gemini.use"))
    both = await status(gateways, provider.sign(gateways.url, scope="gemini.more gemini.use"))

    assert code == 403
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="gemini.use gemini.more"' in challenge
    assert 'resource_metadata="' in challenge
    assert both[0] == 404


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"email": "ann@example.com", "email_verified": True}, 404),
        ({"email": "ann@example.com", "email_verified": False}, 401),
        ({"email": "ann@example.com"}, 401),
        ({"email_verified": True}, 401),
    ],
)
async def test_an_address_names_an_owner_only_where_it_was_verified(
    gateways: GatewayHarness, provider: IdentityProvider, claims: dict[str, Any], code: int
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_owner_claim="email")

    assert (await status(gateways, provider.sign(gateways.url, **claims)))[0] == code


async def test_a_provider_may_be_asked_for_another_audience(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_audience="api://gemini")

    assert (await status(gateways, provider.sign("api://gemini")))[0] == 404
    assert (await status(gateways, provider.sign(gateways.url)))[0] == 401


async def test_the_tokens_file_keeps_working_beside_a_provider(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url, tokens={"anns-token": "ann"})

    assert (await status(gateways, "anns-token"))[0] == 404
    assert (await status(gateways, provider.sign(gateways.url)))[0] == 404
    assert (await status(gateways, "nobodys"))[0] == 401


async def test_keys_that_change_are_fetched_again_but_once_a_minute(
    gateways: GatewayHarness, harness: AppHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url)
    first = await status(gateways, provider.sign(gateways.url))
    provider.keys = [jwk(EC_KEY, "two")]
    new = provider.sign(gateways.url, key=EC_KEY, algorithm="ES256", headers={"kid": "two"})

    early = await status(gateways, new)
    harness.clock.advance(BETWEEN_FETCHES + 1)
    later = await status(gateways, new)
    asked = len(provider.asked)
    for number in range(5):
        await status(gateways, provider.sign(gateways.url, headers={"kid": f"made up {number}"}))

    assert [first[0], early[0], later[0]] == [404, 401, 404]
    assert len(provider.asked) == asked


async def test_keys_that_were_read_hold_while_the_provider_is_away(
    gateways: GatewayHarness, harness: AppHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url)
    await status(gateways, provider.sign(gateways.url))
    provider.is_down = True

    harness.clock.advance(FRESH + 1)

    assert (await status(gateways, provider.sign(gateways.url)))[0] == 404


async def test_a_provider_that_was_never_there_is_no_reason_to_sign_in_again(
    gateways: GatewayHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url)
    provider.is_down = True

    code, challenge = await status(gateways, provider.sign(gateways.url))

    assert (code, challenge) == (503, "")


async def test_openid_providers_with_a_path_are_found(harness: AppHarness) -> None:
    provider = IdentityProvider(harness.clock, "/tenant")
    provider.document = "openid-configuration"
    await harness.tasks.start(provider.serve)
    from gemini_interactions.mcp_server.transports.http.auth.issuer_keys import fetch_json

    keys = IssuerKeys(f"{provider.url}/", fetch_json, harness.clock)
    found = await keys.find("one", "RS256")
    provider.stop()

    assert found is not None
    assert keys.issuer == provider.url


def test_metadata_is_looked_for_where_the_specification_says() -> None:
    assert metadata_urls("https://id.example/tenant") == [
        "https://id.example/.well-known/oauth-authorization-server/tenant",
        "https://id.example/.well-known/openid-configuration/tenant",
        "https://id.example/tenant/.well-known/openid-configuration",
    ]
    assert metadata_urls("https://id.example/") == [
        "https://id.example/.well-known/oauth-authorization-server",
        "https://id.example/.well-known/openid-configuration",
    ]


def test_keys_are_fetched_only_where_nobody_can_change_them_on_the_way() -> None:
    assert is_safe("https://id.example/keys")
    assert is_safe("http://127.0.0.1:9/keys")
    assert not is_safe("http://id.example/keys")
    assert not is_safe("file:///etc/passwd")
    assert not is_safe("https://[broken")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OAUTH_ISSUER": "https://id.example", "OAUTH_BUILTIN": "on"}, "exclude each other"),
        ({"OAUTH_BUILTIN": "on"}, "needs a file of gateway tokens"),
        ({"OAUTH_ISSUER": "http://id.example"}, "must be an https:// address"),
        ({"OAUTH_SCOPES": 'a"b'}, "must be a list of scopes"),
        ({"TRUSTED_PROXIES": "proxy.example"}, "must be a list of IP addresses"),
    ],
)
def test_settings_that_cannot_hold_are_refused(variables: dict[str, str], words: str) -> None:
    environ = {f"GEMINI_MCP_{name}": value for name, value in variables.items()}

    with pytest.raises(BadSetting, match=words):
        tokens_for(Config.read(environ), Address.read("127.0.0.1:0"))


# ------------------------------------------------------------------------------ the SDK's client


@pytest.mark.parametrize("scopes", [(), ("gemini.use",)])
async def test_the_sdks_own_client_signs_in(
    gateways: GatewayHarness, provider: IdentityProvider, scopes: tuple[str, ...]
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_scopes=scopes)
    oauth_client = SignedInClient(gateways.url)

    async with (
        oauth_client.http() as http,
        Client(streamable_http_client(gateways.url, http_client=http)) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "Hello"})

    assert not said.is_error
    assert len(oauth_client.visited) == 1


async def test_the_sdks_own_client_steps_up_and_refreshes(
    gateways: GatewayHarness, harness: AppHarness, provider: IdentityProvider
) -> None:
    await gateways.open(oauth_issuer=provider.url, oauth_scopes=("gemini.use", "gemini.more"))
    oauth_client = SignedInClient(gateways.url)
    await oauth_client.storage.set_client_info(await register_client(oauth_client, provider))
    await oauth_client.storage.set_tokens(
        jwt_token(provider.sign(gateways.url, scope="gemini.use"), "gemini.use")
    )

    async with (
        oauth_client.http() as http,
        Client(streamable_http_client(gateways.url, http_client=http)) as client,
    ):
        said = await client.call_tool("gemini_ask", {"prompt": "Hello"})
        oauth_client.auth.context.token_expiry_time = 1
        again = await client.call_tool("gemini_ask", {"prompt": "Hello"})

    assert not said.is_error
    assert not again.is_error
    assert len(oauth_client.visited) == 1
    assert "scope=gemini.use+gemini.more" in oauth_client.visited[0]


async def register_client(oauth_client: SignedInClient, provider: IdentityProvider) -> Any:
    from mcp.shared.auth import OAuthClientInformationFull
    from pydantic import AnyUrl

    from tests.support.oauth_client import REDIRECT

    return OAuthClientInformationFull(
        client_id="known",
        redirect_uris=[AnyUrl(REDIRECT)],
        token_endpoint_auth_method="none",
        issuer=provider.url,
    )


def jwt_token(token: str, scope: str) -> Any:
    from mcp.shared.auth import OAuthToken

    return OAuthToken(access_token=token, expires_in=3600, scope=scope)


# --------------------------------------------------------------------------------- made-up tokens


class NoKeys:
    issuer = "https://id.example"

    async def find(self, key_id: str | None, algorithm: str) -> dict[str, Any]:
        assert key_id is None or isinstance(key_id, str)
        return jwk(RSA_KEY, "one")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["RS256", "ES256", "none", "HS256", ""]) | JSON},
    optional={"kid": JSON, "crit": JSON, "typ": JSON, "b64": JSON, "jwk": JSON},
)
CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp"]), JSON
)


def jwt_part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")


@settings(max_examples=150, deadline=None)
@given(header=HEADERS | JSON, claims=CLAIMS | JSON, signature=st.text())
async def test_no_made_up_token_is_believed_or_breaks_the_check(
    header: Any, claims: Any, signature: str
) -> None:
    verifier = JwtVerifier(NoKeys(), audience="us", owner_claim="sub", now=time.time)  # type: ignore[arg-type]

    assert (
        await verifier.verify_token(f"{jwt_part(header)}.{jwt_part(claims)}.{jwt_part(signature)}")
        is None
    )
    assert await verifier.verify_token(signature) is None


@settings(max_examples=150, deadline=None)
@given(claims=CLAIMS)
async def test_signed_claims_of_any_shape_name_an_owner_or_are_refused(
    claims: dict[str, Any],
) -> None:
    verifier = JwtVerifier(NoKeys(), audience="us", owner_claim="sub", now=time.time)  # type: ignore[arg-type]
    told = {"iss": NoKeys.issuer, "aud": "us", "sub": "ann", "exp": time.time() + 60, **claims}
    header = jwt_part({"alg": "RS256"})
    message = f"{header}.{jwt_part(told)}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        message.encode(), RSA_KEY
    )
    token = f"{message}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    found = await verifier.verify_token(token)

    assert found is None or found.client_id == f"{NoKeys.issuer} {told['sub']}"
    assert all(isinstance(each, str) for each in scopes_of(told))
