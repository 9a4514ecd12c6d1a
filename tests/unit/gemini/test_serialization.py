"""Our calls become what the SDK takes; answers become our words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_interactions.domain.errors import BadArgument, Garbled
from gemini_interactions.domain.types import CreateRequest, Interaction, Problem, Usage
from gemini_interactions.gemini import serialization
from gemini_interactions.gemini.serialization import Model
from tests.support.samples import SAMPLES


def answer(name: str) -> Interaction:
    return serialization.interaction(
        json.loads((SAMPLES / f"interaction_{name}.json").read_text("utf-8"))
    )


def test_a_plain_call_says_no_more_than_it_must() -> None:
    assert serialization.create(CreateRequest(input="Hi", model="gemini-3.8-flash")) == {
        "input": "Hi",
        "model": "gemini-3.8-flash",
        "generation_config": {"thinking_summaries": "auto"},
    }


def test_everything_a_model_call_remembers_is_sent() -> None:
    call = CreateRequest(
        input=[{"type": "text", "text": "Hi"}],
        model="gemini-3.8-flash",
        previous_interaction_id="v1_a-B_9",
        system_instruction="Be brief.",
        thinking="low",
        tools=({"type": "google_search"},),
        response_format={"type": "text"},
        store=False,
        background=True,
    )

    assert serialization.create(call) == {
        "input": [{"type": "text", "text": "Hi"}],
        "model": "gemini-3.8-flash",
        "previous_interaction_id": "v1_a-B_9",
        "system_instruction": "Be brief.",
        "generation_config": {"thinking_level": "low", "thinking_summaries": "auto"},
        "tools": [{"type": "google_search"}],
        "response_format": {"type": "text"},
        "store": False,
        "background": True,
    }


def test_an_agent_gets_neither_generation_config_nor_system_instruction() -> None:
    call = CreateRequest(
        input="Research X",
        agent="deep-research-preview-04-2026",
        agent_config={"type": "deep-research"},
        system_instruction="Be brief.",
        thinking="high",
        background=True,
    )

    assert serialization.create(call) == {
        "input": "Research X",
        "agent": "deep-research-preview-04-2026",
        "agent_config": {"type": "deep-research"},
        "background": True,
    }


def test_an_image_call_asks_for_no_summaries_since_they_hold_draft_images() -> None:
    call = CreateRequest(
        input="A cat", model="m", response_format=[{"type": "text"}, {"type": "image"}]
    )

    assert "generation_config" not in serialization.create(call)


@pytest.mark.parametrize("id", ["", "../files/abc", "a?x#y", "a/b", "ä", "v1_a\n", "x" * 257])
def test_nothing_but_an_id_gets_into_a_url(id: str) -> None:
    with pytest.raises(BadArgument):
        serialization.interaction_id(id)


def test_a_step_sent_again_lacks_nothing_the_sdk_insists_on() -> None:
    steps: list[dict[str, Any]] = [
        {"type": "google_search_call", "id": "g", "arguments": None},
        {"type": "google_search_result", "call_id": "g", "signature": "s"},
        {"type": "brand_new_step", "foo": 1},
    ]

    assert serialization.create(CreateRequest(input=steps, model="m"))["input"] == [
        {"type": "google_search_call", "id": "g", "arguments": {}},
        {"type": "google_search_result", "call_id": "g", "signature": "s", "result": []},
        {"type": "brand_new_step", "foo": 1},
    ]
    assert steps[0]["arguments"] is None


def part(**interaction: Any) -> dict[str, Any]:
    standard = {"id": "v1_a", "status": "requires_continuation", "continuation_token": "t"}
    return {"interaction": {**standard, **interaction}}


def test_going_on_sends_the_token_instead_of_the_input() -> None:
    assert serialization.continuation({"input": "Hi", "model": "m"}, part()) == {
        "model": "m",
        "continuation_token": "t",
        "previous_interaction_id": "v1_a",
    }


def test_going_on_with_nothing_stored_sends_the_input_again() -> None:
    sent = {"input": "Hi", "model": "m", "store": False}

    assert serialization.continuation(sent, part(id="")) == {**sent, "continuation_token": "t"}


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        ({"model": "m"}, part(status="completed")),
        ({"model": "m"}, part(continuation_token=None)),
        ({"model": "m"}, {}),
        ({"model": "m", "continuation_token": "t"}, part()),
        ({"agent": "a"}, part()),
        ({"model": "m", "background": True}, part()),
    ],
)
def test_there_is_not_always_something_to_go_on_with(
    sent: dict[str, Any], event: dict[str, Any]
) -> None:
    assert serialization.continuation(sent, event) == {}


def test_an_answer_in_one_piece_keeps_its_steps_as_they_came() -> None:
    assert answer("text") == Interaction(
        id="v1_text",
        service_tier="standard",
        status="completed",
        steps=(
            {
                "type": "thought",
                "summary": [{"type": "text", "text": "thinking"}],
                "signature": "c2lnLWJ5dGVz",
            },
            {"type": "model_output", "content": [{"type": "text", "text": "Hello"}]},
        ),
        usage=Usage(input=11, output=90, thought=245, total=346),
        model="gemini-3.8-flash",
    )


def test_steps_of_kinds_nobody_knows_pass_untouched() -> None:
    step = {"type": "brand_new_step", "nested": [{"a": None}]}

    assert serialization.interaction(
        {"id": "v1_a", "status": "odd", "steps": [step]}
    ) == Interaction(id="v1_a", status="odd", steps=(step,))


def test_a_failed_answer_says_why() -> None:
    failed = answer("failed")

    assert failed.status == "failed"
    assert failed.agent == "deep-research-preview-04-2026"
    assert failed.errors[0].code == "internal"


def test_a_run_just_begun_has_no_steps_and_no_usage() -> None:
    begun = answer("bg_created")

    assert (begun.id, begun.status, begun.steps, begun.usage) == ("v1_dr", "in_progress", (), None)


@pytest.mark.parametrize("status", [None, 7])
def test_a_missing_status_is_tolerated(status: object) -> None:
    assert serialization.interaction({"id": "v1_a", "status": status}).status == ""


def test_an_environment_is_kept() -> None:
    environment = {"id": "v1_a", "status": "completed", "environment_id": "0f8e"}

    assert serialization.interaction(environment).environment_id == "0f8e"


def test_errors_of_odd_shapes_are_read_as_far_as_they_go() -> None:
    errors = [{"code": 13, "message": None}, {}, "x"]

    read = serialization.interaction({"id": "v1_a", "errors": errors}).errors
    assert read == (Problem("13"), Problem(""))


@pytest.mark.parametrize("body", [[], "text", None, 7, {}, {"foo": 1}])
def test_what_is_no_interaction_is_garbled(body: object) -> None:
    with pytest.raises(Garbled):
        serialization.interaction(body)


def test_a_listed_model_loses_its_prefix() -> None:
    listed = SimpleNamespace(
        name="models/gemini-3.8-flash",
        display_name="Flash",
        description=None,
        input_token_limit=10,
        output_token_limit=None,
    )

    assert serialization.model(listed) == Model("gemini-3.8-flash", "Flash", input_tokens=10)
