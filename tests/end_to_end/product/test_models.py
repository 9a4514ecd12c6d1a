"""Models: aliases, what stands in for models that are gone, and ids nobody here has heard of."""

from __future__ import annotations

import pytest

from tests.support.app_harness import AppHarness, McpClient

DAY = 86_400.0


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("", "gemini-3.8-flash"),
        ("fast", "gemini-3.8-flash"),
        ("pro", "gemini-4-argon"),
        ("lite", "gemini-3.5-flash-lite"),
        (" Pro ", "gemini-4-argon"),
        ("gemini-4-carbon", "gemini-4-carbon"),
        ("models/gemini-4-carbon", "gemini-4-carbon"),
        ("GEMINI-4-CARBON", "gemini-4-carbon"),
    ],
)
async def test_a_model_is_an_alias_or_an_id(
    harness: AppHarness, client: McpClient, said: str, sent: str
) -> None:
    answer = await client.ask("Hello.", model=said)

    assert harness.last["model"] == sent
    assert answer.facts["model"] == sent
    assert f" · {sent} · " in answer.footer
    assert answer.tail == answer.footer


@pytest.mark.parametrize(
    ("retired", "successor"),
    [
        ("gemini-2.0-flash", "gemini-3.8-flash"),
        ("gemini-2.0-flash-lite", "gemini-3.5-flash-lite"),
        ("gemini-1.5-pro", "gemini-3.1-pro-preview"),
        ("gemini-1.5-flash-latest", "gemini-3.8-flash"),
        ("gemini-pro", "gemini-3.1-pro-preview"),
        ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
        ("models/gemini-2.0-flash", "gemini-3.8-flash"),
    ],
)
async def test_a_retired_model_is_replaced_by_its_successor_and_the_answer_says_so(
    harness: AppHarness, client: McpClient, retired: str, successor: str
) -> None:
    said = await client.ask("Hello.", model=retired)

    name = retired.removeprefix("models/")
    assert said.status == "completed"
    assert said.tail.splitlines()[0] == (f"Model {name} is retired; {successor} was used instead.")
    assert harness.last["model"] == successor
    assert said.facts["model"] == successor


async def test_a_substitution_is_told_once_and_remembered(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one", model="gemini-2.0-flash-lite")

    said = await client.follow("two")

    assert harness.last["model"] == "gemini-3.5-flash-lite"
    assert "retired" not in said.text


async def test_a_model_is_replaced_from_the_day_it_ends(
    harness: AppHarness, client: McpClient
) -> None:
    before = await client.ask("one", model="gemini-2.5-flash")
    harness.clock.advance(10 * DAY)

    after = await client.follow("two")

    assert (before.facts["model"], after.facts["model"]) == (
        "gemini-2.5-flash",
        "gemini-3.5-flash-lite",
    )
    assert "Model gemini-2.5-flash is retired" in after.tail


@pytest.mark.parametrize("model", ["gemini-99-ultra", "My-Tuned.Model/7", "publishers/x:y@1"])
async def test_an_unknown_model_is_passed_on_as_it_is(
    harness: AppHarness, client: McpClient, model: str
) -> None:
    said = await client.ask("Hello.", model=model)

    assert harness.last["model"] == model
    assert said.status == "failed"
    assert said.is_error
    assert said.text.startswith("Gemini has no such model. Leave `model` out for the default")


async def test_an_unknown_model_in_a_continue_is_told_at_once(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("one")

    said = await client.follow("two", model="gemini-99-ultra")

    assert said.text.startswith("Gemini has no such model.")
    assert [post.path.split("/")[1] for post in harness.control.posts] == ["v1", "v1", "v1beta"]


async def test_the_default_model_can_be_set(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_MODEL="pro")
    client = await harness.connect()

    await client.ask("Hello.")

    assert harness.last["model"] == "gemini-4-argon"


async def test_models_can_be_mixed_in_one_conversation(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("My name is Ada.", model="lite")
    await client.follow("two", model="pro")

    said = await client.follow("What is my name?", model="gemini-3.1-flash-lite")

    assert said.piece == "Your name is Ada."
    assert [body["model"] for body in harness.bodies] == [
        "gemini-3.5-flash-lite",
        "gemini-4-argon",
        "gemini-3.1-flash-lite",
    ]


@pytest.mark.parametrize("level", ["low", "medium", "high"])
async def test_how_hard_to_think_is_passed_on(
    harness: AppHarness, client: McpClient, level: str
) -> None:
    await client.ask("Hello.", thinking=level)

    assert harness.last["generation_config"]["thinking_level"] == level
