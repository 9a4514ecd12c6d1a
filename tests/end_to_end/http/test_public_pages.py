"""Public pages: a view at a signed address that only shows, and is gone with what it shows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.end_to_end.commands.conftest import Run, run  # noqa: F401  a fixture of commands
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.browser import browser_page
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
DAY = 24 * 3600
HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'> {nonce} <!--"


def page_in(shown: ToolResult) -> str:
    assert not shown.is_error, shown.text
    before, _, tail = shown.text.rpartition("\n---\n")
    assert "Page: " not in before
    (address,) = re.findall(r"^Page: (\S+)$", tail, re.MULTILINE)
    return str(address)


def data_in(html: str) -> Any:
    (embedded,) = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', html)
    return json.loads(embedded)


async def research(client: McpClient, question: str = "Why storks?", **more: Any) -> ToolResult:
    started = await client.call("start_deep_research", question=question, **more)
    return await client.call("check_research", research_id=started.id, wait_seconds=20)


@pytest.fixture
async def ann(gateways: GatewayHarness, harness: AppHarness) -> McpClient:
    harness.control.research_seconds = 0
    await gateways.open(tokens=TOKENS, public_pages=True)
    return await gateways.connect(token="anns-token")


async def test_by_default_there_is_no_page_and_no_line(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    harness.control.research_seconds = 0
    gateway = await gateways.open()
    client = await gateways.connect()

    shown = [
        await research(client),
        await client.call("gemini_generate_image", prompt="a stork"),
        await client.history(id=(await client.ask("Hello")).conversation),
    ]
    async with gateways.raw() as raw:
        answer = await raw.get("/pages/r_0000000000/x")

    assert not [each for each in shown if "Page: " in each.text]
    assert not [each for each in gateway.gateway.routes if "pages" in getattr(each, "path", "")]
    assert answer.status_code == 404


async def test_on_this_machine_there_is_none_though_it_is_on(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_PUBLIC_PAGES="on")
    client = await harness.connect()

    assert "Page: " not in (await client.call("gemini_generate_image", prompt="a stork")).text


async def test_a_page_follows_a_research_from_its_plan_to_its_report(
    gateways: GatewayHarness, harness: AppHarness, ann: McpClient
) -> None:
    harness.control.report_charts = 2
    planned = await research(ann, plan_first=True)
    address = page_in(planned)

    async with gateways.raw() as raw:
        plan = data_in((await raw.get(address)).text)
        approved = await ann.call("approve_research_plan", research_id=planned.id)
        done = await ann.call("check_research", research_id=planned.id, wait_seconds=20)
        report = data_in((await raw.get(address)).text)

    assert address.startswith(f"{gateways.latest.gateway.url}/pages/{planned.id}/")
    assert page_in(approved)
    assert page_in(done)
    assert (plan["status"], plan["question"]) == ("plan_ready", "Why storks?")
    assert plan["plan"]
    assert report["status"] == "completed"
    assert "Sources:" in report["report"]
    assert sorted(report["previews"]) == sorted(report["charts"])
    assert len(report["charts"]) == 2


async def test_a_page_of_a_picture_shows_what_was_before_it_and_nothing_after(
    gateways: GatewayHarness, ann: McpClient
) -> None:
    made = [await ann.call("gemini_generate_image", prompt="a stork")]
    for prompt in ("with a hat", "without its hat"):
        more = {"conversation_id": made[-1].facts["image_id"]}
        made.append(await ann.call("gemini_generate_image", prompt=prompt, **more))

    async with gateways.raw() as raw:
        data = data_in((await raw.get(page_in(made[1]))).text)

    first, second = (each.facts["image_id"] for each in made[:2])
    assert [each["id"] for each in data["versions"]] == [first, second]
    assert (data["current"], data["before"]) == (second, first)
    assert sorted(data["previews"]) == sorted([first, second])


async def test_a_page_of_a_conversation_shows_its_usage_and_not_the_days(
    gateways: GatewayHarness, ann: McpClient
) -> None:
    asked = await ann.ask("one secret word")
    await ann.follow("two", conversation_id=asked.conversation)
    await ann.ask("another conversation")

    async with gateways.raw() as raw:
        html = (await raw.get(page_in(await ann.history(id=asked.conversation)))).text

    data = data_in(html)
    assert list(data) == ["conversation"]
    assert [each["turn"] for each in data["conversation"]["turns"]] == [1, 2]
    assert "secret" not in html


async def test_a_page_may_do_nothing_and_is_kept_and_told_nowhere(
    gateways: GatewayHarness, ann: McpClient
) -> None:
    address = page_in(await research(ann))

    async with gateways.raw() as raw:
        first, second = await raw.get(address), await raw.get(address)
        others = [await raw.request(method, address) for method in ("POST", "PUT", "DELETE")]

    headers = first.headers
    policy = dict(
        each.strip().partition(" ")[::2] for each in headers["content-security-policy"].split(";")
    )
    nonce = policy["script-src"].removeprefix("'nonce-").removesuffix("'")
    assert first.status_code == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "sandbox": "allow-scripts allow-popups allow-popups-to-escape-sandbox",
    }
    assert first.text.count(f'nonce="{nonce}"') == first.text.count("<script") + 1
    assert nonce not in second.text
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "<form" not in first.text
    assert {each.status_code for each in others} == {405}


async def test_a_hostile_report_is_only_text(
    gateways: GatewayHarness, harness: AppHarness, ann: McpClient
) -> None:
    harness.control.hold_background()
    started = await ann.call("start_deep_research", question=HOSTILE)
    harness.control.finish(started.interaction, f"# Report\n\n{HOSTILE}")
    done = await ann.call("check_research", research_id=started.id, wait_seconds=20)

    async with gateways.raw() as raw:
        html = (await raw.get(page_in(done))).text

    data = data_in(html)
    assert HOSTILE in data["report"]
    assert data["question"] == HOSTILE
    assert html.count("<script") == 2
    assert "<img" not in html
    assert "<!--" not in html


async def test_every_address_that_shows_nothing_reads_the_same(
    gateways: GatewayHarness, harness: AppHarness, ann: McpClient
) -> None:
    bob = await gateways.connect(token="bobs-token")
    anns, bobs = page_in(await research(ann)), page_in(await research(bob, "Why not?"))
    made = await ann.call("gemini_generate_image", prompt="a stork")
    image = made.facts["image_id"]
    (file_ticket,) = re.findall(rf"/images/{image}/(\S+)", made.text)
    page_ticket = page_in(made).rsplit("/", 1)[1]
    id, ticket = anns.rsplit("/", 2)[1:]
    bobs_id, bobs_ticket = bobs.rsplit("/", 2)[1:]
    owner, until, signature = ticket.split(".")
    paths = [
        f"/pages/{id}/{bobs_ticket}",
        f"/pages/{bobs_id}/{ticket}",
        f"/pages/{id}/{bobs_ticket.split('.')[0]}.{until}.{signature}",
        f"/pages/{id}/{owner}.{int(until) + 1}.{signature}",
        f"/pages/{id}/{owner}.{until}.{'A' * 43}",
        f"/pages/{id}/x",
        f"/pages/{image}/{file_ticket}",
        f"/pages/r_0000000000/{ticket}",
        f"/pages/{id}%00/{ticket}",
    ]

    async with gateways.raw() as raw:
        good = await raw.get(anns)
        answers = [await raw.get(path) for path in paths]
        as_file = await raw.get(f"/images/{image}/{page_ticket}")
        harness.clock.advance(DAY - 1)
        in_time = await raw.get(bobs)
        harness.clock.advance(60)
        answers.append(await raw.get(bobs))

    assert (good.status_code, in_time.status_code, as_file.status_code) == (200, 200, 404)
    assert {(each.status_code, each.text) for each in answers} == {
        (
            404,
            "There is nothing here: the address is wrong or over, or what it showed was deleted.\n",
        )
    }


async def test_pages_end_with_the_token_they_were_made_with(
    gateways: GatewayHarness, ann: McpClient
) -> None:
    bob = await gateways.connect(token="bobs-token")
    anns, bobs = page_in(await research(ann)), page_in(await research(bob, "Why not?"))

    gateways.write_tokens({"bobs-token": "bob"})
    async with gateways.raw() as raw:
        answers = [await raw.get(anns), await raw.get(bobs)]

    assert [each.status_code for each in answers] == [404, 200]


async def test_pages_end_with_what_they_show(
    gateways: GatewayHarness,
    harness: AppHarness,
    run: Run,  # noqa: F811
) -> None:
    harness.control.research_seconds = 0
    await gateways.open(public_pages=True)
    client = await gateways.connect()
    done = await research(client)
    made = await client.call("gemini_generate_image", prompt="a stork")
    told = await client.ask("Hello")
    pages = [page_in(done), page_in(made), page_in(await client.history(id=told.conversation))]

    async with gateways.raw() as raw:
        before = [(await raw.get(each)).status_code for each in pages]
        for each in (done, made, told):
            ended = await run("delete", each.conversation, "--yes")
            assert ended.code == 0, ended.err
        after = [(await raw.get(each)).status_code for each in pages]

    assert (before, after) == ([200] * 3, [404] * 3)


@pytest.mark.processes
async def test_a_browser_shows_pages_that_have_nothing_to_press_but_links_and_versions(
    gateways: GatewayHarness, harness: AppHarness, ann: McpClient
) -> None:
    made = await ann.call("gemini_generate_image", prompt="a stork")
    usage = page_in(await ann.history(id=made.conversation))
    harness.control.hold_background()
    started = await ann.call("start_deep_research", question="Why storks?")
    report = f"# Found\n\n{HOSTILE}\n\n[fine](https://fine.example/a)"
    harness.control.finish(started.interaction, report)
    done = await ann.call("check_research", research_id=started.id, wait_seconds=20)
    requests: list[str] = []

    async with browser_page() as page:
        page.on("request", lambda each: requests.append(each.url))
        await page.goto(page_in(done))
        await page.wait_for_selector("article h1, article h2, article h3")
        hurt = await page.evaluate("window.hurt ?? null")
        buttons = await page.locator("main button").all_inner_texts()
        origin = await page.evaluate("window.origin")
        await page.goto(page_in(made))
        await page.wait_for_function("[...document.images].some((each) => each.naturalWidth > 0)")
        controls = await page.locator("main :is(button, textarea, input, select)").count()
        await page.goto(usage)
        rows = await page.locator("tbody tr").count()
        refresh = await page.locator("main button").count()

    assert (hurt, buttons, origin) == (None, ["fine"], "null")
    assert (controls, rows, refresh) == (0, 1, 0)
    outside = [
        each for each in requests if not each.startswith((gateways.latest.gateway.url, "data:"))
    ]
    assert outside == []
