"""Runs in the background, and what becomes of interactions afterwards."""

from datetime import UTC, datetime

import pytest
from google.genai._interactions import BadRequestError, NotFoundError

from gemini_emulator import Answer, Emulator, EmulatorControl
from gemini_emulator.api_errors import ApiError
from tests.emulator.constants import MODEL


async def start(gemini, prompt="Hi", **options):
    return await gemini.create(model=MODEL, input=prompt, background=True, **options)


async def test_a_background_create_returns_at_once_and_is_done_at_the_next_look(gemini):
    made = await start(gemini, "My name is Phil")
    got = await gemini.get(made.id)

    assert (made.status, made.steps) == ("in_progress", [])
    assert got.status == "completed"
    assert "Phil" in got.output_text


async def test_a_run_takes_its_time_on_the_clock(gemini, control: EmulatorControl):
    control.background_seconds = 60
    made = await start(gemini)
    statuses = [(await gemini.get(made.id)).status]
    control.advance(59)
    statuses.append((await gemini.get(made.id)).status)
    control.advance(1)
    statuses.append((await gemini.get(made.id)).status)

    assert statuses == ["in_progress", "in_progress", "completed"]


async def test_a_scripted_delay_makes_a_run_longer(gemini, control: EmulatorControl):
    control.answer_next(Answer("Done.", delay=30))
    made = await start(gemini)
    control.advance(29)
    early = await gemini.get(made.id)
    control.advance(1)

    assert early.status == "in_progress"
    assert (await gemini.get(made.id)).output_text == "Done."


async def test_a_clock_may_be_handed_in(emulator: Emulator, gemini, control):
    times = [datetime(2030, 1, 1, tzinfo=UTC)]
    emulator.control = EmulatorControl(clock=lambda: times[-1].timestamp())
    emulator.control.background_seconds = 60
    made = await start(gemini)
    times.append(datetime(2030, 1, 1, 0, 2, tzinfo=UTC))
    got = await gemini.get(made.id)

    assert got.status == "completed"
    assert got.updated.year == 2030 if hasattr(got.updated, "year") else "2030" in got.updated


async def test_a_stream_follows_a_clock_of_its_own(emulator: Emulator, gemini, control):
    times = [0.0]
    emulator.control = EmulatorControl(clock=lambda: times[-1])
    emulator.control.background_seconds = 60
    made = await start(gemini)
    stream = aiter(await gemini.get(made.id, stream=True))
    await anext(stream)
    times.append(61.0)
    events = [event async for event in stream]

    assert events[-1].interaction.status == "completed"


async def test_a_run_cannot_be_continued_before_it_is_over(gemini, control: EmulatorControl):
    control.hold_background()
    made = await start(gemini)

    with pytest.raises(BadRequestError) as refused:
        await gemini.create(model=MODEL, input="And?", previous_interaction_id=made.id)
    control.finish(made.id)
    after = await gemini.create(model=MODEL, input="And?", previous_interaction_id=made.id)

    assert "failed_precondition" in repr(refused.value.body)
    assert after.status == "completed"


async def test_a_held_run_ends_with_what_it_is_told(gemini, control: EmulatorControl):
    control.hold_background()
    made = await start(gemini)
    before = await gemini.get(made.id)
    control.finish(made.id, Answer("As far as I got.", status="budget_exceeded"))
    got = await gemini.get(made.id)

    assert before.status == "in_progress"
    assert before.steps == []
    assert (got.status, got.output_text) == ("budget_exceeded", "As far as I got.")


async def test_a_run_can_fail_with_a_reason_or_without(gemini, control: EmulatorControl):
    control.hold_background()
    first, second, third = [await start(gemini) for _ in range(3)]
    control.fail(first.id)
    control.fail(second.id, "No budget.")
    control.fail(third.id, [])

    errors = [(await gemini.get(made.id)).errors for made in (first, second, third)]
    assert (await gemini.get(first.id)).status == "failed"
    assert errors[0][0].message == "The agent failed."
    assert errors[1][0].message == "No budget."
    assert errors[2] == []


async def test_a_zombie_stays_in_progress_for_ever(gemini, control: EmulatorControl):
    made = await start(gemini)
    control.set_status(made.id, "in_progress")
    control.advance(10**6)

    assert (await gemini.get(made.id)).status == "in_progress"


@pytest.mark.parametrize("status", ["queued", "never_heard_of"])
async def test_a_run_can_have_any_status(gemini, control: EmulatorControl, status):
    control.hold_background()
    made = await start(gemini)
    control.set_status(made.id, status)
    queued = await gemini.get(made.id)
    control.set_status(made.id, "in_progress")
    control.finish(made.id, "Done.")

    assert queued.status == status
    assert (await gemini.get(made.id)).output_text == "Done."


async def test_a_run_can_be_completed_and_empty(gemini, control: EmulatorControl):
    control.hold_background()
    made = await start(gemini)
    control.set_status(made.id, "completed")
    got = await gemini.get(made.id)

    assert (got.status, got.output_text) == ("completed", "")


async def test_finishing_what_is_over_is_a_mistake(gemini, control: EmulatorControl):
    made = await gemini.create(model=MODEL, input="Hi")

    with pytest.raises(ValueError, match="over already"):
        control.finish(made.id, "Again")
    with pytest.raises(KeyError, match="no interaction"):
        control.finish("v1_x", "Hi")


async def test_a_run_can_be_cancelled_once(gemini, control: EmulatorControl):
    control.hold_background()
    made = await start(gemini)
    cancelled = await gemini.cancel(made.id)

    with pytest.raises(BadRequestError) as refused:
        await gemini.cancel(made.id)
    assert cancelled.status == (await gemini.get(made.id)).status == "cancelled"
    assert "failed_precondition" in repr(refused.value.body)
    assert [request.kind for request in control.log] == ["create", "cancel", "cancel", "get"]


async def test_a_cancel_may_show_late(gemini, control: EmulatorControl):
    control.hold_background()
    control.cancel_slowly(2)
    made = await start(gemini)
    statuses = [(await gemini.cancel(made.id)).status]
    statuses += [(await gemini.get(made.id)).status for _ in range(3)]

    assert statuses == ["in_progress", "in_progress", "in_progress", "cancelled"]


async def test_a_foreground_interaction_cannot_be_cancelled(gemini, control: EmulatorControl):
    gate = control.hold_next(point="after_created")
    stream = aiter(await gemini.create(model=MODEL, input="Hi", stream=True))
    created = await anext(stream)

    with pytest.raises(BadRequestError, match="background"):
        await gemini.cancel(created.interaction.id)
    running = await gemini.get(created.interaction.id)
    gate.release()
    events = [event async for event in stream]

    assert running.status == "in_progress"
    assert events[-1].interaction.status == "completed"


async def test_cancelling_the_unknown_is_404(gemini, control: EmulatorControl):
    with pytest.raises(NotFoundError):
        await gemini.cancel(control.unknown_id())


async def test_the_deleted_is_gone_also_for_those_who_want_to_continue(gemini):
    made = await gemini.create(model=MODEL, input="Hi")
    await gemini.delete(made.id)

    with pytest.raises(NotFoundError):
        await gemini.get(made.id)
    with pytest.raises(NotFoundError):
        await gemini.delete(made.id)
    with pytest.raises(NotFoundError):
        await gemini.create(model=MODEL, input="Hi", previous_interaction_id=made.id)


async def test_what_expired_is_gone(gemini, control: EmulatorControl):
    first = await gemini.create(model=MODEL, input="one")
    second = await gemini.create(model=MODEL, input="two")
    control.expire(first.id)

    with pytest.raises(NotFoundError):
        await gemini.get(first.id)
    assert (await gemini.get(second.id)).status == "completed"
    control.expire_all()
    with pytest.raises(NotFoundError):
        await gemini.get(second.id)
    assert control.interaction(second.id)["status"] == "completed"


async def test_the_store_may_lag_by_looks(gemini, control: EmulatorControl):
    control.lag("next", gets=2)
    made = await gemini.create(model=MODEL, input="Hi")

    with pytest.raises(NotFoundError):
        await gemini.get(made.id)
    with pytest.raises(NotFoundError):
        await gemini.create(model=MODEL, input="And?", previous_interaction_id=made.id)
    assert (await gemini.get(made.id)).status == "completed"


async def test_the_store_may_lag_by_seconds(gemini, control: EmulatorControl):
    made = await gemini.create(model=MODEL, input="Hi")
    control.lag(made.id, seconds=5)

    with pytest.raises(NotFoundError):
        await gemini.get(made.id)
    control.advance(5)
    assert (await gemini.get(made.id)).status == "completed"


class Echo:
    """An agent that says what it was asked, and wants to run in the background."""

    def check(self, body):
        if not body.get("background"):
            raise ApiError(400, "Agents are required to use background=true")

    def answer(self, turn):
        return Answer(f"Echo: {turn.prompt}")


async def test_an_agent_can_be_added(gemini, raw, control: EmulatorControl):
    control.service.agents["echo-1"] = Echo()
    made = await gemini.create(agent="echo-1", input="Hi", background=True)
    got = await gemini.get(made.id)
    listed = (await raw.get("/v1/agents")).json()

    with pytest.raises(BadRequestError, match="background=true"):
        await gemini.create(agent="echo-1", input="Hi")
    assert (got.agent, got.output_text) == ("echo-1", "Echo: Hi")
    assert {"id": "echo-1"} in listed["agents"]
