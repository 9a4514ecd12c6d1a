"""What does not come in over HTTP, and that nothing of it is kept or logged."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream

from gemini_interactions.config.setting_table import BadSetting
from gemini_interactions.config.settings import Config
from gemini_interactions.domain.errors import Refused
from gemini_interactions.mcp_server.transports.http import transport_security
from gemini_interactions.mcp_server.transports.http.asgi_app import Address, tokens_for
from gemini_interactions.mcp_server.transports.http.transport_security import AllowedHosts
from tests.support import protocol
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness
from tests.support.protocol import ACCEPT, ENVELOPE, LEGACY, MODERN

TOKEN = "anns-secret-token"
SECRETS = (TOKEN, "wrong-secret", "secret-prompt", "secret-query", "secret-host")

CALL = {"name": "gemini_ask", "arguments": {"prompt": "secret-prompt"}, "_meta": ENVELOPE}
ASK = protocol.request("tools/call", CALL)
MODERN_HEADERS = protocol.http_headers("tools/call", CALL)
LEGACY_HEADERS = {"mcp-protocol-version": LEGACY}


@dataclass(frozen=True)
class Attempt:
    """One request and the status it must be answered with."""

    name: str
    status: int
    headers: dict[str, str | None] = field(default_factory=dict)
    method: str = "POST"
    path: str = "/mcp"
    body: bytes | dict[str, Any] = field(default_factory=lambda: ASK)
    modern: bool = True


BIG = b'{"jsonrpc":"2.0","id":1,"method":"ping","pad":"' + b"x" * 7 * 2**20 + b'"}'

TRIES = [
    Attempt("no token", 401, {"authorization": None}),
    Attempt("wrong token", 401, {"authorization": "Bearer wrong-secret"}),
    Attempt("token of another scheme", 401, {"authorization": f"Basic {TOKEN}"}),
    Attempt("token without a scheme", 401, {"authorization": TOKEN}),
    Attempt("empty token", 401, {"authorization": "Bearer"}),
    Attempt(
        "token in the query",
        401,
        {"authorization": None},
        path=f"/mcp?token={TOKEN}&q=secret-query",
    ),
    Attempt(
        "no token on a path that is not there", 401, {"authorization": None}, path="/secret-query"
    ),
    Attempt("wrong host", 421, {"host": "secret-host.example.com"}),
    Attempt("a host that begins like ours", 421, {"host": "127.0.0.1.secret-host.example.com"}),
    Attempt("a host with our name as its user", 421, {"host": "127.0.0.1@secret-host.example.com"}),
    Attempt("empty host", 421, {"host": ""}),
    Attempt("wrong origin", 403, {"origin": "https://secret-host.example.com"}),
    Attempt("an origin that begins like ours", 403, {"origin": "http://127.0.0.1.secret-host.com"}),
    Attempt("null origin", 403, {"origin": "null"}),
    Attempt("an origin of another kind", 403, {"origin": "file://127.0.0.1"}),
    Attempt("too large a body", 413, body=BIG),
    Attempt("too large a body, legacy", 413, body=BIG, modern=False),
    Attempt("invalid UTF-8", 400, body=b'{"jsonrpc":"2.0","id":1,"method":"secret-prompt\xff"}'),
    Attempt(
        "invalid UTF-8, legacy", 400, body=b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', modern=False
    ),
    Attempt("malformed JSON", 400, body=b'{"jsonrpc": "secret-prompt'),
    Attempt("malformed JSON, legacy", 400, body=b'{"jsonrpc": "secret-prompt', modern=False),
    Attempt("deep JSON", 400, body=b"[" * 100_000),
    Attempt("deep JSON, legacy", 400, body=b"[" * 100_000, modern=False),
    Attempt("no body", 400, body=b""),
    Attempt("no body, legacy", 400, body=b"", modern=False),
    Attempt("a batch", 400, body=json.dumps([ASK, ASK]).encode()),
    Attempt("a batch, legacy", 400, body=json.dumps([ASK, ASK]).encode(), modern=False),
    Attempt("not JSON by its type", 400, {"content-type": "text/plain"}),
    Attempt("no type", 400, {"content-type": None}),
    Attempt("no answer accepted", 406, {"accept": "text/html"}),
    Attempt("header and body name different methods", 400, {"mcp-method": "tools/list"}),
    Attempt("header and body name different tools", 400, {"mcp-name": "gemini_history"}),
    Attempt("header names no method", 400, {"mcp-method": None}),
    Attempt("a version there is not", 400, {"mcp-protocol-version": "2099-01-01"}),
    Attempt(
        "modern header over a legacy body", 400, body={"jsonrpc": "2.0", "id": 1, "method": "ping"}
    ),
    Attempt("unknown session", 404, {"mcp-session-id": "0" * 32}, modern=False),
    Attempt("no session", 400, modern=False),
    Attempt("GET, modern", 405, method="GET", body=b""),
    Attempt("DELETE, modern", 405, method="DELETE", body=b""),
    Attempt("PUT", 405, method="PUT"),
    Attempt("GET without a session", 400, method="GET", body=b"", modern=False),
    Attempt("a path that is not there", 404, path="/mcp/secret-query"),
    Attempt("the root", 404, path="/"),
    Attempt("POST to a route for GET", 405, path="/healthz"),
]


async def test_what_is_refused_has_its_status_and_leaves_no_trace(
    gateways: GatewayHarness,
    harness: AppHarness,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    subtests: pytest.Subtests,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "mcp.client"):
        caplog.set_level(logging.WARNING, name)  # the test's own side of the wire
    await gateways.open(tokens={TOKEN: "ann"})
    for attempt in TRIES:
        caplog.clear()

        answer = await send_attempt(gateways, attempt)

        logged = caplog.text + "".join(capfd.readouterr())
        with subtests.test(attempt.name):
            assert answer.status_code == attempt.status, answer.text
            assert [secret for secret in SECRETS if secret in logged] == []
            assert "Traceback" not in logged
    assert harness.bodies == []


async def send_attempt(gateways: GatewayHarness, attempt: Attempt) -> httpx2.Response:
    headers = {"accept": ACCEPT, "content-type": "application/json"}
    headers |= {"authorization": f"Bearer {TOKEN}"}
    headers |= MODERN_HEADERS if attempt.modern else LEGACY_HEADERS
    told = {**headers, **attempt.headers}
    body = attempt.body if isinstance(attempt.body, bytes) else json.dumps(attempt.body).encode()
    async with httpx2.AsyncClient(base_url=gateways.latest.gateway.url, trust_env=False) as raw:
        raw.headers.clear()
        return await raw.request(
            attempt.method,
            attempt.path,
            content=body,
            headers={name: value for name, value in told.items() if value is not None},
        )


async def test_a_refusal_for_want_of_a_token_says_what_kind_is_wanted(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(tokens={TOKEN: "ann"})

    async with gateways.raw() as raw:
        missing = await raw.post("/mcp", json=ASK)
        wrong = await raw.post("/mcp", json=ASK, headers={"authorization": "Bearer wrong"})

    assert missing.headers["www-authenticate"] == 'Bearer realm="gemini"'
    assert wrong.headers["www-authenticate"] == 'Bearer realm="gemini", error="invalid_token"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_token_lets_its_owner_in(gateways: GatewayHarness, scheme: str) -> None:
    await gateways.open(tokens={TOKEN: "ann"})

    async with gateways.raw(authorization=f"{scheme} {TOKEN}", **MODERN_HEADERS) as raw:
        answer = await raw.post("/mcp", json=ASK)

    assert answer.status_code == 200


async def test_two_authorization_headers_let_nobody_in(gateways: GatewayHarness) -> None:
    await gateways.open(tokens={TOKEN: "ann"})
    twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")]

    async with gateways.raw() as raw:
        answer = await raw.post("/mcp", json=ASK, headers=[*MODERN_HEADERS.items(), *twice])

    assert answer.status_code == 401


# ---------------------------------------------------------------------------------- bodies


async def endless(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 2**16):
        yield b"x" * 2**16


def head(gateways: GatewayHarness, *more: str) -> bytes:
    lines = [
        "POST /mcp HTTP/1.1",
        f"host: 127.0.0.1:{gateways.latest.port}",
        "content-type: application/json",
        f"mcp-protocol-version: {MODERN}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("more", "sent", "status"),
    [
        ([f"authorization: Bearer {TOKEN}", "content-length: 104857600"], b"", b"413"),
        (["content-length: 104857600"], b"", b"401"),
        (
            [f"authorization: Bearer {TOKEN}", "transfer-encoding: chunked"],
            b"700000\r\n" + b"x" * 0x700000,
            b"413",
        ),
        (["transfer-encoding: chunked"], b"", b"401"),
    ],
)
async def test_a_hundred_megabytes_are_refused_before_they_have_come(
    gateways: GatewayHarness, more: list[str], sent: bytes, status: bytes
) -> None:
    await gateways.open(tokens={TOKEN: "ann"})

    async with await gateways.socket() as stream:
        await stream.send(head(gateways, *more) + sent)
        with anyio.fail_after(60):
            answer = await stream.receive()

    assert answer.split()[1] == status


async def drip(stream: SocketStream) -> None:
    """One byte at a time, without an end."""
    while True:
        await stream.send(b"x")
        await anyio.sleep(0.01)


async def test_who_goes_on_sending_after_a_refusal_is_hung_up_on(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_security, "LINGER_SECONDS", 0.1)
    await gateways.open()

    async with await gateways.socket() as stream:
        await stream.send(head(gateways, "content-length: 104857600"))
        with anyio.fail_after(60), pytest.raises((anyio.BrokenResourceError, OSError)):
            await drip(stream)


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_client_that_sends_it_all_first_still_reads_why_it_was_refused(
    gateways: GatewayHarness, chunked: bool
) -> None:
    await gateways.open()
    size = 100 * 2**20
    headers = {} if chunked else {"content-length": str(size)}

    async with gateways.raw(**{"content-type": "application/json"}) as raw:
        answer = await raw.post("/mcp", content=endless(size), headers=headers)

    assert answer.status_code == 413
    assert "6,291,456 bytes (GEMINI_MCP_MAX_BODY_BYTES)" in answer.text


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413)])
async def test_the_largest_body_is_counted_to_the_byte(
    gateways: GatewayHarness, size: int, status: int
) -> None:
    await gateways.open(max_body_bytes=1000)
    body = json.dumps(ASK).encode()

    async with gateways.raw(**MODERN_HEADERS, **{"content-type": "application/json"}) as raw:
        answer = await raw.post("/mcp", content=body + b" " * (size - len(body)))

    assert answer.status_code == status


async def test_a_prompt_of_four_megabytes_comes_in(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    client = await gateways.connect()

    said = await client.ask("x" * (4 * 2**20))

    assert said.status == "completed"


async def test_a_body_that_never_ends_is_not_waited_for(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_security, "BODY_SECONDS", 0.1)
    await gateways.open()

    async with await gateways.socket() as stream:
        await stream.send(
            b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\nsome of it"
        )
        with anyio.fail_after(60):
            answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 408")


async def test_a_client_that_leaves_while_it_sends_is_forgotten_quietly(
    gateways: GatewayHarness, caplog: pytest.LogCaptureFixture
) -> None:
    await gateways.open()
    for version in (MODERN, LEGACY):
        async with await gateways.socket() as stream:
            await stream.send(
                f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nmcp-protocol-version: {version}\r\n"
                "content-type: application/json\r\ncontent-length: 100\r\n\r\n{".encode()
            )
    async with gateways.raw() as raw:
        assert (await raw.get("/healthz")).status_code == 200
    await gateways.latest.stop()

    assert caplog.text == ""


# ------------------------------------------------------------------------- hosts and origins


@pytest.mark.parametrize(
    ("bound", "settings", "accepted", "refused"),
    [
        (
            "127.0.0.1",
            {},
            ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "localhost.", "[::1]:80"],
            ["", "example.com", "127.0.0.2", "localhost.example.com", "[::2]", "::1"],
        ),
        (
            "10.0.0.5",
            {"public_url": "https://mcp.example.com/base"},
            ["10.0.0.5:8000", "mcp.example.com", "mcp.example.com:443"],
            ["localhost", "10.0.0.6", "example.com", "evil.mcp.example.com"],
        ),
        (
            "0.0.0.0",  # noqa: S104
            {},
            ["10.0.0.5:8000", "[2001:db8::1]:80", "localhost", socket.gethostname()],
            ["", "example.com", "10.0.0.5.example.com", "1.2.3"],
        ),
        (
            "0.0.0.0",  # noqa: S104
            {"allowed_hosts": ("mcp.example.com:8443",), "public_url": "https://other.example.com"},
            ["mcp.example.com:8443", "other.example.com"],
            ["mcp.example.com", "mcp.example.com:8000", "10.0.0.5", "localhost"],
        ),
        ("127.0.0.1", {"allowed_hosts": ("*",)}, ["example.com", "x:1"], [""]),
        ("127.0.0.1", {"allowed_hosts": ("a.com:*",)}, ["a.com:1", "a.com"], ["localhost"]),
    ],
)
def test_a_server_goes_by_the_names_of_its_address_or_those_it_was_given(
    tmp_path: Path,
    bound: str,
    settings: dict[str, Any],
    accepted: list[str],
    refused: list[str],
) -> None:
    hosts = AllowedHosts(Config(data_dir=tmp_path, **settings), bound, bound)

    assert [host for host in accepted if not hosts.include(host)] == []
    assert [host for host in refused if hosts.include(host)] == []


def test_a_name_that_was_bound_is_a_name_of_the_server(tmp_path: Path) -> None:
    hosts = AllowedHosts(Config(data_dir=tmp_path), "gateway.lan", "10.0.0.5")

    assert hosts.include("gateway.lan:8000")


async def status(gateways: GatewayHarness, **headers: str) -> int:
    async with gateways.raw(**{**MODERN_HEADERS, **headers}) as raw:
        return (await raw.post("/mcp", json=ASK)).status_code


async def test_pages_of_this_machine_may_call_a_server_of_this_machine(
    gateways: GatewayHarness,
) -> None:
    await gateways.open()

    assert await status(gateways, origin="http://localhost:6274") == 200
    assert await status(gateways, origin=f"http://127.0.0.1:{gateways.latest.port}") == 200


async def test_a_second_origin_hides_behind_no_first(gateways: GatewayHarness) -> None:
    await gateways.open()
    origins = [("origin", "http://localhost:6274"), ("origin", "https://elsewhere.example.com")]

    async with gateways.raw() as raw:
        answer = await raw.post("/mcp", json=ASK, headers=origins)

    assert answer.status_code == 403


async def test_origins_that_were_given_are_the_only_ones_and_may_read_the_answers(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(allowed_origins=("https://app.example.com",))
    preflight = {
        "origin": "https://app.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,mcp-protocol-version",
    }

    assert await status(gateways, origin="https://app.example.com") == 200
    assert await status(gateways, origin="http://localhost:6274") == 403
    async with gateways.raw(**preflight) as raw:
        asked = await raw.options("/mcp")
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "authorization" in asked.headers["access-control-allow-headers"]


# ------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "localhost.localdomain.invalid"])  # noqa: S104
def test_an_address_others_can_reach_needs_tokens(tmp_path: Path, host: str) -> None:
    with pytest.raises((BadSetting, Refused)) as refused:
        tokens_for(Config(data_dir=tmp_path), Address.read(f"{host}:8000"))

    assert str(refused.value).count(". ") == 0


@pytest.mark.parametrize(
    "text", ["127.0.0.1:0", "localhost:8000", "[::1]:8000", " 127.0.0.2:65535"]
)
def test_loopback_needs_none(tmp_path: Path, text: str) -> None:
    assert tokens_for(Config(data_dir=tmp_path), Address.read(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8000",
        ":8000",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:8000",
        "a b:1",
        "http://127.0.0.1:80",
        "127.0.0.1:80/mcp",
        "127.0.0.1:-1",
        "127.0.0.1:٣",
    ],
)
def test_an_address_is_a_host_and_a_port(text: str) -> None:
    with pytest.raises(Refused, match=r"^--http must be HOST:PORT, such as 127\.0\.0\.1:8000\.$"):
        Address.read(text)


def test_an_address_in_use_is_refused_in_one_sentence() -> None:
    with Address.read("127.0.0.1:0").listen() as taken:
        address = Address.read(f"127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(Refused, match=r"cannot be listened on: .*in use.*\.$"):
            address.listen()


# ---------------------------------------------------------------------------------- health


async def test_whoever_asks_hears_that_the_server_lives_and_is_ready(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(tokens={TOKEN: "ann"})

    async with gateways.raw(host="10.1.2.3") as raw:  # as a cluster's probe asks
        answers = [await raw.get("/healthz"), await raw.get("/readyz")]

    assert [(each.status_code, each.text) for each in answers] == [
        (200, "alive\n"),
        (200, "ready\n"),
    ]


async def test_a_server_whose_store_does_not_answer_lives_but_is_not_ready(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    harness.folder.parent.joinpath("file").touch()
    await gateways.open(database_url=f"sqlite:///{harness.folder.parent}/file/gemini.db")

    async with gateways.raw() as raw:
        answers = [await raw.get("/healthz"), await raw.get("/readyz")]

    assert [each.status_code for each in answers] == [200, 503]


@pytest.mark.parametrize("legacy", [False, True])
async def test_half_an_emoji_breaks_nothing(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=legacy)
    prompt = "cut in the middle \ud83d"

    said = await wire.call("gemini_ask", prompt=prompt)

    assert said.status == "completed"
    assert harness.last["input"] == "cut in the middle \ufffd"
