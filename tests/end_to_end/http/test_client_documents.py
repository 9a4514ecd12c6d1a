"""Metadata documents at clients' own addresses: what is fetched, when, and within which bounds."""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener, TLSStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_interactions.mcp_server.transports.http.auth import sign_in
from gemini_interactions.mcp_server.transports.http.auth.sign_in import client_documents
from gemini_interactions.mcp_server.transports.http.auth.sign_in.client_documents import (
    LARGEST,
    ClientDocuments,
    is_public,
    read_document,
)
from gemini_interactions.mcp_server.transports.http.auth.sign_in.clients import (
    BadClient,
    is_address,
)
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import REDIRECT, RawOAuthClient, submit_consent

TOKENS = {"anns-token": "ann"}


@dataclass
class HttpsServer:
    """An https server of the name app.example, on loopback."""

    port: int
    context: ssl.SSLContext
    asked: list[bytes] = field(default_factory=list)
    body: bytes = b""
    head: str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    resolved: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=lambda: ["127.0.0.1"])
    is_silent: bool = False

    @property
    def id(self) -> str:
        return f"https://app.example:{self.port}/client.json"

    def describe(self, **changes: Any) -> None:
        document = {
            "client_id": self.id,
            "client_name": "Web app",
            "redirect_uris": [REDIRECT],
            **changes,
        }
        self.body = json.dumps(document).encode()

    async def resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        return self.numbers

    def documents(self, **more: Any) -> ClientDocuments:
        return ClientDocuments(
            **{
                "resolve": self.resolve,
                "verify": self.context,
                "is_allowed": lambda number: number == "127.0.0.1",
                **more,
            }
        )

    async def answer(self, stream: TLSStream) -> None:
        async with stream:
            try:
                self.asked.append(await stream.receive())
                if self.is_silent:
                    await anyio.sleep_forever()
                head = f"{self.head}content-length: {len(self.body)}\r\n\r\n"
                await stream.send(head.encode() + self.body)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass


@pytest.fixture
async def web(harness: AppHarness, tmp_path: Path) -> AsyncIterator[HttpsServer]:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(self_signed("app.example"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # no Django here
    web = HttpsServer(port, ssl.create_default_context(cafile=str(certificate)))
    web.describe()
    tls = TLSListener(listener, server, standard_compatible=False)

    scope, ended = anyio.CancelScope(), anyio.Event()

    async def serve() -> None:
        with scope:
            await tls.serve(web.answer)
        ended.set()

    harness.tasks.start_soon(serve)
    yield web
    scope.cancel()
    await ended.wait()
    await tls.aclose()


def self_signed(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
async def app(
    gateways: GatewayHarness, web: HttpsServer, monkeypatch: pytest.MonkeyPatch
) -> RawOAuthClient:
    monkeypatch.setattr(sign_in, "ClientDocuments", web.documents)
    await gateways.open(tokens=TOKENS, oauth_builtin=True)
    http = gateways.raw()
    gateways._raw.append(http)
    return RawOAuthClient(http, gateways.url, id=web.id)


async def test_a_document_is_fetched_once_and_only_after_a_gateway_token(
    app: RawOAuthClient, web: HttpsServer, harness: AppHarness
) -> None:
    page = await app.page()
    wrong = await submit_consent(app.http, page, token="guess")
    before = len(web.asked)
    given = await app.signed_in()
    await app.signed_in()
    day = len(web.asked)
    harness.clock.advance(86_401)
    again = await app.signed_in()

    assert "app.example" in page.text
    assert wrong.status_code == 401
    assert (before, day, len(web.asked)) == (0, 1, 2)
    assert web.resolved == ["app.example"] * 2
    assert f"host: app.example:{web.port}".encode() in web.asked[0].lower()
    assert await app.status(given["access_token"]) == 401  # a day has passed
    assert await app.status(again["access_token"]) == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uris": ["https://app.example/other"]},
        {"client_id": "https://other.example/client.json"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"client_secret": "shared"},
        {"redirect_uris": "none"},
    ],
)
async def test_a_document_that_says_otherwise_sends_nobody_anywhere(
    app: RawOAuthClient, web: HttpsServer, changes: dict[str, Any]
) -> None:
    web.describe(**changes)

    answer = await submit_consent(app.http, await app.page(), token="anns-token")

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "Nothing was allowed" in answer.text


async def test_no_one_is_sent_back_by_an_unread_document(app: RawOAuthClient) -> None:
    wrong = await app.page(response_type="token")
    denied = await submit_consent(app.http, await app.page(), answer="deny", token="")

    assert (wrong.status_code, denied.status_code) == (400, 200)
    assert "location" not in wrong.headers
    assert "location" not in denied.headers


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n", b"{}"),
        ("HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n", b"{}"),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n", b"{}"),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", b"x" * (LARGEST + 1)),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", b"[" * 5000),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", b"\xff"),
        ("nonsense\r\n", b""),
    ],
)
async def test_an_answer_out_of_bounds_is_no_document(
    web: HttpsServer, head: str, body: bytes
) -> None:
    web.head, web.body = head, body

    with pytest.raises(BadClient):
        await web.documents().fetch(web.id)

    assert len(web.asked) == 1


async def test_a_server_that_says_nothing_is_left(
    web: HttpsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_documents, "SECONDS", 0.1)
    web.is_silent = True

    with pytest.raises(BadClient):
        await web.documents().fetch(web.id)


async def test_a_certificate_of_another_name_is_not_believed(web: HttpsServer) -> None:
    with pytest.raises(BadClient):
        await web.documents().fetch(web.id.replace("app.example", "other.example"))

    assert web.asked == []


@pytest.mark.parametrize("numbers", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], []])
async def test_a_name_that_leads_inside_is_not_asked(web: HttpsServer, numbers: list[str]) -> None:
    web.numbers = numbers

    with pytest.raises(BadClient):
        await web.documents(is_allowed=is_public).fetch(web.id)

    assert web.asked == []


async def test_a_document_that_may_not_be_kept_is_fetched_each_time(web: HttpsServer) -> None:
    web.head += "cache-control: no-store\r\n"
    short = await web.documents().fetch(web.id)
    web.head = web.head.replace("no-store", "max-age=999999")
    long = await web.documents().fetch(web.id)

    assert (short.seconds, long.seconds) == (0, 86_400)


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *(
            "0.0.0.1",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
        ),
        *("fc00::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1"),
        *("2002:a00:1::", "2001:0:a00:1::", "ff02::1", "::7f00:1", "2001:db8::1", "nonsense"),
    ],
)
def test_addresses_inside_are_not_public(number: str) -> None:
    assert not is_public(number)


@pytest.mark.parametrize("number", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_addresses_outside_are_public(number: str) -> None:
    assert is_public(number)


@pytest.mark.parametrize(
    "address",
    [
        *("http://app.example/c", "https://app.example", "https://app.example/", "app.example/c"),
        *("https://app.example/c#part", "https://ann@app.example/c", "https://app.example/../c"),
        *("https://app.example/a b", "https:///c", "https://app.example:x/c", "javascript:1"),
        *("https://app.example\\@evil.example/c", "https://app.example/" + "c" * 500),
    ],
)
def test_what_names_no_document_names_no_client(address: str) -> None:
    assert not is_address(address)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["client_id", "client_name", "redirect_uris", "grant_types", "response_types", "jwks"]
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(FIELDS, JSON) | JSON, st.booleans())
def test_a_document_of_any_shape_is_a_client_or_refused(document: Any, is_own: bool) -> None:
    id = "https://app.example/c"
    if is_own and isinstance(document, dict):
        document["client_id"] = id

    try:
        client = read_document(id, json.dumps(document).encode())
    except BadClient:
        return
    assert client.id == id
    assert client.redirect_uris
    assert len(client.name) <= 80
    assert client.name.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_bytes_of_any_kind_are_no_client(body: bytes) -> None:
    with pytest.raises(BadClient):
        read_document("https://app.example/c", body)
