"""Resources: what people attach, read by their address, each owner's own."""

from __future__ import annotations

import base64
import os
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.support.app_harness import AppHarness, McpClient


async def read(guest: McpClient, uri: str) -> str:
    (content,) = (await guest.client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "text/markdown")
    return content.text


async def not_found(guest: McpClient, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await guest.client.read_resource(uri)
    assert caught.value.code == types.INVALID_PARAMS
    assert caught.value.data == {"uri": uri}
    return caught.value.message


async def test_what_never_changes_is_listed_and_the_rest_are_templates(visitor: McpClient) -> None:
    listed = (await visitor.client.list_resources()).resources
    templates = (await visitor.client.list_resource_templates()).resource_templates

    assert {each.uri for each in listed} == {"gemini://models", "gemini://usage"}
    assert [each.uri_template for each in templates] == [
        "gemini://conversations/{id}",
        "gemini://research/{id}/report",
        "gemini://images/{id}",
    ]
    assert all(each.title and each.description and each.mime_type for each in listed)
    assert all(each.title and each.description and each.mime_type for each in templates)


async def test_capabilities_promise_what_is_there_and_no_news(visitor: McpClient) -> None:
    capabilities = visitor.client.server_capabilities

    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe
    assert not capabilities.resources.list_changed
    assert capabilities.prompts is not None
    assert not capabilities.prompts.list_changed
    assert capabilities.completions is not None


async def test_lists_may_be_kept_for_a_while_by_anybody(guest: McpClient) -> None:
    client = guest.client
    lists: list[Any] = [
        await client.list_tools(),
        await client.list_prompts(),
        await client.list_resources(),
        await client.list_resource_templates(),
    ]

    assert {(each.ttl_ms, each.cache_scope) for each in lists} == {(300_000, "public")}
    assert (await client.read_resource("gemini://usage")).cache_scope == "private"


async def test_listing_needs_no_store(house: AppHarness) -> None:
    guest = await house.connect()

    await guest.client.list_resources()
    await guest.client.list_prompts()
    await guest.client.list_resource_templates()

    assert not house.folder.exists()


# --------------------------------------------------------------------------- conversations


async def test_a_conversation_is_its_transcript(house: AppHarness, visitor: McpClient) -> None:
    said = await visitor.ask("My name is Ada.")
    house.brain.answer_next("Two\nlines.")
    await visitor.follow("What\nis it?\n")

    text = await read(visitor, f"gemini://conversations/{said.conversation}")

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
    house: AppHarness, guest: McpClient
) -> None:
    steps = [{"type": "function_call", "id": "a", "name": "add", "arguments": {"n": 1}}]
    house.brain.answer_next({"status": "requires_action", "steps": steps})
    function = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    said = await guest.ask("Add.", tools=[function])
    waiting = await read(guest, f"gemini://conversations/{said.conversation}")
    await guest.call("gemini_continue", function_results=[{"call_id": "a", "result": {"sum": 2}}])
    house.brain.fail_next(400, message="Not today.")
    await guest.follow("More.")
    await guest.follow("Other.", turn=2)

    text = await read(guest, f"gemini://conversations/{said.conversation}")

    assert '**Gemini waits for:** - "add" (call_id "a"): {"n": 1}' in waiting
    assert '**Function results:** - add: {"sum": 2}' in text
    assert "**Error:** Gemini rejected" in text
    assert "continues turn 2)" in text


async def test_a_turn_stands_for_its_conversation_however_its_slash_is_written(
    guest: McpClient,
) -> None:
    said = await guest.ask("Hello.")
    uri = f"gemini://conversations/{said.conversation}"

    whole = await read(guest, uri)

    assert await read(guest, f"{uri}/1") == whole
    assert await read(guest, f"{uri}%2F1") == whole


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
    visitor: McpClient, rest: str
) -> None:
    await not_found(visitor, f"gemini://{rest}")


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "https://example.org/", "", "gemini:"])
async def test_other_addresses_are_not_ours_to_read(visitor: McpClient, uri: str) -> None:
    await not_found(visitor, uri)


async def test_without_transcripts_it_says_where_the_words_are(house: AppHarness) -> None:
    guest = await house.connect(transcripts=False)
    said = await guest.ask("Secret.")

    text = await read(guest, f"gemini://conversations/{said.conversation}")

    assert "Secret." not in text
    assert f'gemini_result with id "{said.id}"' in text


async def test_a_store_that_cannot_be_opened_is_said_in_words(house: AppHarness) -> None:
    house.folder.write_text("a file")
    guest = await house.connect()

    with pytest.raises(MCPError) as caught:
        await guest.client.read_resource("gemini://usage")

    assert caught.value.code == types.INTERNAL_ERROR
    assert "database" in caught.value.message
    assert str(house.folder) not in caught.value.message


# ------------------------------------------------------------------------------- the others


async def test_usage_shows_what_was_spent(visitor: McpClient) -> None:
    assert "Nothing was used." in await read(visitor, "gemini://usage")

    await visitor.ask("Hello.")

    assert "| 2026-11-22 | gemini-3.8-flash | 1 |" in await read(visitor, "gemini://usage")


async def test_models_are_the_table_marked_by_the_live_list(visitor: McpClient) -> None:
    text = await read(visitor, "gemini://models")

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
    house: AppHarness, guest: McpClient
) -> None:
    await guest.ask("Hello.")
    before = [request.kind for request in house.brain.log]
    for _ in range(3):
        await read(guest, "gemini://models")
    house.clock.advance(3601)
    await read(guest, "gemini://models")

    assert "models" not in before
    assert [request.kind for request in house.brain.log].count("models") == 2


async def test_models_are_told_without_a_key(house: AppHarness) -> None:
    house.set(GEMINI_API_KEY=None)

    text = await read(await house.connect(), "gemini://models")

    assert "No live list from Google: There is no Gemini API key." in text
    assert "| gemini-3.8-flash |" in text
    assert "✓" not in text


async def test_models_are_told_without_a_network(house: AppHarness) -> None:
    house.set(GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:9")

    text = await read(await house.connect(), "gemini://models")

    assert "No live list from Google: " in text
    assert "| gemini-3.8-flash |" in text


async def test_google_is_not_asked_again_right_after_a_failure(
    house: AppHarness, guest: McpClient
) -> None:
    house.brain.fail_next(500, on="models")
    texts = [await read(guest, "gemini://models") for _ in range(2)]
    house.clock.advance(31)
    texts.append(await read(guest, "gemini://models"))

    assert ["No live list" in text for text in texts] == [True, True, False]
    assert len(house.brain.log) == 2


async def test_a_key_set_later_is_used_at_once(house: AppHarness, guest: McpClient) -> None:
    house.set(GEMINI_API_KEY=None)
    before = await read(guest, "gemini://models")
    house.set(GEMINI_API_KEY="some-key")

    assert "No live list" in before
    assert "No live list" not in await read(guest, "gemini://models")


async def test_a_live_list_that_fails_later_leaves_the_one_before(
    house: AppHarness, guest: McpClient
) -> None:
    await read(guest, "gemini://models")
    house.clock.advance(3601)
    house.brain.fail_next(500, on="models")

    text = await read(guest, "gemini://models")

    assert "2026-11-22 12:00 UTC is the last known" in text
    assert "✓" in text


async def test_a_model_at_its_end_names_its_successor_and_then_is_gone(
    house: AppHarness, guest: McpClient
) -> None:
    before = await read(guest, "gemini://models")
    house.clock.advance(30 * 86_400)

    after = await read(guest, "gemini://models")

    assert "until 2026-12-01, then gemini-3.8-flash" in before
    assert "| gemini-2.5-pro |" not in after


async def test_the_default_is_the_one_that_was_set(house: AppHarness) -> None:
    guest = await house.connect(model="pro")

    assert "Default gemini-4-argon," in await read(guest, "gemini://models")


# ------------------------------------------------------------------------ reports and images


async def test_an_image_is_its_preview(visitor: McpClient) -> None:
    made = await visitor.call("gemini_generate_image", prompt="A fig.")
    uri = f"gemini://images/{made.facts['image_id']}"

    (content,) = (await visitor.client.read_resource(uri)).contents

    assert isinstance(content, types.BlobResourceContents)
    assert content.mime_type == "image/jpeg"
    assert base64.b64decode(content.blob).startswith(b"\xff\xd8\xff")


async def test_an_image_whose_file_is_gone_is_not_found(guest: McpClient) -> None:
    made = await guest.call("gemini_generate_image", prompt="A fig.")
    os.remove(made.facts["path"])

    assert "is gone" in await not_found(guest, f"gemini://images/{made.facts['image_id']}")


async def test_a_research_without_a_report_is_not_found_and_says_how_it_stands(
    house: AppHarness, visitor: McpClient
) -> None:
    house.brain.hold_background()
    started = await visitor.call("start_deep_research", question="Why?")
    id = started.facts["research_id"]

    assert "running" in await not_found(visitor, f"gemini://research/{id}/report")


async def test_ids_of_one_kind_name_nothing_of_another(guest: McpClient) -> None:
    said = await guest.ask("Hello.")
    made = await guest.call("gemini_generate_image", prompt="A fig.")

    await not_found(guest, f"gemini://images/{said.conversation}")
    await not_found(guest, f"gemini://research/{made.facts['image_id']}/report")
    await not_found(guest, f"gemini://research/{said.conversation}/report")


async def test_researches_and_images_are_completed_too(house: AppHarness, guest: McpClient) -> None:
    made = (await guest.call("gemini_generate_image", prompt="A fig.")).facts["image_id"]
    started = (await guest.call("start_deep_research", question="Why?")).facts["research_id"]
    for kind, id in (("research/{id}/report", started), ("images/{id}", made)):
        ref = types.ResourceTemplateReference(uri=f"gemini://{kind}")
        found = await guest.client.complete(ref, {"name": "id", "value": id[:4]})

        assert found.completion.values == [id]
