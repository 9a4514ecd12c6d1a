"""Views in a real browser, with the official AppBridge as their host."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Frame

from gemini_interactions.mcp_server.apps.extension import VIEWS
from tests.end_to_end.apps.test_views import APPS
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.browser import browser_page
from tests.support.view_browser import ViewHost

pytestmark = pytest.mark.processes

RESEARCH, GALLERY, USAGE = VIEWS
SCREENSHOTS = os.environ.get("VIEW_SCREENSHOTS", "")
"""A folder for pictures of the views, as they stand in the docs."""


@pytest.fixture
async def viewer(harness: AppHarness) -> McpClient:
    harness.control.research_seconds = 0
    return await harness.connect(extensions=[APPS])


@pytest.fixture
async def host(viewer: McpClient) -> AsyncIterator[ViewHost]:
    async with browser_page(viewport={"width": 720, "height": 900}) as page:
        host = ViewHost(page, viewer)
        await host.load()
        yield host


def result(shown: ToolResult) -> dict[str, Any]:
    return shown.raw.model_dump(by_alias=True, mode="json", exclude_none=True)


async def plan(viewer: McpClient, question: str = "Why do storks nest on roofs?") -> ToolResult:
    started = await viewer.call("start_deep_research", question=question, plan_first=True)
    return await viewer.call("check_research", research_id=started.id, wait_seconds=20)


async def until_text(frame: Frame, text: str) -> None:
    await frame.wait_for_function("(text) => document.body.innerText.includes(text)", arg=text)


async def press(frame: Frame, name: str) -> None:
    """Reach a button by the keyboard alone and press it."""
    button = frame.get_by_role("button", name=name, exact=True)
    await button.wait_for()
    for _ in range(40):
        await frame.page.keyboard.press("Tab")
        if await button.evaluate("(each) => each === document.activeElement"):
            await frame.page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not reach {name}")


async def picture(host: ViewHost, name: str) -> None:
    if SCREENSHOTS:
        # Where a test keeps its files is nobody's business.
        place = "document.querySelectorAll('main .dim').forEach((each) => { each.textContent ="
        hide = "each.textContent.replace(/\\/\\S*\\//, '~/gemini/images/') })"
        await host.page.frames[-1].evaluate(f"{place} {hide}")
        await host.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


async def test_a_plan_is_changed_and_approved_by_keyboard_and_its_report_shown(
    host: ViewHost, viewer: McpClient
):
    planned = await plan(viewer)
    frame = await host.open(RESEARCH, result(planned))
    await picture(host, "research-plan-light")

    await frame.get_by_label("What should change in the plan?").fill("Only Europe.")
    await press(frame, "Ask for a changed plan")
    await until_text(frame, "Approve and run")
    await press(frame, "Approve and run")
    await frame.wait_for_selector("article")

    assert (await host.called()).count("approve_research_plan") == 2
    assert "Completed" in await frame.inner_text("main")
    assert await host.violations(frame) == []
    await picture(host, "research-report-light")
    await host.open(RESEARCH, result(planned), theme="dark")
    await host.page.frames[-1].wait_for_selector("article")
    assert await host.violations(host.page.frames[-1]) == []
    await picture(host, "research-report-dark")
    assert host.requests == []


async def test_a_running_research_is_watched_and_cancelled(
    host: ViewHost, viewer: McpClient, harness: AppHarness
):
    harness.control.research_seconds = 1200
    started = await viewer.call("start_deep_research", question="Why storks?")
    frame = await host.open(RESEARCH, result(started))
    await until_text(frame, "Running")
    assert await host.violations(frame) == []

    await press(frame, "Cancel this research")
    await frame.get_by_role("button", name="Cancel it").click()
    await until_text(frame, "Cancelled")

    stands = await viewer.call("check_research", research_id=started.id)
    assert stands.status == "cancelled"


async def test_a_picture_is_edited_and_its_versions_stand_side_by_side(
    host: ViewHost, viewer: McpClient
):
    drawn = await viewer.call("gemini_generate_image", prompt="a stork")
    frame = await host.open(GALLERY, result(drawn))

    await frame.get_by_label("Change this picture").fill("with a hat")
    await frame.get_by_label("Aspect ratio").select_option("16:9")
    await press(frame, "Make a new version")
    await until_text(frame, "Before: ")

    assert await frame.locator("figure").count() == 2
    with anyio.fail_after(60):
        while await frame.locator("img[src^='data:image/jpeg']").count() < 2:
            await anyio.sleep(0.02)
    assert await host.violations(frame) == []
    await picture(host, "gallery-light")
    assert host.requests == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_usage_of_a_conversation_is_a_table(host: ViewHost, viewer: McpClient, theme: str):
    asked = await viewer.ask("one")
    await viewer.follow("two", conversation_id=asked.conversation)

    frame = await host.open(USAGE, result(await viewer.history(id=asked.conversation)), theme=theme)

    assert await frame.locator("tbody tr").count() == 2
    assert await host.violations(frame) == []
    await picture(host, f"usage-{theme}")


async def test_views_follow_a_host_that_writes_from_right_to_left(
    host: ViewHost, viewer: McpClient
):
    frame = await host.open(RESEARCH, result(await plan(viewer, "لماذا؟")), locale="ar-EG")

    assert await frame.evaluate("document.documentElement.dir") == "rtl"
    assert await host.violations(frame) == []


HOSTILE = [
    "<script>parent.hurt = 1; window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "![x](javascript:window.hurt=1)",
    "[click](javascript:window.hurt=1)",
    "[click](data:text/html,<script>window.hurt=1</script>)",
    '[click](https://evil.example/" onclick="window.hurt=1)',
    "![beacon](https://evil.example/pixel.png)",
    "<iframe src='https://evil.example/'></iframe>",
    "<style>@import url(https://evil.example/x.css)</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href='https://evil.example/'><a href='x' ping='https://evil.example/p'>x</a>",
    "<form action='https://evil.example/'><button autofocus>x</button></form>",
    "| a |\n|---|\n| <svg onload='window.hurt=1'> |",
    "```\n</code></pre><script>window.hurt=1</script>\n```",
]


async def test_hostile_text_runs_nothing_loads_nothing_and_leads_nowhere_unasked(
    host: ViewHost, viewer: McpClient, harness: AppHarness
):
    question = " ".join(HOSTILE)
    harness.control.hold_background()
    started = await viewer.call("start_deep_research", question=question)
    report = "\n\n".join(["# Report", *HOSTILE, "[fine](https://fine.example/a)"])
    harness.control.finish(started.interaction, report)
    done = await viewer.call("check_research", research_id=started.id, wait_seconds=20)

    frame = await host.open(RESEARCH, result(done))
    await frame.wait_for_selector("article")
    links = frame.locator("button.link")
    addresses = [await each.get_attribute("title") for each in await links.all()]
    await frame.get_by_role("button", name="fine", exact=True).click()
    asked = await frame.inner_text("dialog")
    before = await host.opened()
    await frame.get_by_role("button", name="Open", exact=True).click()
    with anyio.fail_after(60):
        while not await host.opened():
            await anyio.sleep(0.02)

    assert await frame.evaluate(
        "[window.hurt, document.querySelectorAll('article :is(script,"
        "iframe,form,style,meta,base,svg,a)').length]"
    ) == [None, 0]
    assert await host.page.evaluate("window.hurt ?? null") is None
    assert all(each is None or each.startswith("https://") for each in addresses)
    assert "fine.example" in asked
    assert before == []
    assert await host.opened() == ["https://fine.example/a"]
    assert host.requests == []
