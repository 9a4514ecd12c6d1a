"""Each client gets what it takes: previews, facts, lists of one type, and its time."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_interactions.domain.client_profiles import CLIENTS, client_profile
from gemini_interactions.mcp_server.server import ICON, WEBSITE
from gemini_interactions.mcp_server.transports.recorded_handshake import PLAIN_LISTS
from tests.support.app_harness import META, AppHarness, McpClient, ToolResult


def kinds(said: ToolResult) -> list[str]:
    return [block.type for block in said.raw.content]


async def draw(client: McpClient) -> ToolResult:
    return await client.call("gemini_generate_image", prompt="a red house")


@pytest.mark.parametrize(
    ("name", "settings", "shown"),
    [
        ("claude-code", {}, ["text", "image"]),
        ("google-adk", {}, ["text"]),
        ("claude-code", {"previews": False}, ["text"]),
    ],
)
async def test_a_preview_goes_only_to_those_whose_model_sees_it(
    harness: AppHarness, name: str, settings: dict[str, Any], shown: list[str]
) -> None:
    client = await harness.connect(name=name, **settings)

    said = await draw(client)
    again = await client.result(said.id)

    assert kinds(said) == kinds(again) == shown
    assert said.facts["path"] in said.text


@pytest.mark.parametrize(
    ("name", "settings", "has_facts"),
    [
        ("claude-code", {}, True),
        ("kimi-code", {}, False),
        ("@langchain/mcp-adapters", {}, False),
        ("kimi-code", {"facts": True}, True),
        ("claude-code", {"facts": False}, False),
    ],
)
async def test_facts_go_only_to_those_who_keep_them_from_their_model(
    harness: AppHarness, name: str, settings: dict[str, Any], has_facts: bool
) -> None:
    client = await harness.connect(name=name, legacy=True, **settings)

    said = await client.ask("Hello.")
    listed = await client.history()

    assert (META in (said.raw.meta or {})) == (META in (listed.raw.meta or {})) == has_facts
    assert said.text.splitlines()[-1].startswith("conversation c_")


async def test_facts_name_only_counts_that_there_are(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.ask("Hello.")

    usage = said.facts["usage"]
    assert all(usage.values())
    assert {"input_tokens", "output_tokens", "total_tokens"} <= usage.keys()


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_client_that_takes_no_mixed_lists_gives_objects_as_json(
    harness: AppHarness, legacy: bool
) -> None:
    plain = await harness.connect(name="@langchain/mcp-adapters", legacy=legacy)
    other = await harness.connect(legacy=legacy)

    def items(tools: Any) -> dict[str, Any]:
        return {
            tool.name: tool.input_schema["properties"]["tools"]["items"]
            for tool in tools
            if "tools" in tool.input_schema["properties"]
        }

    mixed = items((await other.sdk_client.list_tools()).tools)
    texts = items((await plain.sdk_client.list_tools()).tools)
    await plain.ask("Hello.", tools=['{"type": "google_search"}', "url_context"])

    assert "anyOf" in mixed["gemini_ask"]
    assert texts["gemini_ask"] == {"type": "string"}
    assert harness.last["tools"] == [{"type": "google_search"}, {"type": "url_context"}]


def test_the_recorded_handshake_knows_the_clients_that_take_no_mixed_lists() -> None:
    rows = {name for name, row in CLIENTS.items() if not row.mixed_lists}

    assert rows == PLAIN_LISTS


@pytest.mark.parametrize(
    ("name", "legacy", "settings", "seconds"),
    [
        ("google-adk", True, {}, 3),
        ("fastmcp", True, {}, 8),
        ("fastmcp", False, {}, 40),
        ("mcp", True, {}, 25),
        ("claude-code", False, {}, 40),
        ("google-adk", True, {"max_wait_seconds": 20.0}, 20),
    ],
)
async def test_a_call_waits_as_long_as_its_client_does(
    harness: AppHarness, name: str, legacy: bool, settings: dict[str, Any], seconds: int
) -> None:
    other = await harness.connect(max_wait_seconds=0.05)
    gate = harness.control.hold_next(point="before_completed")
    running = await other.ask("slow")
    client = await harness.connect(name=name, legacy=legacy, **settings)

    said = await client.result(running.id)
    gate.release()

    assert said.status in ("running", None)
    assert f"wait_seconds {seconds}." in said.text


@pytest.mark.parametrize("legacy", [False, True])
async def test_the_server_says_where_it_is_at_home_and_shows_a_small_icon(
    harness: AppHarness, legacy: bool
) -> None:
    client = await harness.connect(legacy=legacy)

    info = client.sdk_client.server_info

    assert info is not None
    assert info.website_url == WEBSITE
    assert [icon.src for icon in info.icons or ()] == [ICON]
    assert ICON.startswith("data:image/svg+xml,")
    assert len(ICON) < 400


def untyped(schema: Any, path: str) -> list[str]:
    """The parts of a schema that do not say their type."""
    if not isinstance(schema, dict):
        return [path]
    if "anyOf" in schema:
        return [w for each in schema["anyOf"] for w in untyped(each, f"{path}|")]
    found = [] if "type" in schema else [path]
    for name, each in schema.get("properties", {}).items():
        found += untyped(each, f"{path}.{name}")
    if "items" in schema:
        found += untyped(schema["items"], f"{path}[]")
    return found


async def test_every_part_of_a_schema_has_a_type(harness: AppHarness) -> None:
    client = await harness.connect(toolsets=("ask", "research", "images", "agents"))

    tools = (await client.sdk_client.list_tools()).tools

    assert [w for tool in tools for w in untyped(tool.input_schema, tool.name)] == []


def test_rows_are_found_under_the_name_a_client_writes() -> None:
    assert client_profile(" Google-ADK ").time_budget == 3.0
