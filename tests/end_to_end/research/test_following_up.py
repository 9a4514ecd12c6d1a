"""Following up: questions about a report, as long as it is kept anywhere."""

from __future__ import annotations

from tests.support.app_harness import mask_ids
from tests.support.research_client import QUESTION, ResearchClient


async def test_a_model_answers_questions_about_the_report(researcher: ResearchClient) -> None:
    report = await researcher.report()

    said = await researcher.client.follow("What percent is the answer?", conversation_id=report.id)

    assert said.status == "completed"
    assert "percent" in said.piece
    assert researcher.harness.last == {
        "model": "gemini-3.8-flash",
        "input": "What percent is the answer?",
        "generation_config": {"thinking_summaries": "auto"},
        "previous_interaction_id": report.interaction,
        "stream": True,
    }


async def test_a_research_may_follow_a_research(researcher: ResearchClient) -> None:
    report = await researcher.report()

    second = await researcher.report("And in Basel?", conversation_id=report.id)

    assert second.id != report.id
    assert (second.conversation, second.turn) == (report.conversation, 2)
    assert researcher.harness.last["previous_interaction_id"] == report.interaction


async def test_a_running_research_is_no_place_to_continue_from(researcher: ResearchClient) -> None:
    running = await researcher.start()

    said = await researcher.client.follow("Well?", conversation_id=running.id)

    assert said.is_error
    assert mask_ids(said.text).startswith(
        "c_…/1 is still running, so nothing can branch from it yet"
    )


async def test_what_failed_is_passed_over_and_that_is_said(researcher: ResearchClient) -> None:
    first = await researcher.client.ask("My name is Ada.")
    researcher.harness.control.research_next("failed")
    failed = await researcher.ended((await researcher.start(conversation_id=first.conversation)).id)

    said = await researcher.client.follow("What is my name?", conversation_id=failed.id)

    assert said.piece == "Your name is Ada."
    assert "Turn 2 failed: this continues from turn 1." in said.tail


async def test_a_plan_can_be_talked_about_and_still_be_approved(researcher: ResearchClient) -> None:
    plan = await researcher.plan()

    said = await researcher.client.follow("Is that wise?", conversation_id=plan.id)
    await researcher.approve(plan.id)
    report = await researcher.ended(plan.id)

    assert said.status == "completed"
    assert report.status == "completed"
    assert researcher.harness.control.chain(report.interaction) == [
        plan.interaction,
        report.interaction,
    ]


async def test_after_google_has_forgotten_a_report_its_words_are_told_again(
    researcher: ResearchClient,
) -> None:
    report = await researcher.report()
    researcher.harness.clock.advance(60 * 24 * 3600)
    researcher.harness.control.expire_all()
    later = await researcher.harness.connect()

    said = await later.follow("What percent is the answer?", conversation_id=report.id)

    asked, *answered, again = researcher.harness.last["input"]
    assert asked["content"] == [{"type": "text", "text": QUESTION}]
    assert {step["type"] for step in answered} == {"model_output"}
    told = [part for step in answered for part in step["content"]]
    assert {part["type"] for part in told} == {"text"}
    assert "## Summary" in told[0]["text"]
    assert "## Outlook" in told[-1]["text"]
    assert again["content"] == [{"type": "text", "text": "What percent is the answer?"}]
    assert said.status == "completed"
    assert "percent" in said.piece
    assert (
        "Google had forgotten this conversation; it was rebuilt from the copy kept here before "
        "asking. Could not be sent again: image."
    ) in said.tail


async def test_a_research_in_a_conversation_google_has_forgotten_is_told_it_again(
    researcher: ResearchClient,
) -> None:
    first = await researcher.client.ask("My name is Ada.")
    researcher.harness.clock.advance(60 * 24 * 3600)
    researcher.harness.control.expire_all()

    report = await researcher.ended((await researcher.start(conversation_id=first.conversation)).id)

    assert report.status == "completed"
    assert "it was rebuilt from the copy kept here" in report.tail
    assert [
        step["type"] for step in researcher.harness.last["input"] if step["type"] != "thought"
    ] == [
        "user_input",
        "model_output",
        "user_input",
    ]
    assert researcher.harness.last["input"][-1]["content"] == [{"type": "text", "text": QUESTION}]
