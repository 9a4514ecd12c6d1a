"""`export`: a conversation to take along."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.commands.conftest import Run
from tests.support.app_harness import AppHarness, McpClient


async def test_markdown_is_the_transcript(harness: AppHarness, client: McpClient, run: Run) -> None:
    said = await client.ask("My name is Ada.")

    ended = await run("export", said.conversation)

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"# Gemini conversation {said.conversation}\n\n## Turn 1 (")
    assert "**Prompt:** My name is Ada.\n" in ended.out
    (resource,) = (
        await client.sdk_client.read_resource(f"gemini://conversations/{said.conversation}")
    ).contents
    assert ended.out == getattr(resource, "text", None)


async def test_json_has_everything_but_our_bookkeeping(client: McpClient, run: Run) -> None:
    said = await client.ask("My name is Ada.", model="pro", system_instruction="Be brief.")
    await client.follow("What is my name?")

    whole = json.loads((await run("export", said.conversation, "--format", "json")).out)

    assert whole["id"] == said.conversation
    assert whole["created"] == "2026-11-22T12:00:00+00:00"
    first, second = whole["turns"]
    assert first["id"] == said.id
    assert first["prompt"] == "My name is Ada."
    assert first["interaction_id"] == said.interaction
    assert first["settings"]["system_instruction"] == "Be brief."
    assert first["steps"][-1]["type"] == "model_output"
    assert first["finished"] == "2026-11-22T12:00:00+00:00"
    assert second["chained"] == 1
    assert not {"owner", "lease_holder", "session", "fingerprint", "delivery"} & set(first)


async def test_any_id_of_something_in_it_names_the_conversation(
    client: McpClient, run: Run
) -> None:
    said = await client.ask("Hello.")
    image = await client.call(
        "gemini_generate_image", prompt="A fig.", conversation_id=said.conversation
    )
    whole = (await run("export", said.conversation)).out

    for id in (said.id, said.interaction, image.facts["image_id"], said.conversation.upper()):
        assert (await run("export", id)).out == whole


@pytest.mark.parametrize("id", ["c_0000000000", "r_0000000000", "i_0000000000", "v1_nobodys"])
async def test_an_unknown_id_is_refused_with_where_to_look(
    client: McpClient, run: Run, id: str
) -> None:
    await client.ask("Hello.")

    ended = await run("export", id)

    assert (ended.code, ended.out) == (2, "")
    assert f"'{id}' here. `gemini-interactions-mcp history` lists" in ended.err


async def test_what_is_no_id_is_refused(client: McpClient, run: Run) -> None:
    await client.ask("Hello.")

    assert "is not an id of this server" in (await run("export", "nonsense")).err


async def test_where_nothing_is_kept_it_says_so(harness: AppHarness, run: Run) -> None:
    ended = await run("export", "c_0000000000")

    assert ended.code == 2
    assert "Nothing is kept here yet" in ended.err
    assert not harness.folder.exists()


async def test_another_owners_conversation_is_not_there(
    client: McpClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gemini_interactions.mcp_server.request_context.owner", lambda _: "somebody else"
    )
    said = await client.ask("Theirs.")

    assert "There is no conversation" in (await run("export", said.conversation)).err
    assert "Theirs." not in (await run("history")).out


async def test_a_person_is_sent_to_a_command_where_a_model_is_sent_to_a_tool(
    client: McpClient, run: Run
) -> None:
    await client.ask("Hello.")

    said = (await run("export", "nonsense")).err
    assert "Run gemini-interactions-mcp history to see" in said
    assert "gemini_history" not in said
