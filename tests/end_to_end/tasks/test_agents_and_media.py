"""Agents, videos, speech and music as tasks."""

from __future__ import annotations

import pytest

from gemini_interactions.config.setting_values import TOOLSETS
from tests.support.app_harness import AppHarness
from tests.support.research_client import RUN
from tests.support.task_client import TaskClient, in_process

AT_ONCE = [
    ("gemini_run_agent", {"prompt": "Write notes.md with hello"}),
    ("gemini_generate_video", {"prompt": "A stork lands."}),
]
WHERE_SLOW = [
    ("gemini_generate_speech", {"text": "Storks."}, "audio_id"),
    ("gemini_generate_music", {"prompt": "A march of storks."}, "audio_id"),
]


@pytest.fixture
async def client(harness: AppHarness) -> TaskClient:
    return await in_process(harness, toolsets=TOOLSETS, task_after_seconds=0.05)


@pytest.mark.parametrize(("tool", "arguments"), AT_ONCE)
async def test_what_runs_at_google_is_a_task_at_once(
    client: TaskClient, harness: AppHarness, tool: str, arguments: dict[str, str]
) -> None:
    id = await client.task(tool, **arguments)
    while not (await client.use("gemini_result", id=id)).facts.get("interaction_id"):
        pass
    harness.clock.advance(RUN + 100)

    said = await client.result(id)

    assert said.id == id
    assert said.status == "completed"
    again = await client.use("gemini_result", id=id)
    assert (said.raw.content, said.facts) == (again.raw.content, again.facts)
    assert len(harness.bodies) == 1


@pytest.mark.parametrize(("tool", "arguments"), AT_ONCE)
async def test_cancelling_it_reaches_google(
    client: TaskClient, harness: AppHarness, tool: str, arguments: dict[str, str]
) -> None:
    harness.control.hold_background()
    id = await client.task(tool, **arguments)

    await client.cancel(id)
    task = await client.until(id)

    assert task["status"] == "cancelled"
    assert [each for each in harness.control.log if each.kind == "cancel"]


@pytest.mark.parametrize(("tool", "arguments", "made"), WHERE_SLOW)
async def test_a_file_that_takes_long_is_a_task(
    client: TaskClient, harness: AppHarness, tool: str, arguments: dict[str, str], made: str
) -> None:
    # Speech is asked for twice: one version of the API does not have its model.
    gates = [harness.control.hold_next(), harness.control.hold_next()]
    id = await client.task(tool, **arguments)
    for gate in gates:
        gate.release()

    said = await client.result(id)

    assert said.status == "completed"
    assert said.facts[made]
