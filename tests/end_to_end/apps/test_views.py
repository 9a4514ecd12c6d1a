"""MCP Apps: what clients that declare the extension get, and that nobody else gets anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.client import advertise
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from gemini_interactions.domain.types import Turn, Usage
from gemini_interactions.mcp_server.apps.extension import EXTENSION, MIME_TYPE, VIEWS, page
from gemini_interactions.tools import app_views
from tests.support.app_harness import AppHarness, McpClient

APPS = advertise(EXTENSION, {"mimeTypes": [MIME_TYPE]})


@pytest.fixture(params=["modern", "legacy"])
async def viewer(harness: AppHarness, request: pytest.FixtureRequest) -> McpClient:
    """A client that shows views."""
    return await harness.connect(legacy=request.param == "legacy", extensions=[APPS])


async def data(viewer: McpClient, tool: str, **arguments: Any) -> Any:
    shown = await viewer.call(tool, **arguments)
    assert not shown.is_error, shown.text
    return json.loads(shown.text)


async def test_server_names_the_extension_to_clients_that_declare_it(viewer: McpClient):
    assert viewer.sdk_client.server_capabilities.extensions == {EXTENSION: {}}


@pytest.mark.parametrize("legacy", [False, True])
async def test_nobody_else_sees_views_or_their_tools(harness: AppHarness, legacy: bool):
    client = await harness.connect(legacy=legacy)

    tools = (await client.sdk_client.list_tools()).tools
    resources = (await client.sdk_client.list_resources()).resources
    assert EXTENSION not in (client.sdk_client.server_capabilities.extensions or {})
    assert not [each.name for each in tools if "view" in each.name or "ui" in (each.meta or {})]
    assert not [each.uri for each in resources if str(each.uri).startswith("ui:")]
    with pytest.raises(MCPError, match="Unknown tool"):
        await client.call("gemini_view_usage")


async def test_declaring_without_the_type_of_pages_is_no_declaration(harness: AppHarness):
    client = await harness.connect(extensions=[advertise(EXTENSION, {})])

    assert not [t for t in (await client.sdk_client.list_tools()).tools if "view" in t.name]


async def test_tools_name_their_views_and_data_tools_are_for_views_alone(viewer: McpClient):
    tools = {
        each.name: (each.meta or {}).get("ui")
        for each in (await viewer.sdk_client.list_tools()).tools
    }

    for view in VIEWS:
        for name in view.tools:
            assert tools[name] == {"resourceUri": view.uri}
        assert tools[view.data_tool] == {"resourceUri": view.uri, "visibility": ["app"]}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
async def test_a_view_is_one_small_page_without_a_foreign_address(viewer: McpClient, view: Any):
    listed = {str(each.uri): each for each in (await viewer.sdk_client.list_resources()).resources}
    (content,) = (await viewer.sdk_client.read_resource(view.uri)).contents

    assert isinstance(content, TextResourceContents)
    assert listed[view.uri].mime_type == content.mime_type == MIME_TYPE
    assert len(content.text.encode()) <= 20_000
    assert "src=" not in content.text.replace("image.src=", "")
    assert "http://" not in content.text
    assert "https://" not in content.text
    assert "innerHTML" not in content.text
    assert "{" + "nonce}" not in content.text


async def test_research_data_follows_a_plan_to_its_report(viewer: McpClient, harness: AppHarness):
    harness.control.research_seconds = 0
    started = await viewer.call("start_deep_research", question="Why storks?", plan_first=True)
    planned = await viewer.call("check_research", research_id=started.id, wait_seconds=10)
    assert planned.status == "plan_ready"

    plan = await data(viewer, "gemini_view_research", research_id=started.id)
    await viewer.call("approve_research_plan", research_id=started.id)
    await viewer.call("check_research", research_id=started.id, wait_seconds=10)
    done = await data(viewer, "gemini_view_research", research_id=started.id)

    assert plan["can_approve"]
    assert plan["plan"]
    assert plan["question"] == "Why storks?"
    assert done["status"] == "completed"
    assert done["has_report"]
    assert not done["can_approve"]


async def test_looking_with_a_view_does_not_count_as_reading(
    viewer: McpClient, harness: AppHarness
):
    harness.control.research_seconds = 0
    started = await viewer.call("start_deep_research", question="Why storks?")
    await data(viewer, "gemini_view_research", research_id=started.id)

    again = await viewer.call("start_deep_research", question="Why storks?")

    assert again.id == started.id


async def test_picture_data_holds_every_version_of_a_conversation(viewer: McpClient):
    first = await viewer.call("gemini_generate_image", prompt="a stork")
    second = await viewer.call(
        "gemini_generate_image", prompt="with a hat", conversation_id=first.facts["image_id"]
    )

    shown = await data(viewer, "gemini_view_images", id=second.facts["image_id"])

    assert [each["id"] for each in shown["versions"]] == [
        first.facts["image_id"],
        second.facts["image_id"],
    ]
    assert shown["current"] == second.facts["image_id"]
    assert shown["before"] == first.facts["image_id"]
    assert shown["versions"][0]["prompt"] == "a stork"
    assert shown["versions"][0]["where"] == first.facts["path"]


async def test_usage_data_adds_up_the_turns_of_a_conversation(viewer: McpClient):
    asked = await viewer.ask("one")
    await viewer.follow("two", conversation_id=asked.conversation)

    shown = await data(viewer, "gemini_view_usage", conversation_id=asked.conversation)

    turns = shown["conversation"]["turns"]
    assert [each["turn"] for each in turns] == [1, 2]
    assert shown["conversation"]["tokens"] == sum(each["tokens"] for each in turns) > 0
    assert shown["today"]["tokens"] == shown["conversation"]["tokens"]


@pytest.mark.parametrize(
    ("models", "usd", "unpriced"),
    [
        (["gemini-3.8-flash", "gemini-3.8-flash"], 0.015, 0),
        (["gemini-3.8-flash", "of-tomorrow"], 0.0075, 1),
        (["of-tomorrow"], None, 1),
    ],
)
def test_turns_without_a_known_price_are_not_shown_as_free(
    models: list[str], usd: float | None, unpriced: int
):
    used = Usage(input=10_000, total=10_000)
    turns = [
        Turn("c_1", n, "local", "ask", "completed", model=model, usage=used, created=1_795_348_800)
        for n, model in enumerate(models, 1)
    ]

    shown = app_views.usage(turns)

    assert shown["usd"] == usd
    assert shown["unpriced"] == unpriced


async def test_ids_of_others_are_unknown_to_views(viewer: McpClient):
    shown = await viewer.call("gemini_view_research", research_id="r_0000000000")

    assert shown.is_error
    assert "There is no research" in shown.text


def test_data_of_a_public_page_cannot_leave_its_element():
    from gemini_interactions.mcp_server.apps.extension import public_page

    made = public_page(VIEWS[0], {"question": "</script><script>alert(1)</script>{nonce}"}, "n")

    assert "</script><script>alert" not in made
    assert made.count("<script") == 2


def test_pages_of_views_are_made_once():
    assert page(VIEWS[0]) is page(VIEWS[0])
