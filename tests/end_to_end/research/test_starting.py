"""Starting a research: what goes to Google, what is refused before, and which ids mean it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gemini_emulator import Answer
from tests.support.app_harness import AppHarness, masked
from tests.support.research_client import QUESTION, ResearchClient

FAST = "deep-research-preview-04-2026"
MAX = "deep-research-max-preview-04-2026"
STORE = {"type": "file_search", "file_search_store_names": ["fileSearchStores/s1"]}
REMOTE = {
    "type": "mcp_server",
    "name": "notes",
    "url": "https://mcp.example.com/mcp",
    "headers": {"Authorization": "Bearer t"},
}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}


# -- what goes to Google ------------------------------------------------------------------


async def test_a_research_is_started_once_and_answered_at_once(lab: ResearchClient) -> None:
    said = await lab.start()

    assert lab.harness.bodies == [
        {
            "agent": FAST,
            "input": QUESTION,
            "background": True,
            "agent_config": {"type": "deep-research", "thinking_summaries": "auto"},
        }
    ]
    assert said.status == "running"
    assert masked(said.text) == (
        "The research is running (0 s so far): Waiting for Gemini.\n"
        'Do other work, then call check_research with research_id "r_…" in a minute or more.\n'
        f"research r_… · conversation c_… · turn 1 · {FAST}"
    )


async def test_programs_read_where_it_is(lab: ResearchClient) -> None:
    said = await lab.start()

    (post,) = lab.harness.control.posts
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
async def test_depth_chooses_the_agent(lab: ResearchClient, depth: str, agent: str) -> None:
    await lab.start(depth=depth)

    assert lab.harness.last["agent"] == agent


async def test_the_wished_format_stands_before_the_question(lab: ResearchClient) -> None:
    await lab.start(report_format="One page, with a table.")

    assert (
        lab.harness.last["input"] == f"Format of the report: One page, with a table.\n\n{QUESTION}"
    )
    assert "system_instruction" not in lab.harness.last


async def test_a_conversation_gives_context(lab: ResearchClient) -> None:
    first = await lab.client.ask("My name is Ada.")

    said = await lab.start(conversation_id=first.conversation)

    assert (said.conversation, said.turn) == (first.conversation, 2)
    assert lab.harness.control.chain(said.interaction) == [first.interaction, said.interaction]
    report = await lab.ended(said.id)
    assert "My name is Ada." in report.piece


async def test_a_research_waits_for_the_turn_before_it_and_follows_that(
    lab: ResearchClient,
) -> None:
    first = await lab.client.ask("One.")
    slow = await lab.harness.connect(max_wait_seconds=0.05)
    gate = lab.harness.control.hold_next("create", "before_completed")
    before = await slow.follow("Two.", conversation_id=first.conversation)

    said = await ResearchClient(lab.harness, slow).start(conversation_id=first.conversation)

    assert (before.status, said.status) == ("running", "running")
    assert "Waiting for the turn before it" in said.text
    gate.release()
    await lab.confirmed(said.id)
    report = await lab.ended(said.id)
    assert report.status == "completed"
    assert lab.harness.control.chain(report.interaction) == [
        first.interaction,
        lab.harness.sent("Two.").interaction_id,
        report.interaction,
    ]


async def test_tools_pass_to_the_agent(lab: ResearchClient) -> None:
    client = await lab.harness.connect(remote_tools=("mcp.example.com",))

    said = await ResearchClient(lab.harness, client).start(tools=[STORE, REMOTE])

    assert said.status == "running"
    assert lab.harness.last["tools"] == [STORE, REMOTE]


async def test_the_headers_of_a_remote_server_are_written_nowhere(lab: ResearchClient) -> None:
    client = await lab.harness.connect(remote_tools=("mcp.example.com",))

    await ResearchClient(lab.harness, client).start(tools=[REMOTE])

    for file in lab.harness.folder.rglob("*.db*"):
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
    lab: ResearchClient, arguments: dict[str, Any], text: str
) -> None:
    said = await lab.start(**{"question": QUESTION, **arguments})

    assert (said.text, said.is_error, said.status) == (text, True, None)
    assert lab.harness.bodies == []


async def test_a_conversation_google_keeps_nothing_of_is_refused(lab: ResearchClient) -> None:
    unkept = await lab.client.ask("Hello.", store=False)

    said = await lab.start(conversation_id=unkept.conversation)

    assert said.is_error
    assert said.text == (
        "That conversation was started with store=false, and Deep Research needs storing. "
        "Start the research without `conversation_id`."
    )
    assert len(lab.harness.bodies) == 1


async def test_a_turn_that_still_runs_is_refused_by_its_id(lab: ResearchClient) -> None:
    running = await lab.start()

    said = await lab.start("And in Basel?", conversation_id=running.id)

    assert said.is_error
    assert f"{running.conversation}/1 is still running" in said.text
    assert len(lab.harness.bodies) == 1


async def test_a_conversation_that_waits_for_functions_is_refused(lab: ResearchClient) -> None:
    lab.harness.control.answer_next(
        Answer(
            steps=[{"type": "function_call", "id": "call1", "name": "f", "arguments": {}}],
            status="requires_action",
        )
    )
    waiting = await lab.client.ask("Use f.", tools=[FUNCTION])

    said = await lab.start(conversation_id=waiting.conversation)

    assert said.is_error
    assert "call1" in said.text
    assert len(lab.harness.bodies) == 1


async def test_a_key_is_needed(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)
    lab = ResearchClient(harness, await harness.connect())

    said = await lab.start()

    assert said.is_error
    assert said.text.startswith("There is no Gemini API key.")
    assert (await lab.client.history(kind="research")).text.startswith("There is no research here.")


# -- ids ------------------------------------------------------------------------------------


async def test_the_research_tools_refuse_what_is_not_a_research_by_name(
    lab: ResearchClient,
) -> None:
    report = await lab.report()
    answer = await lab.client.follow("In one sentence?", conversation_id=report.id)
    picture = await lab.client.call("gemini_generate_image", prompt="A stork")
    others = [answer.conversation, answer.id, picture.facts["image_id"], report.interaction]
    tools = ["approve_research_plan", "check_research", "cancel_research"]

    for tool in tools:
        for id in others:
            said = await lab.client.call(tool, research_id=id)

            assert said.is_error
            assert said.text == (
                f"{id} is not a research. Research ids look like r_4k9x2m7q0z; "
                'gemini_history with kind "research" lists them.'
            )


async def test_the_research_tools_take_any_id_of_a_turn_that_is_a_research(
    lab: ResearchClient,
) -> None:
    report = await lab.report()
    (chart,) = [file.stem[-12:] for file in lab.files if file.suffix == ".png"]

    for id in (report.conversation, f"{report.conversation}/1", chart):
        assert (await lab.check(id)).text == report.text
        assert (await lab.cancel(id)).text.startswith("There was nothing to cancel: the research")


async def test_a_plan_is_approved_by_its_turn_and_leads_to_its_research_ever_after(
    lab: ResearchClient,
) -> None:
    plan = await lab.plan()
    place = plan.conversation
    other = await lab.start("What do storks eat?", conversation_id=f"{place}/1")

    await lab.approve(f"{place}/1", "Only Zürich.")
    await lab.ended(plan.id)
    await lab.approve(place)
    report = await lab.ended(plan.id)

    assert report.status == "completed"
    for turn in (1, 3, 4):
        assert (await lab.check(f"{place}/{turn}")).text == report.text
    assert (await lab.check(f"{place}/2")).id == other.id != plan.id


async def test_somebody_elses_conversation_is_unknown_to_the_research_tools(
    lab: ResearchClient,
) -> None:
    said = await lab.check("c_0000000000")

    assert said.text.startswith("There is no conversation 'c_0000000000' here.")


async def test_a_research_can_be_named_wherever_an_id_goes(lab: ResearchClient) -> None:
    report = await lab.report()

    result = await lab.client.result(report.id)
    followed = await lab.client.follow("In one sentence?", conversation_id=report.id)
    transcript = await lab.client.history(id=report.id)
    picture = await lab.client.call(
        "gemini_generate_image", prompt="A stork", conversation_id=report.id
    )

    assert result.text == report.text.replace("check_research with", "gemini_result with")
    assert (followed.conversation, followed.turn) == (report.conversation, 2)
    assert transcript.text.startswith("## Turn 1 (completed")
    assert (picture.conversation, picture.turn) == (report.conversation, 3)
    chain = lab.harness.control.chain(followed.interaction)
    assert chain == [report.interaction, followed.interaction]


async def test_the_default_is_the_research_this_session_had_last(lab: ResearchClient) -> None:
    nothing = await lab.check()
    first, second = await lab.start("One?"), await lab.start("Two?")
    latest = await lab.check()
    await lab.check(first.id)

    assert (await lab.check()).id == first.id
    assert latest.id == second.id
    assert nothing.is_error
    assert nothing.text == (
        "There is no research in this session to look at. Pass `research_id`; gemini_history "
        'with kind "research" lists them.'
    )


async def test_there_is_no_default_after_researches_that_were_started_side_by_side(
    lab: ResearchClient,
) -> None:
    gates = [lab.harness.control.hold_next("create", "before_response") for _ in range(2)]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lab.start, "One?")
        tasks.start_soon(lab.start, "Two?")
        for gate in gates:
            assert await gate.reached()
        lab.harness.clock.advance(1)
        for gate in gates:
            gate.release()

    said = await lab.check()

    assert said.is_error
    assert masked(said.text) == (
        "Several researches of this session were started side by side, so there is no default. "
        "Pass `research_id`: r_…, r_…."
    )


async def test_history_lists_researches_by_what_was_asked(lab: ResearchClient) -> None:
    report = await lab.report()
    plan = await lab.plan("Why do storks clatter?")
    await lab.ended((await lab.approve(plan.id)).id)
    running = await lab.start("Where do they winter?")

    all_of_them = await lab.client.history(kind="research")
    found = await lab.client.history(kind="research", query="CLATTER")

    lines = all_of_them.piece.splitlines()
    assert [line.split(" · ")[0] for line in lines] == [running.id, plan.id, report.id]
    assert lines[0].endswith(' · running · "Where do they winter?"')
    assert lines[1].endswith('UTC · "Why do storks clatter?"')
    assert lines[2].endswith(f'UTC · "{QUESTION}"')
    assert found.piece.splitlines() == [lines[1]]


# -- asked twice ----------------------------------------------------------------------------


async def test_the_same_question_again_joins_the_run_it_started(lab: ResearchClient) -> None:
    first = await lab.start()

    second = await lab.start()
    third = await lab.start()

    assert (second.id, third.id) == (first.id, first.id)
    assert "An identical earlier call had started this; nothing was sent twice." in second.text
    assert len(lab.harness.bodies) == 1


async def test_it_is_joined_as_long_as_somebody_asks_within_ten_minutes(
    lab: ResearchClient,
) -> None:
    first = await lab.start()
    for _ in range(3):
        lab.harness.clock.advance(500)
        assert (await lab.start()).id == first.id

    lab.harness.clock.advance(601)
    later = await lab.start()

    assert later.id != first.id
    assert len(lab.harness.bodies) == 2


async def test_what_was_read_is_not_joined(lab: ResearchClient) -> None:
    report = await lab.report()

    again = await lab.start()

    assert again.id != report.id
    assert len(lab.harness.bodies) == 2


async def test_a_report_nobody_has_read_answers_the_same_question_once(lab: ResearchClient) -> None:
    first = await lab.start()
    lab.harness.clock.advance(300)
    lab.harness.control.finish(first.interaction, "# Storks\n\nMany.")
    reader = await lab.harness.connect()
    while (await reader.history(kind="research")).piece.count("running"):
        await anyio.sleep(0.01)

    joined = await lab.start()
    again = await lab.start()

    assert (joined.id, joined.status) == (first.id, "completed")
    assert joined.piece.startswith("# Storks")
    assert again.id != first.id
