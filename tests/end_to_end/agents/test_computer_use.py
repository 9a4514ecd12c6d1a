"""Computer use: actions come back as functions with their safety decisions, screenshots go in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.support.agent_client import write_file
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.browser import browser_page

TOOL = {"type": "computer_use", "environment": "browser"}
WIDTH, HEIGHT = 1000, 800
PAGE = """<!doctype html><title>Form</title><style>body{margin:0}
input{position:absolute;left:300px;top:150px;width:400px;height:100px}
button{position:absolute;left:300px;top:350px;width:400px;height:100px}</style>
<input><button onclick="document.title = 'Sent ' + document.querySelector('input').value">Send
</button>"""
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(32)).decode()


def shot(data: str = PNG, **facts: Any) -> list[dict[str, Any]]:
    """A result as Gemini wants it: what is to be said, and the screen."""
    return [
        {"type": "text", "text": json.dumps({"url": "about:blank", **facts})},
        {"type": "image", "mime_type": "image/png", "data": data},
    ]


def pending(said: ToolResult) -> dict[str, Any]:
    (call,) = said.facts["function_calls"]
    return dict(call)


async def answer(client: McpClient, said: ToolResult, result: Any, **more: Any) -> ToolResult:
    given = {"call_id": pending(said)["call_id"], "result": result, **more}
    return await client.follow("", conversation_id=said.conversation, function_results=[given])


async def test_three_actions_with_their_decisions_and_screenshots(
    client: McpClient, harness: AppHarness
) -> None:
    first = await client.ask('Open https://example.com, type "hello", send it.', tools=[TOOL])
    second = await answer(client, first, shot())
    third = await answer(client, second, shot())
    last = await answer(client, third, shot(safety_acknowledgement=True))

    assert [each.status for each in (first, second, third)] == ["requires_action"] * 3
    assert [pending(each)["name"] for each in (first, second, third)] == [
        "navigate",
        "type_text_at",
        "click_at",
    ]
    assert "not declared" not in first.text
    assert "Ask the user before" not in second.text
    assert 'Ask the user before "click_at"' in third.text
    assert "This sends what was typed to a website" in third.text
    assert '"safety_acknowledgement": true' in third.text
    assert harness.last["input"][0]["result"][1]["data"] == PNG
    assert harness.last["tools"] == [TOOL]
    assert last.status == "completed"
    assert "I did 3 actions and saw 3 screenshots." in last.text


async def test_an_action_that_needs_the_users_word_is_not_answered_without_it(
    client: McpClient, harness: AppHarness
) -> None:
    said = await client.ask('Open https://example.com, type "hello", send it.', tools=[TOOL])
    for _ in range(2):
        said = await answer(client, said, shot())
    sent = len(harness.bodies)

    without = await answer(client, said, shot())
    declined = await answer(client, said, "The user said no.", is_error=True)

    assert without.is_error
    assert "needs the user's confirmation" in without.text
    assert declined.status == "completed"
    assert "the last action was refused" in declined.text
    assert len(harness.bodies) == sent + 1


async def test_screenshots_are_not_kept_here(client: McpClient, harness: AppHarness) -> None:
    said = await client.ask("Open https://example.com", tools=[TOOL])
    await answer(client, said, shot())

    kept = [each.read_bytes() for each in harness.folder.rglob("gemini.db*")]

    assert not any(PNG.encode() in data for data in kept)


async def test_a_real_browser_is_driven_through_three_steps(client: McpClient, work: Path) -> None:
    write_file("form.html", PAGE)
    url = (work / "form.html").as_uri()
    async with browser_page(viewport={"width": WIDTH, "height": HEIGHT}) as page:
        said = await client.ask(f'Open {url} and type "hello" into it, then send it.', tools=[TOOL])
        steps = []
        while said.status == "requires_action":
            call = pending(said)
            steps.append(call["name"])
            picture = await act(page, call)
            is_risky = "safety_decision" in call["arguments"]
            facts = {"safety_acknowledgement": True} if is_risky else {}
            said = await answer(client, said, shot(picture, **facts))
        title = await page.title()

    assert steps == ["navigate", "type_text_at", "click_at"]
    assert title == "Sent hello"
    assert "3 screenshots" in said.text


async def act(page: Page, call: dict[str, Any]) -> str:
    """Carry an action out as a client does; coordinates go from 0 to 999. The screen after it."""
    given = call["arguments"]
    x, y = given.get("x", 0) * WIDTH / 1000, given.get("y", 0) * HEIGHT / 1000
    match call["name"]:
        case "navigate":
            await page.goto(given["url"])
        case "type_text_at":
            await page.mouse.click(x, y)
            await page.keyboard.insert_text(given["text"])
        case "click_at":
            await page.mouse.click(x, y)
        case other:
            raise AssertionError(other)
    return base64.b64encode(await page.screenshot()).decode()
