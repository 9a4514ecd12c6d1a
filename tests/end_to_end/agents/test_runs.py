"""Runs of agents in a sandbox: what is sent, told, continued, limited, and outlives the server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.agent_client import AGENT, run_agent, write_file
from tests.support.app_harness import AppHarness, McpClient
from tests.support.research_client import running_count, until
from tests.support.server_process import Start

# -- what goes to Google, and what comes back ---------------------------------------------


async def test_a_run_starts_in_the_background_and_tells_what_it_did(
    client: McpClient, harness: AppHarness
) -> None:
    started = await client.call("gemini_run_agent", prompt="Write notes.md with hello")
    done = await client.result(started.id, wait_seconds=20)

    assert harness.bodies == [
        {
            "agent": AGENT,
            "input": "Write notes.md with hello",
            "background": True,
            "environment": "remote",
        }
    ]
    assert started.status == "running"
    assert "The agent is at work (" in started.text
    assert f'gemini_result with id "{started.id}"' in started.text
    assert done.status == "completed"
    assert "I wrote notes.md." in done.text
    assert "```bash\nls\n```" in done.text
    assert 'Called write_file({"path": "notes.md", "content": "hello"}) → ok' in done.text
    assert done.facts["environment_id"] == started.facts["environment_id"]
    assert done.facts["usage"]["total_tokens"] == 24_000
    assert "function_calls" not in done.facts


async def test_a_run_goes_on_in_its_environment(client: McpClient, harness: AppHarness) -> None:
    first = await run_agent(client, "Write notes.md with hello")
    second = await run_agent(client, "Read notes.md", conversation_id=first.conversation)

    assert "notes.md says: hello" in second.text
    assert harness.last["environment"] == first.facts["environment_id"]
    assert harness.last["previous_interaction_id"] == first.interaction
    assert (second.conversation, second.turn) == (first.conversation, 2)


async def test_an_ordinary_model_goes_on_in_the_conversation_and_the_agent_after_it(
    client: McpClient, harness: AppHarness
) -> None:
    first = await run_agent(client, "Write notes.md with hello")
    asked = await client.follow("What did you write?", conversation_id=first.conversation)
    third = await run_agent(client, "Read notes.md", conversation_id=first.conversation)

    assert asked.status == "completed"
    assert harness.bodies[1]["model"] == "gemini-3.8-flash"
    assert harness.bodies[1]["previous_interaction_id"] == first.interaction
    assert "environment" not in harness.bodies[1]
    assert harness.bodies[2]["environment"] == first.facts["environment_id"]
    assert "notes.md says: hello" in third.text


async def test_progress_says_what_it_does_and_what_it_used(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()
    started = await client.call("gemini_run_agent", prompt="Write notes.md with hello")
    harness.control.progress(started.interaction, 0.85)
    await until(lambda: "write_file" in _doing_of(client))

    told = await client.result(started.id)

    assert told.status == "running"
    assert "Calling write_file (1 command, 1 call" in told.text


def _doing_of(client: McpClient) -> str:
    maintenance = client.app.maintenance
    running = list(maintenance._executor.running) if maintenance is not None else []
    for each in running:
        each.look_soon()
    return " ".join(each.doing for each in running)


async def test_a_call_without_a_result_is_done_and_never_pending(
    client: McpClient, harness: AppHarness
) -> None:
    call = {"type": "function_call", "id": "f1", "name": "edit_file", "arguments": {"path": "a"}}
    said = {"type": "model_output", "content": [{"type": "text", "text": "Done."}]}
    harness.control.answer_next({"steps": [call, said], "status": "requires_action"})

    done = await run_agent(client, "x")

    assert done.status == "completed"
    assert 'Called edit_file({"path": "a"})' in done.text
    assert "function_calls" not in done.facts


async def test_a_run_that_ends_without_a_word_shows_what_it_did(
    client: McpClient, harness: AppHarness
) -> None:
    call = {"type": "function_call", "id": "c1", "name": "make", "arguments": {}}
    harness.control.answer_next({"steps": [call]})

    done = await run_agent(client, "x")

    assert done.status == "completed"
    assert "make" in done.text
    assert "ended without a word" in done.text


# -- limits --------------------------------------------------------------------------------


async def test_a_budget_hit_is_incomplete_with_what_there_is_and_how_to_go_on(
    client: McpClient, harness: AppHarness
) -> None:
    done = await run_agent(client, "Write notes.md with hello", max_total_tokens=9000)
    more = await run_agent(
        client, "Go on: read notes.md", conversation_id=done.conversation, max_total_tokens=90_000
    )

    assert harness.bodies[0]["agent_config"] == {"type": "antigravity", "max_total_tokens": "9000"}
    assert done.status == "incomplete"
    assert not done.is_error
    assert "```bash\nls\n```" in done.text
    assert "stopped at its budget of 9,000 tokens" in done.text
    assert f'gemini_run_agent with conversation_id "{done.conversation}"' in done.text
    assert harness.bodies[1]["environment"] == done.facts["environment_id"]
    assert more.status == "completed"


async def test_the_setting_is_the_budget_of_runs_that_name_none(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_AGENT_TOKEN_LIMIT="5000")
    client = await harness.connect()

    await client.call("gemini_run_agent", prompt="x")
    await client.call("gemini_run_agent", prompt="y", max_total_tokens=7000)

    assert [each["agent_config"]["max_total_tokens"] for each in harness.bodies] == ["5000", "7000"]


@pytest.mark.parametrize("agent", ["", "reviewer"])
async def test_daily_limits_hold_the_middle_of_what_runs_cost(
    harness: AppHarness, agent: str
) -> None:
    harness.control.service.create_agent({"id": "reviewer", "base_agent": AGENT})
    harness.control.hold_background()
    harness.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_DAILY_USD_LIMIT="3")
    client = await harness.connect()
    given = {"agent": agent} if agent else {}

    first = await client.call("gemini_run_agent", prompt="x", **given)
    second = await client.call("gemini_run_agent", prompt="y", **given)

    assert first.status == "running"
    assert second.is_error
    assert "1.75" in second.text
    assert len(harness.bodies) == 1


async def test_ended_runs_use_up_a_limit_in_dollars_though_their_tokens_have_no_price(
    harness: AppHarness,
) -> None:
    harness.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_DAILY_USD_LIMIT="3")
    client = await harness.connect()

    done = await run_agent(client, "Write notes.md with hello")
    second = await client.call("gemini_run_agent", prompt="y")
    told = (await client.sdk_client.read_resource("gemini://usage")).contents[0].text  # type: ignore[union-attr]
    models = (await client.sdk_client.read_resource("gemini://models")).contents[0].text  # type: ignore[union-attr]

    assert second.is_error
    assert "$" not in done.footer
    assert "~$1.75 |" in told
    assert "each run counts with the middle of the range" in told
    assert "typically $0.25-3.25 a run; no price of its tokens is known" in models


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prompt": " "}, "`prompt` is empty"),
        ({"agent": "deep-research-preview-04-2026"}, "start_deep_research"),
        ({"agent": "no such name!"}, "no agent for a sandbox"),
        ({"tools": [{"type": "file_search", "file_search_store_names": ["x"]}]}, "no store"),
        ({"tools": [{"type": "computer_use"}]}, "computer_use"),
        ({"tools": [{"type": "function", "name": "f"}]}, "function"),
        ({"files": ["https://example.com/a.csv"]}, "only those go into a sandbox"),
        ({"files": ["git:diff"]}, "only those go into a sandbox"),
        ({"files": ["/etc/passwd"]}, "outside the allowed folders"),
        ({"files": ["id_rsa"]}, "protected"),
        ({"files": ["data.csv"], "network": "on"}, "GEMINI_MCP_AGENT_NETWORK_HOSTS"),
        ({"files": ["data.csv"], "tools": [{"type": "url_context"}]}, "url_context"),
        ({"conversation_id": "c_0000000000"}, "There is no conversation"),
    ],
)
async def test_what_cannot_be_run_is_told_and_nothing_is_sent(
    client: McpClient, harness: AppHarness, arguments: dict[str, Any], words: str
) -> None:
    write_file("data.csv", "a,b\n")
    write_file("id_rsa", "secret")

    said = await client.call("gemini_run_agent", **{"prompt": "x", **arguments})
    if said.status == "running":
        said = await client.result(said.id, wait_seconds=20)

    assert said.is_error
    assert words in said.text
    assert harness.bodies == []


async def test_an_unknown_agent_is_told(client: McpClient) -> None:
    started = await client.call("gemini_run_agent", prompt="x", agent="nobody")
    said = await client.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "Google has no agent 'nobody' for this key" in said.text


async def test_a_conversation_that_google_does_not_keep_is_refused(client: McpClient) -> None:
    asked = await client.ask("Hello", store=False)

    said = await client.call("gemini_run_agent", prompt="x", conversation_id=asked.conversation)

    assert said.is_error
    assert "store=false" in said.text


async def test_two_runs_at_once_in_an_environment_are_refused(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()
    first = await client.call("gemini_run_agent", prompt="x")

    second = await client.call("gemini_run_agent", prompt="y", conversation_id=first.conversation)

    assert second.is_error
    assert f"{first.id} is still at work" in second.text


# -- trouble at Google ----------------------------------------------------------------------


async def test_a_404_just_after_creation_is_only_the_store_lagging(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.lag("next", gets=2)

    assert (await run_agent(client)).status == "completed"


async def test_an_environment_that_is_gone_is_told_with_the_way_out(
    client: McpClient, harness: AppHarness
) -> None:
    first = await run_agent(client)
    harness.control.expire_environment(first.facts["environment_id"])

    started = await client.call("gemini_run_agent", prompt="x", conversation_id=first.conversation)
    said = await client.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "That environment is gone at Google" in said.text
    assert len(harness.bodies) == 2


async def test_a_quota_is_told_and_nothing_is_sent_twice(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.fail_next(429, on="create", message="Quota exceeded, limit: 0")

    started = await client.call("gemini_run_agent", prompt="x")
    said = await client.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert len(harness.control.posts) == 1


async def test_a_failed_run_says_why_and_keeps_its_environment(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()
    started = await client.call("gemini_run_agent", prompt="Write a.md with x")
    harness.control.fail(started.interaction, "The sandbox crashed.")

    said = await client.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "The sandbox crashed" in said.text
    assert f'gemini_run_agent with conversation_id "{started.conversation}"' in said.text


async def test_a_run_that_is_stopped_is_cancelled_at_google(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()
    started = await client.call("gemini_run_agent", prompt="x")
    bridge = await client.app.bridge()
    (running,) = bridge.executor.running

    await bridge.executor.stop(running.turn)
    said = await client.result(started.id)

    assert said.status == "cancelled"
    assert [each.kind for each in harness.control.log if each.kind == "cancel"] == ["cancel"]


# -- restarts, owners, repeats ---------------------------------------------------------------


async def test_another_server_goes_on_where_one_ended(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()
    started = await client.call("gemini_run_agent", prompt="Write a.md with x")
    await client.disconnect()
    harness.control.finish(started.interaction)
    harness.clock.advance(60)

    other = await harness.connect()
    said = await other.result(started.id, wait_seconds=20)

    assert said.status == "completed"
    assert said.facts["environment_id"] == started.facts["environment_id"]
    assert len(harness.bodies) == 1


async def test_a_run_survives_a_kill_and_is_continued(harness: AppHarness, start: Start) -> None:
    """Killed while the agent works; found, finished and gone on with by the next process."""
    harness.control.hold_background()
    settings = {
        "GEMINI_MCP_TOOLSETS": "all",
        "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.1",
        "GEMINI_MCP_LEASE_SECONDS": "1",
    }
    server = await start("modern", **settings)
    prompt = "Fetch https://example.com/a and write a.md with hello"
    started = await server.call("gemini_run_agent", prompt=prompt)
    server.kill()
    await server.ended()
    harness.control.finish(started.interaction)
    harness.control.hold_background(False)

    server = await start("modern", **settings)
    done = await server.call("gemini_result", id=started.id, wait_seconds=30)
    assert done.status == "completed", done.text
    assert "I fetched https://example.com/a into page.html" in done.text
    more = await server.call(
        "gemini_run_agent", prompt="Read a.md", conversation_id=started.conversation
    )
    more = await server.call("gemini_result", id=more.id, wait_seconds=30)
    assert "a.md says: hello" in more.text
    asked = await server.call(
        "gemini_continue", prompt="What was in it?", conversation_id=started.conversation
    )

    assert asked.status == "completed"
    assert [each.get("agent") or each.get("model") for each in harness.bodies] == [
        AGENT,
        AGENT,
        "gemini-3.8-flash",
    ]


async def test_the_same_call_again_joins_the_run(client: McpClient, harness: AppHarness) -> None:
    harness.control.hold_background()
    first = await client.call("gemini_run_agent", prompt="x")
    again = await client.call("gemini_run_agent", prompt="x")

    assert again.id == first.id
    assert "nothing was sent twice" in again.text
    assert len(harness.bodies) == 1


async def test_history_lists_runs_and_how_long_their_files_are_kept(
    client: McpClient, harness: AppHarness
) -> None:
    first = await run_agent(client, "Write a.md with storks")
    await run_agent(client, "Write b.md with owls")
    await client.ask("Something else")

    listed = await client.history(kind="agents")
    found = await client.history(kind="agents", query="storks")
    harness.clock.advance(8 * 86400)
    later = await client.history(kind="agents")

    assert listed.text.count("files kept until") == 2
    assert "1 to 2 of 2 runs of agents." in listed.text
    assert f"{first.id} · " in found.text
    assert "owls" not in found.text
    assert "files kept" not in later.text


async def test_runs_are_nobody_elses(harness: AppHarness, client: McpClient) -> None:
    await run_agent(client)
    environments = (await client.app.bridge()).executor._runtime.store.environments

    assert await environments.runs("thief", limit=9) == []
    assert await environments.count_runs("thief") == 0
    assert await environments.of_owner("thief") == []


async def test_nothing_is_at_work_once_all_have_ended(client: McpClient) -> None:
    await run_agent(client)

    assert running_count(client) == 0
