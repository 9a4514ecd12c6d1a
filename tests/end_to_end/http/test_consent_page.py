"""The consent page in a real browser: with a keyboard, a screen reader, light and dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from playwright.async_api import Page

from tests.support.browser import browser_page
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import RawOAuthClient


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with browser_page() as page:
        yield page


async def test_somebody_with_a_keyboard_signs_an_app_in(
    gateways: GatewayHarness, app: RawOAuthClient, page: Page
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
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, called_back)
        told = await _sign_in(page, url, port)
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


async def _sign_in(page: Page, url: str, port: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    await page.goto(url)
    told["names"] = await _accessible_names(page)
    # The browser moves the focus with its first frame, which may come a moment later.
    told["focus"] = await _focused(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        told[scheme] = await page.evaluate(
            "getComputedStyle(document.querySelector('input[type=password]')).backgroundColor"
        )
    await page.set_viewport_size({"width": 320, "height": 600})
    told["wide"] = await page.evaluate("document.documentElement.scrollWidth")
    await page.keyboard.insert_text("a guess")
    await page.keyboard.press("Enter")
    told["error"] = await page.locator("[role=alert]").text_content()
    told["focus after the error"] = await _focused(page)
    await page.keyboard.insert_text("anns-token")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"http://127.0.0.1:{port}/**")
    return told


async def _focused(page: Page) -> str:
    """The id of what has the focus, once something has it."""
    await page.wait_for_function("document.activeElement.id")
    return str(await page.evaluate("document.activeElement.id"))


async def _accessible_names(page: Page) -> list[tuple[str, str]]:
    """Role and name of everything that a screen reader tells."""
    session = await page.context.new_cdp_session(page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    told = [each for each in nodes if not each.get("ignored")]
    return [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in told]


async def test_nothing_runs_in_the_page_and_nobody_frames_it(
    gateways: GatewayHarness, app: RawOAuthClient, page: Page
) -> None:
    url = gateways.latest.gateway.url + app.request()

    await page.goto(url)
    ran = await page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); return window.ran ?? null; }"
    )
    await page.goto("about:blank")
    await page.set_content(f'<iframe src="{url.replace("&", "&amp;")}"></iframe>')
    is_framed = await page.evaluate(
        "() => { try { return !!window.frames[0]?.document.querySelector('form') }"
        " catch { return false } }"
    )

    assert (ran, is_framed) == (None, False)
