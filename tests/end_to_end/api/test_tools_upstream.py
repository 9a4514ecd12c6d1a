"""Tools on their way to Google: what may be sent, to whom, and what is remembered of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app_harness import AppHarness, McpClient

FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
STORE = {"type": "file_search", "file_search_store_names": ["fileSearchStores/notes"]}
HOST = "mcp.good.test"


def remote(url: object, **more: Any) -> dict[str, Any]:
    return {"type": "mcp_server", "name": "notes", "url": url, **more}


@pytest.fixture
async def open_client(harness: AppHarness) -> McpClient:
    """A client whose server may send Gemini to one MCP server."""
    return await harness.connect(remote_tools=(HOST,))


@pytest.mark.parametrize(
    "built_in",
    ["google_search", "url_context", "code_execution", "google_maps", {"type": "url_context"}],
)
async def test_functions_are_refused_together_with_built_in_tools(
    harness: AppHarness, client: McpClient, built_in: Any
) -> None:
    said = await client.ask("Hello.", tools=[built_in, FUNCTION])

    assert said.is_error
    assert "does not take functions together with built-in tools" in said.text
    assert harness.control.posts == []


async def test_searching_files_is_refused_together_with_functions(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.ask("Hello.", tools=[STORE, FUNCTION])

    assert "(file_search)" in said.text
    assert harness.control.posts == []


async def test_tool_objects_reach_google_as_they_are(
    harness: AppHarness, client: McpClient
) -> None:
    tool = {"type": "google_search", "search_types": ["image_search"]}
    harness.control.answer_next("Yes.")

    await client.ask("Hello.", tools=[tool, "code_execution", STORE])

    assert harness.last["tools"] == [tool, {"type": "code_execution"}, STORE]


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/",
        f"https://ada:secret@{HOST}/",
        f"https://@{HOST}/",
        f"https://{HOST}@evil.test/",
        f"https://evil.{HOST}/",
        f"https://{HOST}.evil.test/",
        f"https://{HOST}./",
        f"https://{HOST}:99999/",
        f"https://{HOST}:port/",
        f"https://evil.test?@{HOST}/",
        f"https://evil.test\\@{HOST}/",
        f"https://{HOST}\\@evil.test/",
        f" https://{HOST}/",
        f"https://{HOST}\n.evil.test/",
        "https://mcp\t.good.test/",
        "https://mcp。good。test/",
        "https://mcp.ɡood.test/",
        "https://[",
        "https:///",
        "",
        5,
    ],
)
async def test_an_mcp_server_is_sent_to_no_other_host_however_it_is_written(
    harness: AppHarness, open_client: McpClient, url: object
) -> None:
    said = await open_client.ask("Hello.", tools=[remote(url)])

    assert said.is_error
    assert said.text.startswith("`tools`: ")
    assert said.status is None
    assert harness.control.posts == []


@pytest.mark.parametrize("kind", ["MCP_SERVER", " mcp_server", "mcpServer", "mcp-server"])
async def test_an_mcp_server_is_one_however_its_type_is_written(
    harness: AppHarness, open_client: McpClient, kind: str
) -> None:
    said = await open_client.ask("Hello.", tools=[{**remote("https://evil.test/"), "type": kind}])

    assert "evil.test is not allowed here" in said.text
    assert harness.control.posts == []


async def test_an_mcp_server_that_is_allowed_is_reached_at_any_port(
    harness: AppHarness, open_client: McpClient
) -> None:
    harness.control.answer_next("Yes.")

    said = await open_client.ask("Hello.", tools=[remote("https://MCP.good.test:8443/mcp")])

    assert not said.is_error
    assert harness.last["tools"][0]["url"] == "https://MCP.good.test:8443/mcp"


async def test_headers_are_sent_again_and_kept_in_memory_only(
    harness: AppHarness, open_client: McpClient
) -> None:
    tool = remote(f"https://{HOST}/", headers={"Authorization": "Bearer s3cret-token"})
    for _ in range(3):
        harness.control.answer_next("Yes.")
    said = await open_client.ask("Hello.", tools=[tool])

    await open_client.follow("Again.")
    await open_client.disconnect()
    after = await harness.connect(remote_tools=(HOST,))
    refused = await after.follow("And now?", conversation_id=said.conversation)
    given = await after.follow("And now?", conversation_id=said.conversation, tools=[tool])

    assert [body["tools"] for body in harness.bodies] == [[tool]] * 3
    assert "'notes' needs its headers again (Authorization)" in refused.text
    assert refused.status is None
    assert (given.status, given.turn) == ("completed", 3)
    kept = [file for file in harness.folder.rglob("*") if file.is_file()]
    assert not any(b"s3cret-token" in file.read_bytes() for file in kept)


async def test_a_remembered_mcp_server_is_not_reached_once_its_host_is_no_longer_allowed(
    harness: AppHarness, open_client: McpClient
) -> None:
    harness.control.answer_next("Yes.")
    said = await open_client.ask("Hello.", tools=[remote(f"https://{HOST}/")])
    await open_client.disconnect()

    stricter = await harness.connect()
    refused = await stricter.follow("Again.", conversation_id=said.conversation)

    assert f"{HOST} is not allowed here" in refused.text
    assert len(harness.bodies) == 1
