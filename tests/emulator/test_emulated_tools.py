"""Tools: those that run at Google, and functions the client has to run."""

import pytest
from google.genai._interactions import BadRequestError

from gemini_emulator import Answer, EmulatorControl
from tests.emulator.constants import MODEL

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["location"],
    },
}
CLOCK = {"type": "function", "name": "get_time", "parameters": {"type": "object"}}
SERVER_TOOLS = {
    "google_search": {"type": "google_search"},
    "url_context": {"type": "url_context"},
    "code_execution": {"type": "code_execution"},
    "google_maps": {"type": "google_maps"},
    "file_search": {"type": "file_search", "file_search_store_names": ["fileSearchStores/s"]},
    "mcp_server_tool": {"type": "mcp_server", "name": "n", "url": "https://m.test/mcp"},
}


@pytest.mark.parametrize("name", SERVER_TOOLS)
async def test_a_server_tool_is_used_when_it_is_offered(gemini, name):
    answer = await gemini.create(model=MODEL, input="Hi", tools=[SERVER_TOOLS[name]])
    stream = await gemini.create(model=MODEL, input="Hi", tools=[SERVER_TOOLS[name]], stream=True)
    events = [event async for event in stream]

    kinds = ["thought", f"{name}_call", f"{name}_result", "model_output"]
    assert [step.type for step in answer.steps] == kinds
    assert answer.steps[1].id == answer.steps[2].call_id
    assert not any(getattr(step, "is_unknown", False) for step in answer.steps)
    assert [e.step.type for e in events if e.event_type == "step.start"] == kinds
    assert not any(getattr(getattr(e, "delta", None), "is_unknown", False) for e in events)


async def test_citations_point_at_bytes(gemini):
    tools = [{"type": "google_search"}, {"type": "url_context"}]
    answer = await gemini.create(model=MODEL, input="Ünïcödé — was?", tools=tools)

    part = answer.steps[-1].content[0]
    cited = [part.text.encode()[a.start_index : a.end_index].decode() for a in part.annotations]
    assert cited == ["— The web agrees, says example.com.", "— The page was read."]
    assert part.annotations[0].title == "example.com"


async def test_a_search_brings_its_suggestions_and_is_counted(gemini):
    answer = await gemini.create(model=MODEL, input="Hi", tools=[{"type": "google_search"}])

    assert len(answer.steps[2].result[0].search_suggestions) > 4000
    assert answer.usage.grounding_tool_count[0].count == 1
    assert answer.steps[1].signature
    assert answer.steps[2].signature


async def test_the_older_models_tell_of_their_search_after_the_text(gemini):
    answer = await gemini.create(
        model="gemini-2.5-flash", input="Hi", tools=[{"type": "google_search"}]
    )

    assert [step.type for step in answer.steps] == [
        "thought",
        "model_output",
        "google_search_call",
        "google_search_result",
    ]


async def test_urls_of_the_prompt_are_read(gemini):
    answer = await gemini.create(
        model=MODEL, input="Read https://a.test/x, please.", tools=[{"type": "url_context"}]
    )

    assert answer.steps[1].arguments.urls == ["https://a.test/x"]
    assert answer.steps[2].result[0].status == "success"


async def test_functions_named_in_the_prompt_are_called_and_their_results_quoted(gemini):
    tools = [WEATHER, CLOCK]
    prompt = 'Call get_weather for "Paris" and also get time, please.'
    asked = await gemini.create(model=MODEL, input=prompt, tools=tools)
    calls = [step for step in asked.steps if step.type == "function_call"]
    results = [
        {"type": "function_result", "call_id": calls[0].id, "result": {"temp": 21}},
        {
            "type": "function_result",
            "call_id": calls[1].id,
            "name": "get_time",
            "result": [{"type": "text", "text": "no clock"}],
            "is_error": True,
        },
    ]
    answer = await gemini.create(
        model=MODEL, input=results, previous_interaction_id=asked.id, tools=tools
    )

    assert asked.status == "requires_action"
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert calls[0].arguments == {"location": "Paris"}
    assert answer.status == "completed"
    assert answer.output_text == (
        'get_weather returned {"temp": 21}. get_time failed with no clock.'
    )


async def test_the_arguments_of_a_call_are_streamed_in_pieces(gemini):
    stream = await gemini.create(model=MODEL, input="get_weather", tools=[WEATHER], stream=True)
    events = [event async for event in stream]

    start = next(e for e in events if e.event_type == "step.start" and e.index == 1)
    pieces = [e.delta.arguments for e in events if e.event_type == "step.delta" and e.index == 1]
    assert start.step.name == "get_weather"
    assert start.step.arguments == {}
    assert len(pieces) == 2
    assert "".join(pieces) == '{"location": "location"}'
    assert events[-1].interaction.status == "requires_action"


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", []),
        ("none", []),
        ("any", ["get_weather"]),
        ({"allowed_tools": {"mode": "any", "tools": ["get_time"]}}, ["get_time"]),
    ],
)
async def test_tool_choice_is_respected(gemini, choice, called):
    answer = await gemini.create(
        model=MODEL,
        input="Hi",
        tools=[WEATHER, CLOCK],
        generation_config={"tool_choice": choice},
    )

    assert [step.name for step in answer.steps if step.type == "function_call"] == called


async def test_a_stateless_client_replays_calls_and_results(gemini):
    asked = await gemini.create(model=MODEL, input="get_weather", tools=[WEATHER], store=False)
    steps = [
        {"type": "user_input", "content": [{"type": "text", "text": "get_weather"}]},
        *asked.steps,
        {"type": "function_result", "call_id": asked.steps[-1].id, "result": "sunny"},
    ]
    answer = await gemini.create(model=MODEL, input=steps, tools=[WEATHER], store=False)

    assert answer.output_text == "get_weather returned sunny."


@pytest.fixture
async def waiting(gemini):
    """An interaction that waits for two results."""
    return await gemini.create(
        model=MODEL, input="get_weather and get_time", tools=[WEATHER, CLOCK]
    )


async def test_a_result_nobody_waits_for_is_refused(gemini, waiting):
    result = {"type": "function_result", "call_id": "zzzzzzzz", "result": "x"}

    with pytest.raises(BadRequestError, match="zzzzzzzz"):
        await gemini.create(model=MODEL, input=[result], previous_interaction_id=waiting.id)


async def test_all_results_must_come_together(gemini, waiting):
    first, second = [step.id for step in waiting.steps if step.type == "function_call"]
    result = {"type": "function_result", "call_id": first, "result": "x"}

    with pytest.raises(BadRequestError, match=f"missing.*{second}"):
        await gemini.create(model=MODEL, input=[result], previous_interaction_id=waiting.id)


async def test_anything_but_results_is_refused_while_they_are_waited_for(gemini, waiting):
    with pytest.raises(BadRequestError, match="requires action"):
        await gemini.create(model=MODEL, input="Hi", previous_interaction_id=waiting.id)


async def test_results_are_accepted_once(gemini, waiting):
    calls = [step for step in waiting.steps if step.type == "function_call"]
    results = [{"type": "function_result", "call_id": c.id, "result": "x"} for c in calls]
    answer = await gemini.create(model=MODEL, input=results, previous_interaction_id=waiting.id)

    with pytest.raises(BadRequestError):
        await gemini.create(model=MODEL, input=results, previous_interaction_id=answer.id)
    again = await gemini.create(model=MODEL, input="Hi", previous_interaction_id=answer.id)
    assert again.status == "completed"


async def test_calls_may_come_with_a_completed_status_or_without_an_id(
    gemini, control: EmulatorControl
):
    call = {"type": "function_call", "id": "", "name": "get_time", "arguments": {}}
    control.answer_next(Answer(steps=[call], status="completed"))
    asked = await gemini.create(model=MODEL, input="Hi", tools=[CLOCK])
    result = {"type": "function_result", "call_id": "", "result": "noon"}
    answer = await gemini.create(model=MODEL, input=[result], previous_interaction_id=asked.id)

    assert answer.output_text == "get_time returned noon."


async def test_a_google_call_is_answered_with_an_empty_result(gemini, control: EmulatorControl):
    call = {"type": "function_call", "id": "g1", "name": "google:search", "arguments": {}}
    control.answer_next(Answer(steps=[call], status="requires_action"))
    asked = await gemini.create(model=MODEL, input="Hi", tools=[{"type": "google_search"}])
    control.answer_next("Found it.")
    result = {"type": "function_result", "call_id": "g1", "result": ""}
    answer = await gemini.create(model=MODEL, input=[result], previous_interaction_id=asked.id)

    assert answer.output_text == "Found it."
