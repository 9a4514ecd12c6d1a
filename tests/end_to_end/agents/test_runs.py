"""Runs of agents in a sandbox: what is sent, told, continued, limited, and outlives the server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.agent_client import AGENT, put, run
from tests.support.app_harness import AppHarness, McpClient
from tests.support.research_client import until, works
from tests.support.server_process import Start

# -- what goes to Google, and what comes back ---------------------------------------------


async def test_a_run_starts_in_the_background_and_tells_what_it_did(
    guest: McpClient, house: AppHarness
) -> None:
    started = await guest.call("gemini_run_agent", prompt="Write notes.md with hello")
    done = await guest.result(started.id, wait_seconds=20)

    assert house.bodies == [
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


async def test_a_run_goes_on_in_its_environment(guest: McpClient, house: AppHarness) -> None:
    first = await run(guest, "Write notes.md with hello")
    second = await run(guest, "Read notes.md", conversation_id=first.conversation)

    assert "notes.md says: hello" in second.text
    assert house.last["environment"] == first.facts["environment_id"]
    assert house.last["previous_interaction_id"] == first.interaction
    assert (second.conversation, second.turn) == (first.conversation, 2)


async def test_an_ordinary_model_goes_on_in_the_conversation_and_the_agent_after_it(
    guest: McpClient, house: AppHarness
) -> None:
    first = await run(guest, "Write notes.md with hello")
    asked = await guest.follow("What did you write?", conversation_id=first.conversation)
    third = await run(guest, "Read notes.md", conversation_id=first.conversation)

    assert asked.status == "completed"
    assert house.bodies[1]["model"] == "gemini-3.8-flash"
    assert house.bodies[1]["previous_interaction_id"] == first.interaction
    assert "environment" not in house.bodies[1]
    assert house.bodies[2]["environment"] == first.facts["environment_id"]
    assert "notes.md says: hello" in third.text


async def test_progress_says_what_it_does_and_what_it_used(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.hold_background()
    started = await guest.call("gemini_run_agent", prompt="Write notes.md with hello")
    house.brain.progress(started.interaction, 0.85)
    await until(lambda: "write_file" in _doing(guest))

    told = await guest.result(started.id)

    assert told.status == "running"
    assert "Calling write_file (1 command, 1 call" in told.text


def _doing(guest: McpClient) -> str:
    maintenance = guest.app.maintenance
    running = list(maintenance._executor.running) if maintenance is not None else []
    for each in running:
        each.look_soon()
    return " ".join(each.doing for each in running)


async def test_a_call_without_a_result_is_done_and_never_pending(
    guest: McpClient, house: AppHarness
) -> None:
    call = {"type": "function_call", "id": "f1", "name": "edit_file", "arguments": {"path": "a"}}
    said = {"type": "model_output", "content": [{"type": "text", "text": "Done."}]}
    house.brain.answer_next({"steps": [call, said], "status": "requires_action"})

    done = await run(guest, "x")

    assert done.status == "completed"
    assert 'Called edit_file({"path": "a"})' in done.text
    assert "function_calls" not in done.facts


async def test_a_run_that_ends_without_a_word_shows_what_it_did(
    guest: McpClient, house: AppHarness
) -> None:
    call = {"type": "function_call", "id": "c1", "name": "make", "arguments": {}}
    house.brain.answer_next({"steps": [call]})

    done = await run(guest, "x")

    assert done.status == "completed"
    assert "make" in done.text
    assert "ended without a word" in done.text


# -- limits --------------------------------------------------------------------------------


async def test_a_budget_hit_is_incomplete_with_what_there_is_and_how_to_go_on(
    guest: McpClient, house: AppHarness
) -> None:
    done = await run(guest, "Write notes.md with hello", max_total_tokens=9000)
    more = await run(
        guest, "Go on: read notes.md", conversation_id=done.conversation, max_total_tokens=90_000
    )

    assert house.bodies[0]["agent_config"] == {"type": "antigravity", "max_total_tokens": "9000"}
    assert done.status == "incomplete"
    assert not done.is_error
    assert "```bash\nls\n```" in done.text
    assert "stopped at its budget of 9,000 tokens" in done.text
    assert f'gemini_run_agent with conversation_id "{done.conversation}"' in done.text
    assert house.bodies[1]["environment"] == done.facts["environment_id"]
    assert more.status == "completed"


async def test_the_setting_is_the_budget_of_runs_that_name_none(house: AppHarness) -> None:
    house.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_AGENT_TOKEN_LIMIT="5000")
    guest = await house.connect()

    await guest.call("gemini_run_agent", prompt="x")
    await guest.call("gemini_run_agent", prompt="y", max_total_tokens=7000)

    assert [each["agent_config"]["max_total_tokens"] for each in house.bodies] == ["5000", "7000"]


@pytest.mark.parametrize("agent", ["", "reviewer"])
async def test_daily_limits_hold_the_middle_of_what_runs_cost(
    house: AppHarness, agent: str
) -> None:
    house.brain.service.create_agent({"id": "reviewer", "base_agent": AGENT})
    house.brain.hold_background()
    house.set(GEMINI_MCP_TOOLSETS="all", GEMINI_MCP_DAILY_USD_LIMIT="3")
    guest = await house.connect()
    given = {"agent": agent} if agent else {}

    first = await guest.call("gemini_run_agent", prompt="x", **given)
    second = await guest.call("gemini_run_agent", prompt="y", **given)

    assert first.status == "running"
    assert second.is_error
    assert "1.75" in second.text
    assert len(house.bodies) == 1


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
    guest: McpClient, house: AppHarness, arguments: dict[str, Any], words: str
) -> None:
    put("data.csv", "a,b\n")
    put("id_rsa", "secret")

    said = await guest.call("gemini_run_agent", **{"prompt": "x", **arguments})
    if said.status == "running":
        said = await guest.result(said.id, wait_seconds=20)

    assert said.is_error
    assert words in said.text
    assert house.bodies == []


async def test_an_unknown_agent_is_told(guest: McpClient) -> None:
    started = await guest.call("gemini_run_agent", prompt="x", agent="nobody")
    said = await guest.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "Google has no agent 'nobody' for this key" in said.text


async def test_a_conversation_that_google_does_not_keep_is_refused(guest: McpClient) -> None:
    asked = await guest.ask("Hello", store=False)

    said = await guest.call("gemini_run_agent", prompt="x", conversation_id=asked.conversation)

    assert said.is_error
    assert "store=false" in said.text


async def test_two_runs_at_once_in_an_environment_are_refused(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.hold_background()
    first = await guest.call("gemini_run_agent", prompt="x")

    second = await guest.call("gemini_run_agent", prompt="y", conversation_id=first.conversation)

    assert second.is_error
    assert f"{first.id} is still at work" in second.text


# -- trouble at Google ----------------------------------------------------------------------


async def test_a_404_just_after_creation_is_only_the_store_lagging(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.lag("next", gets=2)

    assert (await run(guest)).status == "completed"


async def test_an_environment_that_is_gone_is_told_with_the_way_out(
    guest: McpClient, house: AppHarness
) -> None:
    first = await run(guest)
    house.brain.expire_environment(first.facts["environment_id"])

    started = await guest.call("gemini_run_agent", prompt="x", conversation_id=first.conversation)
    said = await guest.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "That environment is gone at Google" in said.text
    assert len(house.bodies) == 2


async def test_a_quota_is_told_and_nothing_is_sent_twice(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.fail_next(429, on="create", message="Quota exceeded, limit: 0")

    started = await guest.call("gemini_run_agent", prompt="x")
    said = await guest.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert len(house.brain.posts) == 1


async def test_a_failed_run_says_why_and_keeps_its_environment(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.hold_background()
    started = await guest.call("gemini_run_agent", prompt="Write a.md with x")
    house.brain.fail(started.interaction, "The sandbox crashed.")

    said = await guest.result(started.id, wait_seconds=20)

    assert said.status == "failed"
    assert "The sandbox crashed" in said.text
    assert f'gemini_run_agent with conversation_id "{started.conversation}"' in said.text


async def test_a_run_that_is_stopped_is_cancelled_at_google(
    guest: McpClient, house: AppHarness
) -> None:
    house.brain.hold_background()
    started = await guest.call("gemini_run_agent", prompt="x")
    bridge = await guest.app.bridge()
    (running,) = bridge.executor.running

    await bridge.executor.stop(running.turn)
    said = await guest.result(started.id)

    assert said.status == "cancelled"
    assert [each.kind for each in house.brain.log if each.kind == "cancel"] == ["cancel"]


# -- restarts, owners, repeats ---------------------------------------------------------------


async def test_another_server_goes_on_where_one_ended(guest: McpClient, house: AppHarness) -> None:
    house.brain.hold_background()
    started = await guest.call("gemini_run_agent", prompt="Write a.md with x")
    await guest.leave()
    house.brain.finish(started.interaction)
    house.clock.advance(60)

    other = await house.connect()
    said = await other.result(started.id, wait_seconds=20)

    assert said.status == "completed"
    assert said.facts["environment_id"] == started.facts["environment_id"]
    assert len(house.bodies) == 1


async def test_a_run_survives_a_kill_and_is_continued(house: AppHarness, start: Start) -> None:
    """Killed while the agent works; found, finished and gone on with by the next process."""
    house.brain.hold_background()
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
    house.brain.finish(started.interaction)
    house.brain.hold_background(False)

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
    assert [each.get("agent") or each.get("model") for each in house.bodies] == [
        AGENT,
        AGENT,
        "gemini-3.8-flash",
    ]


async def test_the_same_call_again_joins_the_run(guest: McpClient, house: AppHarness) -> None:
    house.brain.hold_background()
    first = await guest.call("gemini_run_agent", prompt="x")
    again = await guest.call("gemini_run_agent", prompt="x")

    assert again.id == first.id
    assert "nothing was sent twice" in again.text
    assert len(house.bodies) == 1


async def test_history_lists_runs_and_how_long_their_files_are_kept(
    guest: McpClient, house: AppHarness
) -> None:
    first = await run(guest, "Write a.md with storks")
    await run(guest, "Write b.md with owls")
    await guest.ask("Something else")

    listed = await guest.history(kind="agents")
    found = await guest.history(kind="agents", query="storks")
    house.clock.advance(8 * 86400)
    later = await guest.history(kind="agents")

    assert listed.text.count("files kept until") == 2
    assert "1 to 2 of 2 runs of agents." in listed.text
    assert f"{first.id} · " in found.text
    assert "owls" not in found.text
    assert "files kept" not in later.text


async def test_runs_are_nobody_elses(house: AppHarness, guest: McpClient) -> None:
    await run(guest)
    environments = (await guest.app.bridge()).executor._runtime.store.environments

    assert await environments.runs("thief", limit=9) == []
    assert await environments.count_runs("thief") == 0
    assert await environments.of_owner("thief") == []


async def test_nothing_is_at_work_once_all_have_ended(guest: McpClient) -> None:
    await run(guest)

    assert works(guest) == 0
