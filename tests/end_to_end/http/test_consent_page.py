"""The consent page in a real browser: with a keyboard, a screen reader, light and dark."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.abc import SocketAttribute, SocketStream

from tests.support.browser import Browser, found
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import RawOAuthClient

if not found() and os.environ.get("CI") != "true":
    pytest.skip("chromium is not installed: apt-get install chromium", allow_module_level=True)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    browser = await anyio.to_thread.run_sync(Browser)
    yield browser
    await anyio.to_thread.run_sync(browser.close)


async def test_somebody_with_a_keyboard_signs_an_app_in(
    gateways: GatewayHarness, app: RawOAuthClient, browser: Browser
) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # no Django here
    asked: list[str] = []
    arrived = anyio.Event()

    async def called_back(stream: SocketStream) -> None:
        async with stream:
            asked.append((await stream.receive()).decode().split()[1])
            await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK")
            arrived.set()

    url = gateways.latest.gateway.url + app.request(
        redirect_uri=f"http://127.0.0.1:{port}/callback"
    )
    told: dict[str, Any] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, called_back)
        await anyio.to_thread.run_sync(partial(_sign_in, browser, url, port, told))
        with anyio.fail_after(60):
            await arrived.wait()
        tasks.cancel_scope.cancel()
    await listener.aclose()

    for named in (("textbox", "Gateway token"), ("button", "Allow"), ("button", "Deny")):
        assert named in told["names"]
    assert told["focus"] == "token"
    assert told["error"] == "This is not a token of this server."
    assert told["focus after the error"] == "token"
    assert told["light"] != told["dark"]
    assert told["wide"] <= 320
    assert asked[0].startswith("/callback?code=gim_code_")
    assert "state=as+it+was" in asked[0]
    assert "iss=http" in asked[0]


def _sign_in(browser: Browser, url: str, port: int, told: dict[str, Any]) -> None:
    browser.go(url)
    told["names"] = browser.names()
    # The browser moves the focus with its first frame, which may come a moment later.
    told["focus"] = browser.until(lambda: browser.value("document.activeElement.id"))
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        told[scheme] = browser.value(
            "getComputedStyle(document.querySelector('input[type=password]')).backgroundColor"
        )
    browser.picture(320, 600)
    told["wide"] = browser.value("document.documentElement.scrollWidth")
    browser.type("a guess")
    browser.press("Enter")
    error = "document.querySelector('[role=alert]')?.textContent"
    told["error"] = browser.until(lambda: browser.value(error))
    told["focus after the error"] = browser.until(
        lambda: browser.value("document.activeElement.id")
    )
    browser.type("anns-token")
    browser.press("Enter")
    browser.until(lambda: browser.value("location.port") == str(port))


async def test_nothing_runs_in_the_page_and_nobody_frames_it(
    gateways: GatewayHarness, app: RawOAuthClient, browser: Browser
) -> None:
    url = gateways.latest.gateway.url + app.request()

    def look() -> tuple[Any, Any]:
        browser.go(url)
        browser.value(
            "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
            " document.body.append(s); })()"
        )
        ran = browser.value("window.ran")
        browser.go("about:blank")
        frame = f"document.body.innerHTML = '<iframe src=\"{url.replace('&', '&amp;')}\"></iframe>'"
        browser.value(frame)
        seen = "window.frames[0]?.document.querySelector('form')"
        return ran, browser.value(
            f"(() => {{ try {{ return !!{seen} }} catch {{ return false }} }})()"
        )

    assert await anyio.to_thread.run_sync(look) == (None, False)
