"""Researches of several owners on one gateway: each sees only their own."""

from __future__ import annotations

import re

from tests.support.app_harness import AppHarness, mask_ids
from tests.support.gateway_harness import GatewayHarness
from tests.support.research_client import ResearchClient

TOKENS = {"ada's token": "ada", "bob's token": "bob"}


async def test_somebody_elses_research_reads_like_an_unknown_one(
    harness: AppHarness, gateways: GatewayHarness
) -> None:
    await gateways.open(tokens=TOKENS)
    ada = ResearchClient(harness, await gateways.connect(token="ada's token"))
    bob = ResearchClient(harness, await gateways.connect(token="bob's token"))
    plan = await ada.plan()

    answers = [
        await bob.check(plan.id),
        await bob.approve(plan.id),
        await bob.cancel(plan.id),
        await bob.client.result(plan.id),
        await bob.client.follow("And?", conversation_id=plan.id),
    ]

    unknown = await bob.check("r_0000000000")
    assert {mask_ids(said.text) for said in answers[:3]} == {mask_ids(unknown.text)}
    assert all(said.is_error and said.status is None for said in answers)
    assert (await bob.client.history(kind="research")).text.startswith("There is no research here.")
    assert len(harness.bodies) == 1


async def test_over_http_charts_come_as_links_and_no_path_is_told(
    harness: AppHarness, gateways: GatewayHarness
) -> None:
    await gateways.open(tokens=TOKENS)
    ada = ResearchClient(harness, await gateways.connect(token="ada's token", legacy=True))

    said = await ada.report()

    (link,) = re.findall(r"^i_\w+: (http://\S+)$", said.tail, re.MULTILINE)
    async with gateways.raw() as http:
        answer = await http.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert str(harness.folder) not in said.text
    assert "path" not in said.facts


async def test_links_to_very_many_charts_leave_the_report_its_room(
    harness: AppHarness, gateways: GatewayHarness
) -> None:
    harness.control.report_charts = 23
    await gateways.open(tokens=TOKENS)
    ada = ResearchClient(harness, await gateways.connect(token="ada's token", legacy=True))

    said = await ada.report()

    assert len(re.findall(r"^i_\w+: http://\S+$", said.tail, re.MULTILINE)) == 20
    assert 'And 3 more: gemini_history with kind "images" lists them.' in said.tail


async def test_a_modern_client_without_a_session_names_its_research(
    harness: AppHarness, gateways: GatewayHarness
) -> None:
    await gateways.open(tokens=TOKENS)
    ada = ResearchClient(harness, await gateways.connect(token="ada's token"))
    await ada.start()

    said = await ada.check()

    assert said.is_error
    assert said.text == (
        "This connection has no session, so `research_id` is required. "
        'gemini_history with kind "research" lists them.'
    )
