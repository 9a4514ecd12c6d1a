"""What models read before they call anything: the tools, their schemas, the instructions.

All of it is recorded in `tests/generated/tools.json`, so that a review shows every word that is
paid for in every conversation.
`UPDATE_GOLDEN=1 pytest tests/generated/test_tool_surface.py` records anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from gemini_interactions import __version__
from tests.support.app_harness import AppHarness, McpClient

RECORDED = Path(__file__).parent / "tools.json"
MOST_BYTES = 9000

NAMES = [
    "gemini_ask",
    "gemini_continue",
    "gemini_result",
    "gemini_history",
    "start_deep_research",
    "approve_research_plan",
    "check_research",
    "cancel_research",
    "gemini_generate_image",
]
CHANGES_NOTHING = {
    "gemini_ask",
    "gemini_continue",
    "gemini_result",
    "gemini_history",
    "check_research",
}
DESTROYS = {"cancel_research"}

both_eras = pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])


async def tools_on_the_wire(client: McpClient) -> list[dict[str, Any]]:
    """The tools as they go over the wire."""
    tools = (await client.sdk_client.list_tools()).tools
    return [tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in tools]


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """This JSON schema and all those in it."""
    yield value
    inner = [*value.get("properties", {}).values(), *value.get("anyOf", [])]
    inner += [value["items"]] if "items" in value else []
    for each in inner:
        yield from schemas(each)


@pytest.fixture
def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return content


async def test_what_models_read_is_what_is_recorded(client: McpClient) -> None:
    surface = {
        "instructions": client.sdk_client.instructions,
        "tools": await tools_on_the_wire(client),
    }
    text = json.dumps(surface, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        RECORDED.parent.mkdir(exist_ok=True)
        RECORDED.write_text(text, "utf-8")

    assert text == RECORDED.read_text("utf-8"), "UPDATE_GOLDEN=1 records it anew"


@both_eras
async def test_the_list_of_tools_is_small(harness: AppHarness, legacy: bool) -> None:
    client = await harness.connect(legacy=legacy)

    result = (await client.sdk_client.list_tools()).model_dump(
        by_alias=True, mode="json", exclude_none=True
    )

    # Whatever is counted: all of the result, and in plain ASCII.
    assert len(json.dumps(result, separators=(",", ":"))) <= MOST_BYTES


async def test_both_eras_list_the_same(harness: AppHarness) -> None:
    modern, legacy = await harness.connect(), await harness.connect(legacy=True)

    assert await tools_on_the_wire(modern) == await tools_on_the_wire(legacy)
    assert modern.sdk_client.instructions == legacy.sdk_client.instructions


@both_eras
async def test_the_server_says_who_it_is(harness: AppHarness, legacy: bool) -> None:
    client = await harness.connect(legacy=legacy)

    server = client.sdk_client.server_info
    assert server is not None
    assert (server.name, server.version) == ("gemini", __version__)


async def test_the_instructions_are_short_and_hold_the_words_people_search_by(
    client: McpClient,
) -> None:
    instructions = client.sdk_client.instructions or ""

    assert 0 < len(instructions) <= 1_500
    for word in ("Gemini", "Google", "second opinion", "search", "web", "code", "conversation"):
        assert word in instructions
    for tool in ("gemini_ask", "gemini_continue", "gemini_result", "gemini_history"):
        assert tool in instructions


def test_the_default_tools_are_these(recorded: dict[str, Any]) -> None:
    assert sorted(tool["name"] for tool in recorded["tools"]) == sorted(NAMES)


def test_every_tool_has_a_title_and_a_description(recorded: dict[str, Any]) -> None:
    for tool in recorded["tools"]:
        assert tool["title"], tool["name"]
        assert 40 < len(tool["description"]) < 500, tool["name"]
        assert tool["description"].endswith("."), tool["name"]


def test_hints_say_what_a_tool_may_do(recorded: dict[str, Any]) -> None:
    for tool in recorded["tools"]:
        hints = tool["annotations"]
        assert hints["openWorldHint"] is True, tool["name"]
        assert hints["readOnlyHint"] is (tool["name"] in CHANGES_NOTHING), tool["name"]
        assert hints["destructiveHint"] is (tool["name"] in DESTROYS), tool["name"]


def test_no_tool_promises_structured_content(recorded: dict[str, Any]) -> None:
    assert [tool["name"] for tool in recorded["tools"] if "outputSchema" in tool] == []


def test_every_parameter_has_a_description_of_one_line(recorded: dict[str, Any]) -> None:
    for tool in recorded["tools"]:
        for name, schema in tool["inputSchema"]["properties"].items():
            assert 3 <= len(schema["description"]) <= 200, (tool["name"], name)
            assert "\n" not in schema["description"], (tool["name"], name)


def test_schemas_are_strict_and_carry_no_noise(recorded: dict[str, Any]) -> None:
    for tool in recorded["tools"]:
        assert tool["inputSchema"]["additionalProperties"] is False, tool["name"]
        for schema in schemas(tool["inputSchema"]):
            assert not schema.keys() & {"title", "$defs", "$ref"}, (tool["name"], schema)
            assert schema.get("type") != "null", (tool["name"], schema)
            assert schema.get("default") not in ("", [], None) or "default" not in schema


def test_a_default_is_one_of_what_is_allowed(recorded: dict[str, Any]) -> None:
    for tool in recorded["tools"]:
        for schema in schemas(tool["inputSchema"]):
            if "enum" in schema and "default" in schema:
                assert schema["default"] in schema["enum"], (tool["name"], schema)


@pytest.mark.parametrize(
    ("toolsets", "names"),
    [
        ("ask", NAMES[:4]),
        ("research", [*NAMES[1:4], *NAMES[4:8]]),
        ("images", [*NAMES[1:4], NAMES[8]]),
        ("ask,research,images", NAMES),
    ],
)
async def test_toolsets_choose_what_is_listed(
    harness: AppHarness, toolsets: str, names: list[str]
) -> None:
    harness.set(GEMINI_MCP_TOOLSETS=toolsets)
    client = await harness.connect()

    assert sorted(tool["name"] for tool in await tools_on_the_wire(client)) == sorted(names)


async def test_a_tool_of_another_toolset_cannot_be_called(harness: AppHarness) -> None:
    client = await harness.connect(toolsets=("images",))

    with pytest.raises(MCPError, match="Unknown tool: gemini_ask") as caught:
        await client.ask("Hello.")

    assert caught.value.error.code == types.INVALID_PARAMS


@both_eras
@pytest.mark.parametrize("cursor", ["", "page-2"])
async def test_a_cursor_is_refused_since_the_list_is_one_page(
    harness: AppHarness, legacy: bool, cursor: str
) -> None:
    client = await harness.connect(legacy=legacy)

    with pytest.raises(MCPError, match="one page") as caught:
        await client.sdk_client.list_tools(cursor=cursor)

    assert caught.value.error.code == types.INVALID_PARAMS


async def test_listing_tools_needs_no_key_no_network_and_no_folder(harness: AppHarness) -> None:
    harness.set(
        GEMINI_API_KEY=None,
        GOOGLE_GEMINI_BASE_URL="http://192.0.2.1",
        GEMINI_MCP_DATA_DIR="/dev/null/nothing",
    )
    client = await harness.connect()

    assert [tool["name"] for tool in await tools_on_the_wire(client)]
