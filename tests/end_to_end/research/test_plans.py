"""Plans: made first, revised as often as somebody likes, then carried out once."""

from __future__ import annotations

import anyio

from tests.support.app_harness import mask_ids
from tests.support.research_client import QUESTION, REMOTE, ResearchClient

PLANNING = {
    "type": "deep-research",
    "thinking_summaries": "auto",
    "collaborative_planning": True,
}
CARRIED_OUT = {"type": "deep-research", "thinking_summaries": "auto"}


async def test_a_plan_is_shown_with_what_to_do_next(researcher: ResearchClient) -> None:
    said = await researcher.plan()

    assert researcher.harness.last["agent_config"] == PLANNING
    assert said.status == "plan_ready"
    assert not said.is_error
    assert said.piece.startswith(f"# Research plan: {QUESTION}")
    assert mask_ids(said.tail).startswith(
        "Show this plan to the user. Then call approve_research_plan with research_id "
        '"r_…" to run it, or with `changes` to have it revised.\n'
    )


async def test_a_plan_is_no_report_and_no_file(researcher: ResearchClient) -> None:
    await researcher.plan()

    assert researcher.files == []


async def test_a_plan_is_revised_as_often_as_wished_and_then_run(
    researcher: ResearchClient,
) -> None:
    plan = await researcher.plan(report_format="One page.")
    seen = [plan]
    for changes in ("Only Zürich.", "Ask ornithologists.", "Back to 1950."):
        running = await researcher.approve(plan.id, changes)
        assert "The plan is being made" in running.text
        seen.append(await researcher.ended(plan.id))
    running = await researcher.approve(plan.id)
    report = await researcher.ended(plan.id)

    assert [said.status for said in seen] == ["plan_ready"] * 4
    assert {said.id for said in (*seen, running, report)} == {plan.id}
    assert [said.turn for said in (*seen, report)] == [1, 2, 3, 4, 5]
    assert "As you asked: Back to 1950." in seen[-1].piece
    assert "As you asked: Ask ornithologists." in report.piece
    assert report.status == "completed"
    assert [body["agent_config"] for body in researcher.harness.bodies] == [
        *[PLANNING] * 4,
        CARRIED_OUT,
    ]
    assert researcher.harness.control.chain(report.interaction) == [
        said.interaction for said in (*seen, report)
    ]
    assert researcher.harness.last["input"] == (
        "Format of the report: One page.\n\nThe plan is approved. Carry it out."
    )


async def test_the_report_of_a_plan_has_the_questions_name(researcher: ResearchClient) -> None:
    researcher.harness.control.answer_when("The plan is approved", "Ten pairs, since 1950.")
    plan = await researcher.plan()
    await researcher.approve(plan.id)

    report = await researcher.ended(plan.id)

    assert report.piece == f"# {QUESTION}\n\nTen pairs, since 1950."
    assert [file.name for file in researcher.files] == [
        f"how-many-storks-nest-in-zurich-and-why-{plan.id}.md"
    ]


async def test_depth_and_tools_stay_those_of_the_plan(researcher: ResearchClient) -> None:
    client = await researcher.harness.connect(remote_tools=("mcp.example.com",))
    researcher = ResearchClient(researcher.harness, client)
    plan = await researcher.plan(depth="max", tools=[REMOTE])
    await researcher.approve(plan.id)

    plan_body, run_body = researcher.harness.bodies
    assert run_body["agent"] == plan_body["agent"] == "deep-research-max-preview-04-2026"
    assert run_body["tools"] == plan_body["tools"] == [REMOTE]


async def test_a_plan_whose_headers_are_gone_is_refused_before_anything_is_sent(
    researcher: ResearchClient,
) -> None:
    one = ResearchClient(
        researcher.harness, await researcher.harness.connect(remote_tools=("mcp.example.com",))
    )
    plan = await one.plan(tools=[REMOTE])
    another = ResearchClient(
        researcher.harness, await researcher.harness.connect(remote_tools=("mcp.example.com",))
    )

    said = await another.approve(plan.id)

    assert said.is_error
    assert said.text == (
        "The headers of this plan's MCP servers are kept in memory only, and are gone since this "
        "server was restarted. Start the research again with start_deep_research and `tools`."
    )
    assert (await another.check(plan.id)).status == "plan_ready"


async def test_a_plan_whose_server_is_not_allowed_any_more_is_refused_for_that(
    researcher: ResearchClient,
) -> None:
    one = ResearchClient(
        researcher.harness, await researcher.harness.connect(remote_tools=("mcp.example.com",))
    )
    plan = await one.plan(tools=[REMOTE])

    said = await researcher.approve(plan.id)

    assert said.is_error
    assert "mcp.example.com is not allowed here" in said.text


async def test_two_calls_at_once_run_a_plan_once(researcher: ResearchClient) -> None:
    plan = await researcher.plan()
    others = [
        ResearchClient(researcher.harness, await researcher.harness.connect()) for _ in range(2)
    ]
    answers = []

    async def approve(researcher: ResearchClient) -> None:
        answers.append(await researcher.approve(plan.id))

    async with anyio.create_task_group() as tasks:
        for each in (researcher, *others):
            tasks.start_soon(approve, each)

    assert sorted(said.is_error for said in answers) == [False, True, True]
    assert len(researcher.harness.bodies) == 2


async def test_a_plan_can_be_run_again_where_its_run_ended_badly(
    researcher: ResearchClient,
) -> None:
    plan = await researcher.plan()
    researcher.harness.control.research_next("failed", errors=[])
    await researcher.approve(plan.id)
    failed = await researcher.ended(plan.id)

    await researcher.approve(plan.id)
    report = await researcher.ended(plan.id)

    assert failed.status == "failed"
    assert mask_ids(failed.tail).startswith(
        "Gemini ended this research without a result and gave no reason.\n"
        'Call approve_research_plan with research_id "r_…" again if its plan is still wanted.\n'
    )
    assert report.status == "completed"
    assert researcher.harness.control.chain(report.interaction) == [
        plan.interaction,
        report.interaction,
    ]


async def test_a_plan_google_has_forgotten_is_carried_out_from_our_copy(
    researcher: ResearchClient,
) -> None:
    plan = await researcher.plan()
    researcher.harness.clock.advance(3 * 24 * 3600)
    researcher.harness.control.expire_all()

    await researcher.approve(plan.id)
    report = await researcher.ended(plan.id)

    said = [step["content"][0]["text"] for step in researcher.harness.last["input"]]
    assert said == [QUESTION, plan.piece, "The plan is approved. Carry it out."]
    assert report.status == "completed"
    assert "Google had forgotten this conversation; it was rebuilt" in report.tail


async def test_each_turn_of_a_research_has_a_number(researcher: ResearchClient) -> None:
    plan = await researcher.plan()
    await researcher.approve(plan.id, "Only Zürich.")
    revision = await researcher.ended(plan.id)
    await researcher.approve(plan.id)
    report = await researcher.ended(plan.id)

    said = [await researcher.check(f"{plan.id}/{n}") for n in (1, 2, 3)]
    missing = await researcher.check(f"{plan.id}/4")

    assert [each.status for each in said] == ["plan_ready", "plan_ready", "completed"]
    assert [each.piece for each in said] == [plan.piece, revision.piece, report.piece]
    assert (await researcher.client.result(f"{plan.id}/1")).piece == plan.piece
    assert missing.is_error
    assert f"There is no research '{plan.id}/4' here." in missing.text
