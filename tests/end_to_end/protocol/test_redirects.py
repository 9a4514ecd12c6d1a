"""Google's redirects: asked for at Google's host alone, never followed, never waited for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import httpx2
import pytest

from gemini_interactions.gemini import grounding_redirects
from gemini_interactions.gemini.grounding_redirects import AT_ONCE, MOST, RedirectResolver
from tests.support.app_harness import AppHarness, McpClient

HERE = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
THERE = "https://example.org/page?q=1"

Answer = Callable[[httpx2.Request], Awaitable[httpx2.Response]]


def leads_to(target: str, status: int = 302) -> httpx2.Response:
    return httpx2.Response(status, headers={"location": target, "set-cookie": "who=you; Path=/"})


class RedirectHost:
    """Stands in for Google's redirect host, and writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self.answer: Answer = self.plainly
        self.target = THERE

    async def plainly(self, _request: httpx2.Request) -> httpx2.Response:
        return leads_to(self.target)

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        return await self.answer(request)


@pytest.fixture
def google() -> RedirectHost:
    return RedirectHost()


@pytest.fixture
def links(google: RedirectHost) -> RedirectResolver:
    return RedirectResolver(httpx2.MockTransport(google))


async def test_a_link_is_asked_for_once_and_not_followed(
    links: RedirectResolver, google: RedirectHost
) -> None:
    found = await links.resolve([f"{HERE}a", f"{HERE}a"])
    again = await links.resolve([f"{HERE}a"])
    await links.aclose()

    assert found == again == {f"{HERE}a": THERE}
    (request,) = google.asked
    assert (request.method, str(request.url)) == ("HEAD", f"{HERE}a")


async def test_nothing_of_ours_goes_along_and_nothing_is_kept_of_it(
    links: RedirectResolver, google: RedirectHost
) -> None:
    await links.resolve([f"{HERE}a"])
    await links.resolve([f"{HERE}b"])
    await links.aclose()

    assert not {"cookie", "authorization", "x-goog-api-key", "referer"} & {
        name.lower() for request in google.asked for name in request.headers
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/grounding-api-redirect/a",
        "https://vertexaisearch.cloud.google.com.example.org/grounding-api-redirect/a",
        "https://me@vertexaisearch.cloud.google.com/grounding-api-redirect/a",
        "https://vertexaisearch.cloud.google.com:8443/grounding-api-redirect/a",
        "https://vertexaisearch.cloud.google.com/other/a",
        "https://vertexaisearch.cloud.google.com/grounding-api-redirect/../a",
        "https://vertexaisearch.cloud.google.com/grounding-api-redirect/",
        "ftp://vertexaisearch.cloud.google.com/grounding-api-redirect/a",
        "https://[bad/grounding-api-redirect/a",
        "",
    ],
)
async def test_nobody_but_googles_redirects_is_asked(
    links: RedirectResolver, google: RedirectHost, url: str
) -> None:
    assert await links.resolve([url]) == {url: ""}
    assert google.asked == []


async def test_a_plain_link_is_asked_for_over_tls(
    links: RedirectResolver, google: RedirectHost
) -> None:
    url = f"http://VertexAISearch.cloud.google.com:80/{HERE.split('/', 3)[3]}a"

    assert await links.resolve([url]) == {url: THERE}
    assert str(google.asked[0].url) == f"{HERE}a"


@pytest.mark.parametrize(
    "target",
    [
        "https://example.org/",
        "http://example.org:8080/a?b=c#d",
        "https://xn--bcher-kva.example.com/%C3%BC",
        "https://93.184.215.14/a",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    ],
)
async def test_pages_of_the_web_are_targets(
    links: RedirectResolver, google: RedirectHost, target: str
) -> None:
    google.target = target

    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": target}


@pytest.mark.parametrize(
    "target",
    [
        "/relative",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hello",
        "https://localhost/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://intranet/",
        "https://user:password@example.org/",
        "https://example.org/with space",
        "https://example.org:99999999/",
        f"{HERE}another",
        f"https://example.org/{'x' * 3000}",
        "",
    ],
)
async def test_anything_else_is_not(
    links: RedirectResolver, google: RedirectHost, target: str
) -> None:
    google.target = target

    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": ""}
    assert len(google.asked) == 1


@pytest.mark.parametrize(("status", "asked"), [(200, 1), (404, 1), (410, 1), (429, 2), (503, 2)])
async def test_what_google_knows_not_is_remembered_and_its_troubles_are_not(
    links: RedirectResolver, google: RedirectHost, status: int, asked: int
) -> None:
    async def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status)

    google.answer = answer
    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": ""}
    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": ""}
    assert len(google.asked) == asked


async def test_without_a_network_links_stay_unresolved_until_there_is_one(
    links: RedirectResolver, google: RedirectHost
) -> None:
    async def answer(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no network")

    google.answer = answer
    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": ""}
    google.answer = google.plainly
    assert await links.resolve([f"{HERE}a"]) == {f"{HERE}a": THERE}


async def test_one_that_hangs_does_not_hold_the_others(
    links: RedirectResolver, google: RedirectHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("slow"):
            await anyio.sleep_forever()
        return leads_to(THERE)

    google.answer = answer
    await links.resolve([f"{HERE}warm"])
    monkeypatch.setattr(grounding_redirects, "SECONDS", 0.05)

    found = await links.resolve([f"{HERE}slow", f"{HERE}a", f"{HERE}b"])

    assert found == {f"{HERE}slow": "", f"{HERE}a": THERE, f"{HERE}b": THERE}


async def test_they_are_asked_for_side_by_side_within_bounds(
    links: RedirectResolver, google: RedirectHost
) -> None:
    now = most = 0

    async def answer(_request: httpx2.Request) -> httpx2.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        now -= 1
        return leads_to(THERE)

    google.answer = answer
    found = await links.resolve([f"{HERE}{number}" for number in range(MOST + 20)])

    assert most == AT_ONCE
    assert len(google.asked) == MOST
    assert sum(bool(target) for target in found.values()) == MOST


async def test_only_so_many_are_remembered_the_latest_used_first(
    links: RedirectResolver, google: RedirectHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grounding_redirects, "REMEMBERED", 2)
    for name in ("a", "b", "a", "c", "a", "b"):
        await links.resolve([f"{HERE}{name}"])

    assert [request.url.path[-1] for request in google.asked] == ["a", "b", "c", "b"]


# ------------------------------------------------------------------------ through the product


async def test_sources_show_where_they_lead(harness: AppHarness, searching: dict[str, Any]) -> None:
    asked: list[Sequence[str]] = []

    async def resolve(urls: Sequence[str]) -> dict[str, str]:
        asked.append(urls)
        return {f"{HERE}one": THERE}

    harness.resolve = resolve
    client = await harness.connect()
    harness.control.answer_next(searching)

    said = await client.ask("Is it so?", tools=["google_search"])
    read = await client.result(said.id)

    assert said.piece == f"It is so[1][2].\n\nSources:\n1. First — {THERE}\n2. Second"
    assert read.text == said.text
    assert asked == [(f"{HERE}one", f"{HERE}two")]


async def test_a_resolver_that_fails_costs_the_addresses_and_not_the_answer(
    harness: AppHarness, searching: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def resolve(_urls: Sequence[str]) -> dict[str, str]:
        raise ValueError

    harness.resolve = resolve
    client = await harness.connect()
    harness.control.answer_next(searching)

    said = await client.ask("Is it so?", tools=["google_search"])

    assert said.status == "completed"
    assert said.piece.endswith("1. First\n2. Second")
    assert "source links could not be resolved" in caplog.text


async def test_an_answer_without_links_waits_for_nobody(harness: AppHarness) -> None:
    async def resolve(_urls: Sequence[str]) -> dict[str, str]:
        raise AssertionError("nothing to resolve")

    harness.resolve = resolve

    assert (await (await harness.connect()).ask("Hello.")).status == "completed"


async def test_without_transcripts_the_targets_are_not_kept_but_found_again(
    harness: AppHarness, searching: dict[str, Any]
) -> None:
    async def resolve(_urls: Sequence[str]) -> dict[str, str]:
        return {f"{HERE}one": THERE}

    harness.resolve = resolve
    client = await harness.connect(transcripts=False)
    harness.control.answer_next(searching)
    said = await client.ask("Is it so?", tools=["google_search"])

    read = await client.result(said.id)
    (turn,) = await (await client.app.bridge()).conversations._store.turns(
        "local", said.conversation
    )

    assert THERE in said.piece
    assert read.piece == said.piece
    assert "targets" not in turn.extra


@pytest.mark.parametrize("setting", ["on", "off"])
async def test_the_setting_decides_whether_google_is_asked(
    harness: AppHarness, searching: dict[str, Any], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    google = RedirectHost()
    transport = httpx2.MockTransport(google)
    made = grounding_redirects._client
    monkeypatch.setattr(grounding_redirects, "_client", lambda _: made(transport))
    harness.set(GEMINI_MCP_RESOLVE_REDIRECTS=setting)
    client: McpClient = await harness.connect()
    harness.control.answer_next(searching)

    said = await client.ask("Is it so?", tools=["google_search"])
    await client.disconnect()

    assert (THERE in said.piece) is (setting == "on")
    assert len(google.asked) == (2 if setting == "on" else 0)
