"""Plans before research, and what is said after it: one chain, with and without agents."""

import pytest
from google.genai._interactions import NotFoundError

from gemini_emulator import Answer, EmulatorControl
from tests.emulator.constants import FAST, MODEL

QUESTION = "Why do storks return?"
PLANNING = {"type": "deep-research", "collaborative_planning": True}


async def research(gemini, words, after=None, **config):
    """A turn of the research agent, looked at once it is over."""
    made = await gemini.create(
        agent=FAST,
        input=words,
        background=True,
        agent_config={"type": "deep-research", **config},
        **({"previous_interaction_id": after.id} if after else {}),
    )
    return await gemini.get(made.id)


async def plan(gemini, words, after=None):
    return await research(gemini, words, after, collaborative_planning=True)


async def ask(gemini, words, after=None):
    more = {"previous_interaction_id": after.id} if after else {}
    return await gemini.create(model=MODEL, input=words, **more)


def text_after_input(interaction):
    """The text after the last thing the user said."""
    last = max(i for i, step in enumerate(interaction.steps) if step.type == "user_input")
    outputs = [step for step in interaction.steps[last:] if step.type == "model_output"]
    return "".join(part.text for step in outputs for part in step.content if part.type == "text")


async def test_a_plan_is_the_output_text_and_no_research(gemini):
    planned = await plan(gemini, QUESTION)

    assert planned.status == "completed"
    assert planned.output_text.startswith(f"# Research plan: {QUESTION}\n\n1. ")
    assert {step.type for step in planned.steps} == {"user_input", "model_output"}


async def test_a_plan_takes_a_tenth_of_the_time_of_a_run(gemini, control: EmulatorControl):
    control.research_seconds = 600
    made = await gemini.create(agent=FAST, input=QUESTION, background=True, agent_config=PLANNING)
    control.advance(59)
    early = await gemini.get(made.id)
    control.advance(1)

    assert early.status == "in_progress"
    assert (await gemini.get(made.id)).status == "completed"


async def test_a_plan_is_revised_as_often_as_is_asked(gemini, control: EmulatorControl):
    first = await plan(gemini, QUESTION)
    second = await plan(gemini, "Only in Alsace, s’il te plaît.", first)
    third = await plan(gemini, "And since 1990.", second)

    assert "Alsace" not in first.output_text
    assert "s’il te plaît" in third.output_text
    assert "And since 1990." in third.output_text
    assert "(revision 3)" in third.output_text
    assert control.research(third.id)["question"] == QUESTION
    assert control.research(third.id)["is_plan"]


@pytest.mark.parametrize("config", [{}, {"collaborative_planning": False}])
async def test_an_approved_plan_is_followed(gemini, control: EmulatorControl, config):
    first = await plan(gemini, QUESTION)
    second = await plan(gemini, "Only in Alsace.", first)
    report = await research(gemini, "Go ahead.", second, **config)

    assert text_after_input(report).startswith(f"# {QUESTION}")
    assert "### 5. As you asked: Only in Alsace." in text_after_input(report)
    assert control.research(report.id)["follows"] == second.id


async def test_a_scripted_plan_is_followed_too(gemini, control: EmulatorControl):
    control.answer_next("My plan:\n\n1. Count nests\n2. Ask the neighbours")
    first = await plan(gemini, QUESTION)
    report = await research(gemini, "Yes.", first)

    assert "### 2. Ask the neighbours" in text_after_input(report)


async def test_a_plan_that_is_gone_cannot_be_approved(gemini):
    first = await plan(gemini, QUESTION)
    await gemini.delete(first.id)

    with pytest.raises(NotFoundError):
        await research(gemini, "Yes.", first)


async def test_a_model_answers_from_the_report_before_it(gemini):
    report = await research(gemini, QUESTION)
    about = await ask(gemini, "What suggests a change before 2027?", report)

    assert f"From the report “{QUESTION}”" in about.output_text
    assert "Nothing suggests that this will change before 2027" in about.output_text


async def test_a_model_answers_from_a_scripted_report(gemini, control: EmulatorControl):
    control.answer_next("# Storks\n\nThere are many. The oldest nest stands in Münster.")
    report = await research(gemini, QUESTION)
    about = await ask(gemini, "Where is the oldest nest?", report)

    assert "From the report “Storks”: The oldest nest stands in Münster." in about.output_text


async def test_a_report_replayed_by_the_client_is_remembered_as_well(
    gemini, control: EmulatorControl
):
    report = await research(gemini, QUESTION)
    control.expire_all()
    steps = [step.model_dump(exclude_none=True) for step in report.steps if step.type != "thought"]
    replayed = [*steps, {"type": "user_input", "content": [{"type": "text", "text": "So, why?"}]}]
    about = await gemini.create(model=MODEL, input=replayed)

    assert f"From the report “{QUESTION}”" in about.output_text


async def test_research_in_a_conversation_knows_what_was_said(gemini, control: EmulatorControl):
    before = await ask(gemini, "My garden is in Kehl – on the Rhine.")
    report = await research(gemini, QUESTION, before)
    after = await ask(gemini, "Thanks! Where is my garden?", report)

    assert "My garden is in Kehl – on the Rhine." in text_after_input(report)
    assert control.chain(after.id) == [before.id, report.id, after.id]


async def test_research_after_research_builds_on_it(gemini):
    first = await research(gemini, QUESTION)
    second = await research(gemini, "And cranes?", first)

    assert f"builds on the earlier report “{QUESTION}”" in text_after_input(second)


async def test_a_plan_is_no_report(gemini):
    planned = await plan(gemini, QUESTION)
    about = await ask(gemini, "What do you think?", planned)

    assert "From the report" not in about.output_text


async def test_a_failed_research_can_be_followed_up(gemini, control: EmulatorControl):
    control.research_next("failed")
    failed = await research(gemini, QUESTION)
    after = await ask(gemini, "Never mind.", failed)

    assert failed.status == "failed"
    assert "Never mind." in after.output_text


async def test_a_plan_can_be_wished_for_in_every_way_an_answer_can(
    gemini, control: EmulatorControl
):
    control.answer_next(Answer(status="failed", steps=[], errors=[]))
    failed = await plan(gemini, QUESTION)

    assert (failed.status, failed.errors) == ("failed", [])


async def test_a_plan_replayed_by_the_client_is_followed_as_well(gemini):
    planned = await plan(gemini, "Only in Alsace.", await plan(gemini, QUESTION))
    steps = [step.model_dump(exclude_none=True) for step in planned.steps]
    yes = {"type": "user_input", "content": [{"type": "text", "text": "Go ahead."}]}
    report = await research(gemini, [*steps, yes])

    assert text_after_input(report).startswith(f"# {QUESTION}")
    assert "### 5. As you asked: Only in Alsace." in text_after_input(report)
