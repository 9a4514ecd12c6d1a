"""Resources: what people attach, read by their address, each owner's own."""

from __future__ import annotations

import base64
import os
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.support.app_harness import AppHarness, McpClient


async def read(client: McpClient, uri: str) -> str:
    (content,) = (await client.sdk_client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "text/markdown")
    return content.text


async def not_found(client: McpClient, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await client.sdk_client.read_resource(uri)
    assert caught.value.code == types.INVALID_PARAMS
    assert caught.value.data == {"uri": uri}
    return caught.value.message


async def test_what_never_changes_is_listed_and_the_rest_are_templates(
    either_client: McpClient,
) -> None:
    listed = (await either_client.sdk_client.list_resources()).resources
    templates = (await either_client.sdk_client.list_resource_templates()).resource_templates

    assert {each.uri for each in listed} == {"gemini://models", "gemini://usage"}
    assert [each.uri_template for each in templates] == [
        "gemini://conversations/{id}",
        "gemini://research/{id}/report",
        "gemini://images/{id}",
    ]
    assert all(each.title and each.description and each.mime_type for each in listed)
    assert all(each.title and each.description and each.mime_type for each in templates)


async def test_capabilities_promise_what_is_there_and_no_news(either_client: McpClient) -> None:
    capabilities = either_client.sdk_client.server_capabilities

    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe
    assert not capabilities.resources.list_changed
    assert capabilities.prompts is not None
    assert not capabilities.prompts.list_changed
    assert capabilities.completions is not None


async def test_lists_may_be_kept_for_a_while_by_anybody(client: McpClient) -> None:
    sdk_client = client.sdk_client
    lists: list[Any] = [
        await sdk_client.list_tools(),
        await sdk_client.list_prompts(),
        await sdk_client.list_resources(),
        await sdk_client.list_resource_templates(),
    ]

    assert {(each.ttl_ms, each.cache_scope) for each in lists} == {(300_000, "public")}
    assert (await sdk_client.read_resource("gemini://usage")).cache_scope == "private"


async def test_listing_needs_no_store(harness: AppHarness) -> None:
    client = await harness.connect()

    await client.sdk_client.list_resources()
    await client.sdk_client.list_prompts()
    await client.sdk_client.list_resource_templates()

    assert not harness.folder.exists()


# --------------------------------------------------------------------------- conversations


async def test_a_conversation_is_its_transcript(
    harness: AppHarness, either_client: McpClient
) -> None:
    said = await either_client.ask("My name is Ada.")
    harness.control.answer_next("Two\nlines.")
    await either_client.follow("What\nis it?\n")

    text = await read(either_client, f"gemini://conversations/{said.conversation}")

    assert text == (
        f"# Gemini conversation {said.conversation}\n\n"
        "## Turn 1 (completed, 2026-11-22 12:00 UTC, gemini-3.8-flash)\n\n"
        "**Prompt:** My name is Ada.\n\n"
        "**Gemini:** Nice to meet you, Ada. I will remember your name.\n\n"
        "## Turn 2 (completed, 2026-11-22 12:00 UTC, gemini-3.8-flash)\n\n"
        "**Prompt:**\n\nWhat\nis it?\n\n"
        "**Gemini:**\n\nTwo\nlines.\n"
    )


async def test_a_transcript_shows_functions_failures_and_branches(
    harness: AppHarness, client: McpClient
) -> None:
    steps = [{"type": "function_call", "id": "a", "name": "add", "arguments": {"n": 1}}]
    harness.control.answer_next({"status": "requires_action", "steps": steps})
    function = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    said = await client.ask("Add.", tools=[function])
    waiting = await read(client, f"gemini://conversations/{said.conversation}")
    await client.call("gemini_continue", function_results=[{"call_id": "a", "result": {"sum": 2}}])
    harness.control.fail_next(400, message="Not today.")
    await client.follow("More.")
    await client.follow("Other.", turn=2)

    text = await read(client, f"gemini://conversations/{said.conversation}")

    assert '**Gemini waits for:** - "add" (call_id "a"): {"n": 1}' in waiting
    assert '**Function results:** - add: {"sum": 2}' in text
    assert "**Error:** Gemini rejected" in text
    assert "continues turn 2)" in text


async def test_a_turn_stands_for_its_conversation_however_its_slash_is_written(
    client: McpClient,
) -> None:
    said = await client.ask("Hello.")
    uri = f"gemini://conversations/{said.conversation}"

    whole = await read(client, uri)

    assert await read(client, f"{uri}/1") == whole
    assert await read(client, f"{uri}%2F1") == whole


@pytest.mark.parametrize(
    "rest",
    [
        "conversations/c_0000000000",
        "conversations/nonsense",
        "conversations/%ff%fe",
        "conversations/..%2f..%2fetc%2fpasswd",
        "conversations/c_%2500000000",
        "conversations/v1_abc",
        "conversations/",
        "conversations",
        "nothing",
        "models/more",
    ],
)
async def test_what_is_not_there_is_an_error_with_its_address(
    either_client: McpClient, rest: str
) -> None:
    await not_found(either_client, f"gemini://{rest}")


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "https://example.org/", "", "gemini:"])
async def test_other_addresses_are_not_ours_to_read(either_client: McpClient, uri: str) -> None:
    await not_found(either_client, uri)


async def test_without_transcripts_it_says_where_the_words_are(harness: AppHarness) -> None:
    client = await harness.connect(transcripts=False)
    said = await client.ask("Secret.")

    text = await read(client, f"gemini://conversations/{said.conversation}")

    assert "Secret." not in text
    assert f'gemini_result with id "{said.id}"' in text


async def test_a_store_that_cannot_be_opened_is_said_in_words(harness: AppHarness) -> None:
    harness.folder.write_text("a file")
    client = await harness.connect()

    with pytest.raises(MCPError) as caught:
        await client.sdk_client.read_resource("gemini://usage")

    assert caught.value.code == types.INTERNAL_ERROR
    assert "database" in caught.value.message
    assert str(harness.folder) not in caught.value.message


# ------------------------------------------------------------------------------- the others


async def test_usage_shows_what_was_spent(either_client: McpClient) -> None:
    assert "Nothing was used." in await read(either_client, "gemini://usage")

    await either_client.ask("Hello.")

    assert "| 2026-11-22 | gemini-3.8-flash | 1 |" in await read(either_client, "gemini://usage")


async def test_models_are_the_table_marked_by_the_live_list(either_client: McpClient) -> None:
    text = await read(either_client, "gemini://models")

    lines = text.splitlines()
    flash = next(line for line in lines if line.startswith("| gemini-3.8-flash "))
    assert flash.split(" | ")[2:] == [
        "fast",
        "low, medium, high",
        "0.75 / 0.075 / 3.75 (from 2027-01-01: 1.5 / 0.075 / 7.5)",
        "✓ |",
    ]
    assert "Live list of 2026-11-22 12:00 UTC" in text
    assert any(line.startswith("- gemini-robotics-er-2-preview (") for line in lines)


async def test_the_live_list_is_asked_for_once_an_hour_and_never_at_the_start(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Hello.")
    before = [request.kind for request in harness.control.log]
    for _ in range(3):
        await read(client, "gemini://models")
    harness.clock.advance(3601)
    await read(client, "gemini://models")

    assert "models" not in before
    assert [request.kind for request in harness.control.log].count("models") == 2


async def test_models_are_told_without_a_key(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)

    text = await read(await harness.connect(), "gemini://models")

    assert "No live list from Google: There is no Gemini API key." in text
    assert "| gemini-3.8-flash |" in text
    assert "✓" not in text


async def test_models_are_told_without_a_network(harness: AppHarness) -> None:
    harness.set(GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:9")

    text = await read(await harness.connect(), "gemini://models")

    assert "No live list from Google: " in text
    assert "| gemini-3.8-flash |" in text


async def test_google_is_not_asked_again_right_after_a_failure(
    harness: AppHarness, client: McpClient
) -> None:
    harness.control.fail_next(500, on="models")
    texts = [await read(client, "gemini://models") for _ in range(2)]
    harness.clock.advance(31)
    texts.append(await read(client, "gemini://models"))

    assert ["No live list" in text for text in texts] == [True, True, False]
    assert len(harness.control.log) == 2


async def test_a_key_set_later_is_used_at_once(harness: AppHarness, client: McpClient) -> None:
    harness.set(GEMINI_API_KEY=None)
    before = await read(client, "gemini://models")
    harness.set(GEMINI_API_KEY="some-key")

    assert "No live list" in before
    assert "No live list" not in await read(client, "gemini://models")


async def test_a_live_list_that_fails_later_leaves_the_one_before(
    harness: AppHarness, client: McpClient
) -> None:
    await read(client, "gemini://models")
    harness.clock.advance(3601)
    harness.control.fail_next(500, on="models")

    text = await read(client, "gemini://models")

    assert "2026-11-22 12:00 UTC is the last known" in text
    assert "✓" in text


async def test_a_model_at_its_end_names_its_successor_and_then_is_gone(
    harness: AppHarness, client: McpClient
) -> None:
    before = await read(client, "gemini://models")
    harness.clock.advance(30 * 86_400)

    after = await read(client, "gemini://models")

    assert "until 2026-12-01, then gemini-3.8-flash" in before
    assert "| gemini-2.5-pro |" not in after


async def test_the_default_is_the_one_that_was_set(harness: AppHarness) -> None:
    client = await harness.connect(model="pro")

    assert "Default gemini-4-argon," in await read(client, "gemini://models")


# ------------------------------------------------------------------------ reports and images


async def test_an_image_is_its_preview(either_client: McpClient) -> None:
    made = await either_client.call("gemini_generate_image", prompt="A fig.")
    uri = f"gemini://images/{made.facts['image_id']}"

    (content,) = (await either_client.sdk_client.read_resource(uri)).contents

    assert isinstance(content, types.BlobResourceContents)
    assert content.mime_type == "image/jpeg"
    assert base64.b64decode(content.blob).startswith(b"\xff\xd8\xff")


async def test_an_image_whose_file_is_gone_is_not_found(client: McpClient) -> None:
    made = await client.call("gemini_generate_image", prompt="A fig.")
    os.remove(made.facts["path"])

    assert "is gone" in await not_found(client, f"gemini://images/{made.facts['image_id']}")


async def test_a_research_without_a_report_is_not_found_and_says_how_it_stands(
    harness: AppHarness, either_client: McpClient
) -> None:
    harness.control.hold_background()
    started = await either_client.call("start_deep_research", question="Why?")
    id = started.facts["research_id"]

    assert "running" in await not_found(either_client, f"gemini://research/{id}/report")


async def test_ids_of_one_kind_name_nothing_of_another(client: McpClient) -> None:
    said = await client.ask("Hello.")
    made = await client.call("gemini_generate_image", prompt="A fig.")

    await not_found(client, f"gemini://images/{said.conversation}")
    await not_found(client, f"gemini://research/{made.facts['image_id']}/report")
    await not_found(client, f"gemini://research/{said.conversation}/report")


async def test_researches_and_images_are_completed_too(
    harness: AppHarness, client: McpClient
) -> None:
    made = (await client.call("gemini_generate_image", prompt="A fig.")).facts["image_id"]
    started = (await client.call("start_deep_research", question="Why?")).facts["research_id"]
    for kind, id in (("research/{id}/report", started), ("images/{id}", made)):
        ref = types.ResourceTemplateReference(uri=f"gemini://{kind}")
        found = await client.sdk_client.complete(ref, {"name": "id", "value": id[:4]})

        assert found.completion.values == [id]
