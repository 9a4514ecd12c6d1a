"""Local files in a sandbox, and the network that they close."""

from __future__ import annotations

import base64

from tests.support.agent_client import ALL_TOOLS, run_agent, write_file
from tests.support.app_harness import AppHarness, McpClient


async def test_local_files_go_into_the_sandbox_and_close_its_network(
    client: McpClient, harness: AppHarness
) -> None:
    write_file("data.csv", "a,b\n1,2\n")
    write_file("logo.bin", bytes(range(256)))
    prompt = "Read input/data.csv and fetch https://example.com/x"

    done = await run_agent(client, prompt, files=["data.csv", "logo.bin"])

    environment = harness.last["environment"]
    assert environment["network"] == "disabled"
    assert [each["target"] for each in environment["sources"]] == [
        "input/data.csv",
        "input/logo.bin",
    ]
    sent = [base64.b64decode(each["content"]) for each in environment["sources"]]
    assert sent == [b"a,b\n1,2\n", bytes(range(256))]
    assert harness.last["tools"] == [{"type": "code_execution"}]
    assert harness.last["input"].startswith(prompt)
    assert "input/data.csv says: a,b" in done.text
    assert "the network is closed" in done.text
    assert "Its network is closed, since it was given local files." in done.text


async def test_an_environment_that_had_files_stays_closed(
    client: McpClient, harness: AppHarness
) -> None:
    write_file("data.csv", "a,b\n")
    first = await run_agent(client, "Look", files=["data.csv"])
    await run_agent(client, "Go on", conversation_id=first.conversation)

    assert harness.last["environment"] == {
        "type": "remote",
        "environment_id": first.facts["environment_id"],
        "network": "disabled",
    }


async def test_files_given_in_a_branch_close_the_network_for_the_other_branches(
    client: McpClient, harness: AppHarness
) -> None:
    write_file("data.csv", "a,b\n")
    first = await run_agent(client, "Begin")
    await run_agent(client, "With files", conversation_id=first.id, files=["data.csv"])
    await run_agent(client, "Without", conversation_id=first.id)

    assert harness.last["environment"]["network"] == "disabled"


async def test_files_a_model_was_given_before_close_the_network_too(
    client: McpClient, harness: AppHarness
) -> None:
    write_file("notes.txt", "private words")
    asked = await client.ask("Read this", files=["notes.txt"])

    await run_agent(client, "Go on", conversation_id=asked.conversation)

    assert harness.last["environment"] == {"type": "remote", "network": "disabled"}


async def test_without_transcripts_nobody_knows_what_a_model_was_given(harness: AppHarness) -> None:
    harness.set(
        **ALL_TOOLS,
        GEMINI_MCP_TRANSCRIPTS="off",
    )
    client = await harness.connect()
    asked = await client.ask("Hello")

    await run_agent(client, "Go on", conversation_id=asked.conversation)

    assert harness.last["environment"] == {"type": "remote", "network": "disabled"}


async def test_named_on_it_is_open_to_the_hosts_of_the_setting_only(harness: AppHarness) -> None:
    harness.set(
        **ALL_TOOLS,
        GEMINI_MCP_AGENT_NETWORK_HOSTS="pypi.org,*.example.com",
    )
    client = await harness.connect()
    write_file("data.csv", "a,b\n")

    done = await run_agent(
        client,
        "Fetch https://docs.example.com/x and https://other.org/y",
        files=["data.csv"],
        network="on",
    )

    assert harness.last["environment"]["network"] == {
        "allowlist": [{"domain": "pypi.org"}, {"domain": "*.example.com"}]
    }
    assert "I fetched https://docs.example.com/x" in done.text
    assert "I could not reach other.org" in done.text


async def test_the_network_is_off_where_that_is_said(
    client: McpClient, harness: AppHarness
) -> None:
    await run_agent(client, "x", network="off")

    assert harness.last["environment"] == {"type": "remote", "network": "disabled"}
