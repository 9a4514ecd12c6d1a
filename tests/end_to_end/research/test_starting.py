"""Starting a research: what goes to Google, what is refused before, and which ids mean it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gemini_emulator import Answer
from tests.support.app_harness import AppHarness, mask_ids
from tests.support.research_client import QUESTION, REMOTE, ResearchClient

FAST = "deep-research-preview-04-2026"
MAX = "deep-research-max-preview-04-2026"
STORE = {"type": "file_search", "file_search_store_names": ["fileSearchStores/s1"]}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}


# -- what goes to Google ------------------------------------------------------------------


async def test_a_research_is_started_once_and_answered_at_once(researcher: ResearchClient) -> None:
    said = await researcher.start()

    assert researcher.harness.bodies == [
        {
            "agent": FAST,
            "input": QUESTION,
            "background": True,
            "agent_config": {"type": "deep-research", "thinking_summaries": "auto"},
        }
    ]
    assert said.status == "running"
    assert mask_ids(said.text) == (
        "The research is running (0 s so far): Waiting for Gemini.\n"
        'Do other work, then call check_research with research_id "r_…" in a minute or more.\n'
        f"research r_… · conversation c_… · turn 1 · {FAST}"
    )


async def test_programs_read_where_it_is(researcher: ResearchClient) -> None:
    said = await researcher.start()

    (post,) = researcher.harness.control.posts
    assert said.facts == {
        "status": "running",
        "id": said.id,
        "research_id": said.id,
        "conversation_id": said.conversation,
        "turn": 1,
        "interaction_id": post.interaction_id,
        "model": FAST,
    }
    assert said.id.startswith("r_")


@pytest.mark.parametrize(("depth", "agent"), [("fast", FAST), ("max", MAX)])
async def test_depth_chooses_the_agent(researcher: ResearchClient, depth: str, agent: str) -> None:
    await researcher.start(depth=depth)

    assert researcher.harness.last["agent"] == agent


async def test_the_wished_format_stands_before_the_question(researcher: ResearchClient) -> None:
    await researcher.start(report_format="One page, with a table.")

    assert (
        researcher.harness.last["input"]
        == f"Format of the report: One page, with a table.\n\n{QUESTION}"
    )
    assert "system_instruction" not in researcher.harness.last


async def test_a_conversation_gives_context(researcher: ResearchClient) -> None:
    first = await researcher.client.ask("My name is Ada.")

    said = await researcher.start(conversation_id=first.conversation)

    assert (said.conversation, said.turn) == (first.conversation, 2)
    assert researcher.harness.control.chain(said.interaction) == [
        first.interaction,
        said.interaction,
    ]
    report = await researcher.ended(said.id)
    assert "My name is Ada." in report.piece


async def test_a_research_waits_for_the_turn_before_it_and_follows_that(
    researcher: ResearchClient,
) -> None:
    first = await researcher.client.ask("One.")
    slow = await researcher.harness.connect(max_wait_seconds=0.05)
    gate = researcher.harness.control.hold_next("create", "before_completed")
    before = await slow.follow("Two.", conversation_id=first.conversation)

    said = await ResearchClient(researcher.harness, slow).start(conversation_id=first.conversation)

    assert (before.status, said.status) == ("running", "running")
    assert "Waiting for the turn before it" in said.text
    gate.release()
    await researcher.confirmed(said.id)
    report = await researcher.ended(said.id)
    assert report.status == "completed"
    assert researcher.harness.control.chain(report.interaction) == [
        first.interaction,
        researcher.harness.post_with("Two.").interaction_id,
        report.interaction,
    ]


async def test_tools_pass_to_the_agent(researcher: ResearchClient) -> None:
    client = await researcher.harness.connect(remote_tools=("mcp.example.com",))

    said = await ResearchClient(researcher.harness, client).start(tools=[STORE, REMOTE])

    assert said.status == "running"
    assert researcher.harness.last["tools"] == [STORE, REMOTE]


async def test_the_headers_of_a_remote_server_are_written_nowhere(
    researcher: ResearchClient,
) -> None:
    client = await researcher.harness.connect(remote_tools=("mcp.example.com",))

    await ResearchClient(researcher.harness, client).start(tools=[REMOTE])

    for file in researcher.harness.folder.rglob("*.db*"):
        assert b"Bearer t" not in file.read_bytes()


# -- what is refused before anything is sent ----------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no question": (
        {"question": "  "},
        "`question` is empty. Say what to research.",
    ),
    "a function": (
        {"tools": [FUNCTION]},
        "`tools`: Deep Research does not take function. It searches and reads the web and runs "
        "code by itself, and takes file_search and mcp_server.",
    ),
    "maps": (
        {"tools": [{"type": "google_maps"}]},
        "`tools`: Deep Research does not take google_maps. It searches and reads the web and "
        "runs code by itself, and takes file_search and mcp_server.",
    ),
    "a server nobody allowed": (
        {"tools": [REMOTE]},
        "`tools`: the MCP server at mcp.example.com is not allowed here. Whoever runs this "
        "server can allow its host in GEMINI_MCP_REMOTE_TOOLS.",
    ),
    "a server whose host depends on who reads the address": (
        {"tools": [{**REMOTE, "url": "https://evil.example\\@mcp.example.com/mcp"}]},
        "`tools`: an mcp_server needs a `url` that begins with https://.",
    ),
    "an unknown depth": (
        {"depth": "deep"},
        "`depth` must be one of fast, max, not 'deep'.",
    ),
    "an unknown conversation": (
        {"conversation_id": "c_0000000000"},
        "There is no conversation 'c_0000000000' here. Call gemini_history to see the "
        "conversations there are.",
    ),
    "Google's own id": (
        {"conversation_id": "v1_abc"},
        "`conversation_id` takes conversations of this server (c_…) here; only gemini_continue "
        "takes Google's own ids.",
    ),
}


@pytest.mark.parametrize(("arguments", "text"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_researched_is_refused_in_these_words(
    researcher: ResearchClient, arguments: dict[str, Any], text: str
) -> None:
    said = await researcher.start(**{"question": QUESTION, **arguments})

    assert (said.text, said.is_error, said.status) == (text, True, None)
    assert researcher.harness.bodies == []


async def test_a_conversation_google_keeps_nothing_of_is_refused(
    researcher: ResearchClient,
) -> None:
    unkept = await researcher.client.ask("Hello.", store=False)

    said = await researcher.start(conversation_id=unkept.conversation)

    assert said.is_error
    assert said.text == (
        "That conversation was started with store=false, and Deep Research needs storing. "
        "Start the research without `conversation_id`."
    )
    assert len(researcher.harness.bodies) == 1


async def test_a_turn_that_still_runs_is_refused_by_its_id(researcher: ResearchClient) -> None:
    running = await researcher.start()

    said = await researcher.start("And in Basel?", conversation_id=running.id)

    assert said.is_error
    assert f"{running.conversation}/1 is still running" in said.text
    assert len(researcher.harness.bodies) == 1


async def test_a_conversation_that_waits_for_functions_is_refused(
    researcher: ResearchClient,
) -> None:
    researcher.harness.control.answer_next(
        Answer(
            steps=[{"type": "function_call", "id": "call1", "name": "f", "arguments": {}}],
            status="requires_action",
        )
    )
    waiting = await researcher.client.ask("Use f.", tools=[FUNCTION])

    said = await researcher.start(conversation_id=waiting.conversation)

    assert said.is_error
    assert "call1" in said.text
    assert len(researcher.harness.bodies) == 1


async def test_a_key_is_needed(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)
    researcher = ResearchClient(harness, await harness.connect())

    said = await researcher.start()

    assert said.is_error
    assert said.text.startswith("There is no Gemini API key.")
    assert (await researcher.client.history(kind="research")).text.startswith(
        "There is no research here."
    )


# -- ids ------------------------------------------------------------------------------------


async def test_the_research_tools_refuse_what_is_not_a_research_by_name(
    researcher: ResearchClient,
) -> None:
    report = await researcher.report()
    answer = await researcher.client.follow("In one sentence?", conversation_id=report.id)
    picture = await researcher.client.call("gemini_generate_image", prompt="A stork")
    others = [answer.conversation, answer.id, picture.facts["image_id"], report.interaction]
    tools = ["approve_research_plan", "check_research", "cancel_research"]

    for tool in tools:
        for id in others:
            said = await researcher.client.call(tool, research_id=id)

            assert said.is_error
            assert said.text == (
                f"{id} is not a research. Research ids look like r_4k9x2m7q0z; "
                'gemini_history with kind "research" lists them.'
            )


async def test_the_research_tools_take_any_id_of_a_turn_that_is_a_research(
    researcher: ResearchClient,
) -> None:
    report = await researcher.report()
    (chart,) = [file.stem[-12:] for file in researcher.files if file.suffix == ".png"]

    for id in (report.conversation, f"{report.conversation}/1", chart):
        assert (await researcher.check(id)).text == report.text
        assert (await researcher.cancel(id)).text.startswith(
            "There was nothing to cancel: the research"
        )


async def test_a_plan_is_approved_by_its_turn_and_leads_to_its_research_ever_after(
    researcher: ResearchClient,
) -> None:
    plan = await researcher.plan()
    place = plan.conversation
    other = await researcher.start("What do storks eat?", conversation_id=f"{place}/1")

    await researcher.approve(f"{place}/1", "Only Zürich.")
    await researcher.ended(plan.id)
    await researcher.approve(place)
    report = await researcher.ended(plan.id)

    assert report.status == "completed"
    for turn in (1, 3, 4):
        assert (await researcher.check(f"{place}/{turn}")).text == report.text
    assert (await researcher.check(f"{place}/2")).id == other.id != plan.id


async def test_somebody_elses_conversation_is_unknown_to_the_research_tools(
    researcher: ResearchClient,
) -> None:
    said = await researcher.check("c_0000000000")

    assert said.text.startswith("There is no conversation 'c_0000000000' here.")


async def test_a_research_can_be_named_wherever_an_id_goes(researcher: ResearchClient) -> None:
    report = await researcher.report()

    result = await researcher.client.result(report.id)
    followed = await researcher.client.follow("In one sentence?", conversation_id=report.id)
    transcript = await researcher.client.history(id=report.id)
    picture = await researcher.client.call(
        "gemini_generate_image", prompt="A stork", conversation_id=report.id
    )

    assert result.text == report.text.replace("check_research with", "gemini_result with")
    assert (followed.conversation, followed.turn) == (report.conversation, 2)
    assert transcript.text.startswith("## Turn 1 (completed")
    assert (picture.conversation, picture.turn) == (report.conversation, 3)
    chain = researcher.harness.control.chain(followed.interaction)
    assert chain == [report.interaction, followed.interaction]


async def test_the_default_is_the_research_this_session_had_last(
    researcher: ResearchClient,
) -> None:
    nothing = await researcher.check()
    first, second = await researcher.start("One?"), await researcher.start("Two?")
    latest = await researcher.check()
    await researcher.check(first.id)

    assert (await researcher.check()).id == first.id
    assert latest.id == second.id
    assert nothing.is_error
    assert nothing.text == (
        "There is no research in this session to look at. Pass `research_id`; gemini_history "
        'with kind "research" lists them.'
    )


async def test_there_is_no_default_after_researches_that_were_started_side_by_side(
    researcher: ResearchClient,
) -> None:
    gates = [researcher.harness.control.hold_next("create", "before_response") for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(researcher.start, "One?")
        tasks.start_soon(researcher.start, "Two?")
        for gate in gates:
            assert await gate.reached()
        researcher.harness.clock.advance(1)
        for gate in gates:
            gate.release()

    said = await researcher.check()

    assert said.is_error
    assert mask_ids(said.text) == (
        "Several researches of this session were started side by side, so there is no default. "
        "Pass `research_id`: r_…, r_…."
    )


async def test_history_lists_researches_by_what_was_asked(researcher: ResearchClient) -> None:
    report = await researcher.report()
    plan = await researcher.plan("Why do storks clatter?")
    await researcher.ended((await researcher.approve(plan.id)).id)
    running = await researcher.start("Where do they winter?")

    all_of_them = await researcher.client.history(kind="research")
    found = await researcher.client.history(kind="research", query="CLATTER")

    lines = all_of_them.piece.splitlines()
    assert [line.split(" · ")[0] for line in lines] == [running.id, plan.id, report.id]
    assert lines[0].endswith(' · running · "Where do they winter?"')
    assert lines[1].endswith('UTC · "Why do storks clatter?"')
    assert lines[2].endswith(f'UTC · "{QUESTION}"')
    assert found.piece.splitlines() == [lines[1]]


# -- asked twice ----------------------------------------------------------------------------


async def test_the_same_question_again_joins_the_run_it_started(researcher: ResearchClient) -> None:
    first = await researcher.start()

    second = await researcher.start()
    third = await researcher.start()

    assert (second.id, third.id) == (first.id, first.id)
    assert "An identical earlier call had started this; nothing was sent twice." in second.text
    assert len(researcher.harness.bodies) == 1


async def test_it_is_joined_as_long_as_somebody_asks_within_ten_minutes(
    researcher: ResearchClient,
) -> None:
    first = await researcher.start()
    for _ in range(3):
        researcher.harness.clock.advance(500)
        assert (await researcher.start()).id == first.id

    researcher.harness.clock.advance(601)
    later = await researcher.start()

    assert later.id != first.id
    assert len(researcher.harness.bodies) == 2


async def test_what_was_read_is_not_joined(researcher: ResearchClient) -> None:
    report = await researcher.report()

    again = await researcher.start()

    assert again.id != report.id
    assert len(researcher.harness.bodies) == 2


async def test_a_report_nobody_has_read_answers_the_same_question_once(
    researcher: ResearchClient,
) -> None:
    first = await researcher.start()
    researcher.harness.clock.advance(300)
    researcher.harness.control.finish(first.interaction, "# Storks\n\nMany.")
    reader = await researcher.harness.connect()
    while (await reader.history(kind="research")).piece.count("running"):
        await anyio.sleep(0.01)

    joined = await researcher.start()
    again = await researcher.start()

    assert (joined.id, joined.status) == (first.id, "completed")
    assert joined.piece.startswith("# Storks")
    assert again.id != first.id
