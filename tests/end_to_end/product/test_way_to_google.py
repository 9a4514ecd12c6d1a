"""What stands between this server and Gemini is named: to the model, and by `doctor`.

The answers are those of proxies, web filters, gateways and Google's own front, as people met
them; each text is all that its reader sees, so each has to lead to the next step.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator import Emulator
from tests.end_to_end.commands.conftest import Run, run
from tests.support.app_harness import AppHarness
from tests.support.raw_http_server import RawHttpServer

__all__ = ["run"]


@pytest.fixture
async def raw_server() -> AsyncIterator[RawHttpServer]:
    async with RawHttpServer() as raw_server:
        yield raw_server


def error(status: int, message: str, *details: dict[str, Any], word: str = "") -> bytes:
    return json.dumps(
        {"error": {"code": status, "message": message, "status": word, "details": [*details]}}
    ).encode()


def info(reason: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com"}


def quota(id: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaId": id}]}


ANSWER = {
    "id": "v1_abc",
    "status": "completed",
    "steps": [{"type": "model_output", "content": [{"type": "text", "text": "Here."}]}],
}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}


@dataclass(frozen=True)
class ProxyAnswer:
    """One answer, what a reader must find in the text, and what would mislead."""

    name: str
    status: str
    body: bytes
    says: tuple[str, ...]
    never: tuple[str, ...] = ("This server failed", "<html", "Traceback")
    kind: str = "application/json"
    more: str = ""


PAGE = b"<!doctype html><html><head><title>%s</title></head><body>x</body></html>"
NEW_KEY = "did not accept the API key"

FOREIGN = [
    ProxyAnswer(
        "a web filter",
        "403 Forbidden",
        PAGE % b"Blocked by Example Web Filter",
        ("Blocked by Example Web Filter", "web filter", "generativelanguage.googleapis.com"),
        (NEW_KEY, "<html"),
        "text/html",
    ),
    ProxyAnswer(
        "a sign-in page",
        "200 OK",
        PAGE % b"Guest Wi-Fi",
        ("Guest Wi-Fi", "200", "sign-in", "GOOGLE_GEMINI_BASE_URL"),
        kind="text/html",
    ),
    ProxyAnswer(
        "a redirect",
        "302 Found",
        b"",
        ("leads elsewhere", "302 to login.example.com", "GOOGLE_GEMINI_BASE_URL"),
        ("secret",),
        "text/html",
        "location: https://login.example.com/?token=secret\r\n",
    ),
    ProxyAnswer(
        "a permanent redirect",
        "308 Permanent Redirect",
        b"",
        ("leads elsewhere", "308 to api.example.com"),
        more="location: https://api.example.com/v1\r\n",
    ),
    ProxyAnswer(
        "a proxy's password",
        "407 Proxy Authentication Required",
        PAGE % b"Proxy",
        ("proxy", "407", "HTTPS_PROXY"),
        (NEW_KEY,),
        "text/html",
    ),
    ProxyAnswer(
        "a proxy's limit",
        "413 Request Entity Too Large",
        b"<html><h1>413 Request Entity Too Large</h1><hr>nginx</html>",
        ("413", "Send less", "Request Entity Too Large"),
        kind="text/html",
    ),
    ProxyAnswer(
        "another server",
        "404 Not Found",
        PAGE % b"404 Not Found - nginx",
        ("nginx", "404", "GOOGLE_GEMINI_BASE_URL"),
        ("no longer has what this builds on",),
        "text/html",
    ),
    ProxyAnswer(
        "an empty 404",
        "404 Not Found",
        b"",
        ("not the Gemini API", "404", "GOOGLE_GEMINI_BASE_URL"),
        ("no longer has what this builds on",),
    ),
    ProxyAnswer(
        "an error inside a 200",
        "200 OK",
        error(400, "Invalid value at 'input'.", word="INVALID_ARGUMENT"),
        ("Invalid value at 'input'",),
        ("could not be read",),
    ),
    ProxyAnswer(
        "a refused key inside a 200",
        "200 OK",
        error(401, "Bad credentials.", word="UNAUTHENTICATED"),
        (NEW_KEY,),
        ("could not be read",),
    ),
]

DENIED = [
    ProxyAnswer(
        name,
        "403 Forbidden",
        error(403, message, *details, word="PERMISSION_DENIED"),
        says,
        (NEW_KEY,) if name != "leaked" else (),
    )
    for name, message, details, says in [
        (
            "API not enabled",
            "Generative Language API has not been used in project 12 before or it is disabled.",
            (info("SERVICE_DISABLED"),),
            ("not enabled", "console.cloud.google.com/apis/library"),
        ),
        (
            "API not enabled, by its sentence alone",
            "Generative Language API has not been used in project 12 before or it is disabled.",
            (),
            ("not enabled",),
        ),
        (
            "restricted to other APIs",
            "Requests to this API generativelanguage.googleapis.com method x are blocked.",
            (info("API_KEY_SERVICE_BLOCKED"),),
            ("restricted to other APIs", "API restrictions"),
        ),
        (
            "restricted to websites",
            "Requests from referer <empty> are blocked.",
            (info("API_KEY_HTTP_REFERRER_BLOCKED"),),
            ("websites", "application restrictions"),
        ),
        (
            "restricted to addresses",
            "The provided API key has an IP address restriction.",
            (info("API_KEY_IP_ADDRESS_BLOCKED"),),
            ("IP address", "application restrictions"),
        ),
        (
            "suspended",
            "Permission denied: Consumer has been suspended.",
            (info("CONSUMER_SUSPENDED"),),
            ("suspended the project", "another project"),
        ),
        (
            "leaked",
            "Your API key was reported as leaked. Please use another API key.",
            (),
            ("found in public", "gemini-interactions-mcp key", "delete the old one"),
        ),
        (
            "Vertex permission",
            "Permission 'aiplatform.endpoints.predict' denied on resource.",
            (info("IAM_PERMISSION_DENIED"),),
            ("Vertex AI User", "GOOGLE_CLOUD_PROJECT"),
        ),
        ("billing", "Billing is off.", (info("BILLING_DISABLED"),), ("Billing is not enabled",)),
        (
            "a reason nobody knows",
            "No entry.",
            (info("SOMETHING_NEW"),),
            ("SOMETHING_NEW", "No entry"),
        ),
        ("no reason", "The caller does not have permission.", (), ("does not have permission",)),
    ]
]

LIMITS = [
    ProxyAnswer(
        name,
        "429 Too Many Requests",
        error(429, message, *details, word="RESOURCE_EXHAUSTED"),
        says,
    )
    for name, message, details, says in [
        (
            "a day",
            "You exceeded your current quota.",
            (quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), RETRY),
            ("today", "midnight Pacific time"),
        ),
        (
            "credit",
            "Your prepayment credits are depleted. Please go to AI Studio to manage billing.",
            (RETRY,),
            ("prepaid credit", "Add credit"),
        ),
        (
            "cap",
            "Your project has exceeded its monthly spending cap.",
            (RETRY,),
            ("spending cap", "Raise the cap"),
        ),
        ("no quota at all", "Quota exceeded, limit: 0, model: x", (RETRY,), ("paid key",)),
    ]
]


@pytest.mark.parametrize("met", [*FOREIGN, *DENIED, *LIMITS], ids=lambda met: met.name)
async def test_what_answers_is_told_once_with_its_own_way_out(
    harness: AppHarness, raw_server: RawHttpServer, met: ProxyAnswer
) -> None:
    harness.set(GOOGLE_GEMINI_BASE_URL=raw_server.url)
    client = await harness.connect()
    for _ in range(2):  # what would be answered to a second try
        raw_server.respond_with(met.body, met.status, met.kind, met.more)

    told = await client.ask("Hello.")

    assert told.is_error
    assert [each for each in met.says if each not in told.text] == []
    assert [each for each in met.never if each in told.text] == []
    assert len(raw_server.requests) == 1


async def test_a_limit_per_minute_is_waited_out(
    harness: AppHarness, raw_server: RawHttpServer
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    harness.sleep = sleep
    harness.set(GOOGLE_GEMINI_BASE_URL=raw_server.url)
    client = await harness.connect()
    limit = error(429, "Slow down.", quota("GenerateRequestsPerMinutePerProjectPerModel"), RETRY)
    raw_server.respond_with(limit, "429 Too Many Requests")
    raw_server.respond_with(json.dumps(ANSWER).encode())

    told = await client.ask("Hello.")

    assert told.piece == "Here."
    assert 2.0 in waits
    assert len(raw_server.requests) == 2


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("{url}/v1", "v1"),
        ("{url}/v1beta", "v1beta"),
        ("{url}/v1beta/", "v1beta"),
        ("{url}/v1beta/models", "v1beta"),
        (' "{url}/" ', "v1"),
        ("{URL}", "v1"),
    ],
)
async def test_an_address_is_read_as_people_write_it(
    harness: AppHarness, emulator: Emulator, written: str, version: str
) -> None:
    upper = emulator.url.replace("http", "HTTP")
    harness.set(GOOGLE_GEMINI_BASE_URL=written.format(url=emulator.url, URL=upper))

    told = await (await harness.connect()).ask("Hello.")

    assert not told.is_error
    assert harness.control.posts[-1].path == f"/{version}/interactions"


async def test_an_address_with_a_query_is_named(harness: AppHarness, run: Run) -> None:
    harness.set(GOOGLE_GEMINI_BASE_URL="https://gemini.invalid/?key=secret")

    doctor = await run("doctor")

    assert doctor.code == 1
    assert "GOOGLE_GEMINI_BASE_URL" in doctor.out
    assert "secret" not in doctor.out + doctor.err


BAD_ENVIRONMENTS = [
    ("a proxy of unknown kind", {"ALL_PROXY": "foo://127.0.0.1:1"}, "ALL_PROXY names a proxy of"),
    ("a SOCKS 4 proxy", {"ALL_PROXY": "socks4://127.0.0.1:1"}, "ALL_PROXY names a proxy of"),
    ("a proxy without a host", {"HTTPS_PROXY": "http://"}, "HTTPS_PROXY does not hold"),
    ("a proxy's port", {"https_proxy": "http://u:secret@h:port"}, "https_proxy does not hold"),
    ("no such certificates", {"SSL_CERT_FILE": "nowhere.pem"}, "SSL_CERT_FILE names a file"),
    ("no certificates", {"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE names a file that holds no"),
    ("no such bundle", {"REQUESTS_CA_BUNDLE": "nowhere.pem"}, "REQUESTS_CA_BUNDLE names a file"),
]


@pytest.mark.parametrize(
    ("environ", "words"),
    [each[1:] for each in BAD_ENVIRONMENTS],
    ids=[each[0] for each in BAD_ENVIRONMENTS],
)
async def test_a_variable_that_cannot_be_used_is_named_by_calls_and_by_doctor(
    harness: AppHarness, run: Run, environ: dict[str, str], words: str
) -> None:
    harness.set(SSL_CERT_FILE=None, SSL_CERT_DIR=None)
    harness.set(GOOGLE_GEMINI_BASE_URL="https://gemini.invalid", **environ)
    client = await harness.connect()

    told = await client.ask("Hello.")
    doctor = await run("doctor")

    assert told.is_error
    assert words in told.text
    assert "nothing was sent" in told.text
    assert doctor.code == 1
    (line,) = (line for line in doctor.out.splitlines() if words in line)
    assert line.startswith("FAIL  network")
    assert "secret" not in told.text + doctor.out + doctor.err
    assert "Traceback" not in doctor.out + doctor.err


@pytest.mark.parametrize(
    "met",
    # The SDK's list of models takes an error inside a 200 for an empty list.
    [each for each in [*FOREIGN, *DENIED] if "inside a 200" not in each.name],
    ids=lambda met: met.name,
)
async def test_doctor_names_what_answers_in_one_line(
    harness: AppHarness, raw_server: RawHttpServer, run: Run, met: ProxyAnswer
) -> None:
    harness.set(GOOGLE_GEMINI_BASE_URL=raw_server.url)
    raw_server.respond_with(met.body, met.status, met.kind, met.more)

    doctor = await run("doctor")

    assert doctor.code == 1
    failures = [line for line in doctor.out.splitlines() if line.startswith("FAIL")]
    assert len(failures) == 1
    assert met.says[0] in failures[0]
    assert "Traceback" not in doctor.out + doctor.err


async def test_no_application_default_credentials_are_named(
    harness: AppHarness, run: Run, tmp_path: Path
) -> None:
    harness.set(
        GEMINI_API_KEY=None,
        GOOGLE_GEMINI_BASE_URL=None,
        GOOGLE_GENAI_USE_VERTEXAI="true",
        GOOGLE_CLOUD_PROJECT="p",
        GOOGLE_CLOUD_LOCATION="global",
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "none.json"),
        NO_GCE_CHECK="true",
    )
    client = await harness.connect()

    told = await client.ask("Hello.")
    doctor = await run("doctor")

    assert "application-default credentials" in told.text
    assert "gcloud auth application-default login" in told.text
    assert doctor.code == 1
    assert "application-default credentials" in doctor.out


@pytest.mark.parametrize(
    "placeholder",
    [
        "$GEMINI_API_KEY",
        "${GEMINI_API_KEY}",
        "%GEMINI_API_KEY%",
        "{{GEMINI_API_KEY}}",
        "<your key>",
        "YOUR_API_KEY",
        "your-api-key-here",
        '"${env:GEMINI_API_KEY}"',
    ],
)
async def test_a_placeholder_is_no_key_so_the_key_file_is_used(
    harness: AppHarness, raw_server: RawHttpServer, run: Run, placeholder: str
) -> None:
    harness.set(GEMINI_API_KEY=placeholder, GOOGLE_GEMINI_BASE_URL=raw_server.url)
    raw_server.respond_with(json.dumps(ANSWER).encode())
    raw_server.respond_with(b'{"models": []}')
    without = await (await harness.connect()).ask("Hello.")
    harness.folder.mkdir(mode=0o700, exist_ok=True)
    (harness.folder / "key").write_text("key-of-the-file\n")
    (harness.folder / "key").chmod(0o600)

    told = await (await harness.connect()).ask("Hello.")
    doctor = await run("doctor")

    assert "There is no Gemini API key" in without.text
    assert "GOOGLE_API_KEY, GEMINI_API_KEY and the key file" in without.text
    assert not told.is_error
    assert [each.headers["x-goog-api-key"] for each in raw_server.requests] == [
        "key-of-the-file"
    ] * 2
    assert "GEMINI_API_KEY is a" in doctor.out
    assert doctor.code == 0


async def test_a_key_in_quotes_loses_them(harness: AppHarness, raw_server: RawHttpServer) -> None:
    harness.set(GEMINI_API_KEY='"key-in-quotes"', GOOGLE_GEMINI_BASE_URL=raw_server.url)
    raw_server.respond_with(json.dumps(ANSWER).encode())

    await (await harness.connect()).ask("Hello.")

    assert raw_server.requests[-1].headers["x-goog-api-key"] == "key-in-quotes"


async def test_a_socks_proxy_is_gone_through(
    harness: AppHarness, emulator: Emulator, run: Run
) -> None:
    asked: list[bytes] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(2))[1])  # RFC 1928: the greeting
        writer.write(b"\x05\x00")
        head = await reader.readexactly(4)
        name = await reader.readexactly((await reader.readexactly(1))[0] if head[3] == 3 else 4)
        await reader.readexactly(2)
        asked.append(name)
        port = int(emulator.url.rpartition(":")[2])
        there = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    harness.set(
        GOOGLE_GEMINI_BASE_URL="http://gemini.invalid",
        ALL_PROXY=f"socks5h://127.0.0.1:{port}",
        NO_PROXY="localhost,127.0.0.1",
    )

    told = await (await harness.connect()).ask("Hello.")
    doctor = await run("doctor")
    server.close()

    assert not told.is_error
    assert asked[0] == b"gemini.invalid"
    assert "through the proxy of ALL_PROXY" in doctor.out
    assert doctor.code == 0
