"""The emulated models: what they answer when nobody told them, and what they remember."""

import base64
import json

import httpx2
import jsonschema
import pytest

from gemini_emulator import Emulator, EmulatorControl
from tests.emulator.constants import MODEL


async def say(gemini, prompt, after=None, **options):
    if after is not None:
        options["previous_interaction_id"] = after.id
    return await gemini.create(model=MODEL, input=prompt, **options)


async def test_a_name_is_remembered_along_the_chain(gemini):
    first = await say(gemini, "Hello. My name is Phil.")
    second = await say(gemini, "How are you?", first)
    third = await say(gemini, "What is my name?", second)

    assert "Phil" in first.output_text
    assert third.output_text == "Your name is Phil."


async def test_what_was_never_said_is_not_known(gemini):
    other = await say(gemini, "My name is Phil")
    asked = await say(gemini, "What's my name?")

    assert other.status == asked.status == "completed"
    assert "I do not know your name" in asked.output_text


@pytest.mark.parametrize(
    ("told", "asked", "expected"),
    [
        ("Please remember the word banana.", "What was the word?", "banana"),
        ("Remember the number 4711", "What was the number I told you?", "4711"),
        ("Remember this word: kiwi", "What is the word?", "kiwi"),
        ("The secret word is plum.", "What was the secret word?", "plum"),
        ("remember the secret word zebra", "What was the secret word?", "zebra"),
        ("My favourite colour is dark teal.", "What is my favourite colour?", "dark teal"),
        ("Remember Rosebud", "What did I ask you to remember?", "Rosebud"),
        ("Remember the word fig", "Do you remember the word I gave you?", "fig"),
    ],
)
async def test_things_told_can_be_asked_for_a_turn_later(gemini, told, asked, expected):
    first = await say(gemini, told)
    second = await say(gemini, asked, first)

    assert expected in second.output_text


async def test_a_question_about_the_world_is_no_matter_of_memory(gemini):
    answer = await say(gemini, "What is the capital of France?")

    assert answer.output_text.startswith('You said: "What is the capital of France?".')


async def test_what_is_told_and_asked_in_one_breath_is_known(gemini):
    answer = await say(gemini, "My name is Phil. What is my name?")

    assert answer.output_text == "Your name is Phil."


async def test_a_replayed_history_is_remembered_without_any_chain(gemini):
    steps = [
        {"type": "user_input", "content": [{"type": "text", "text": "My name is Phil"}]},
        {"type": "thought", "signature": "c2ln"},
        {"type": "model_output", "content": [{"type": "text", "text": "Hello Phil"}]},
        {"type": "user_input", "content": [{"type": "text", "text": "What is my name?"}]},
    ]
    with_signature = await gemini.create(model=MODEL, input=steps, store=False)
    del steps[1]
    without = await gemini.create(model=MODEL, input=steps, store=False)

    assert with_signature.output_text == without.output_text == "Your name is Phil."


async def test_anything_else_is_quoted_with_the_number_of_the_turn(gemini):
    first = await say(gemini, "Good morning")
    second = await say(gemini, "and good night", first)

    assert first.output_text == 'You said: "Good morning". This is turn 1 of our conversation.'
    assert second.output_text == 'You said: "and good night". This is turn 2 of our conversation.'


async def test_attachments_are_mentioned(gemini):
    image = {"type": "image", "mime_type": "image/png", "data": base64.b64encode(b"x").decode()}
    answer = await say(gemini, [{"type": "text", "text": "Look"}, image])

    assert "image (image/png)" in answer.output_text


async def test_equal_runs_give_equal_ids_and_usage(
    emulator: Emulator, control: EmulatorControl, gemini
):
    first = await say(gemini, "Hi")
    emulator.control = EmulatorControl()
    second = await say(gemini, "Hi")

    assert first.id == second.id
    assert first.usage == second.usage


async def test_ids_look_like_googles_and_a_chain_shares_its_root(gemini, control: EmulatorControl):
    first = await say(gemini, "one")
    second = await say(gemini, "two", first)

    def halves(interaction_id):
        text = interaction_id.removeprefix("v1_")
        message = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        assert message[:2] == b"\n\x17"
        assert message[25:27] == b"\x12\x17"
        return message[2:25], message[27:]

    assert halves(first.id)[0] == halves(first.id)[1] == halves(second.id)[0]
    assert halves(second.id)[1] != halves(first.id)[1]
    assert control.chain(second.id) == [first.id, second.id]


async def test_usage_adds_up_and_grows_with_the_context(gemini):
    first = await say(gemini, "one")
    second = await say(gemini, "two", first)

    for usage in (first.usage, second.usage):
        parts = usage.total_input_tokens + usage.total_output_tokens + usage.total_thought_tokens
        assert usage.total_tokens == parts
    assert second.usage.total_input_tokens > first.usage.total_input_tokens


async def test_thinking_summaries_come_when_asked_for(gemini):
    without = await say(gemini, "Hi")
    config = {"thinking_summaries": "auto", "thinking_level": "high"}
    summed = await say(gemini, "Hi", generation_config=config)

    assert without.steps[0].summary is None
    assert without.steps[0].signature
    assert summed.steps[0].summary[0].text
    assert summed.steps[0].signature
    assert summed.usage.total_thought_tokens > without.usage.total_thought_tokens


async def test_an_answer_over_the_limit_of_tokens_is_incomplete(gemini):
    answer = await say(gemini, "Hello there", generation_config={"max_output_tokens": 4})

    assert answer.status == "incomplete"
    assert answer.output_text == 'You said: "Hello'


async def test_many_words_can_be_had(gemini):
    answer = await say(gemini, "Write 5000 words please")

    assert len(answer.output_text.split()) == 5000


async def test_a_schema_is_answered_with_an_instance_of_it(gemini):
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 8},
            "kind": {"enum": ["a", "b"]},
            "count": {"type": "integer", "minimum": 3},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "child": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Child"}]},
        },
        "required": ["title", "kind", "count", "tags", "child"],
        "$defs": {"Child": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
    }
    wanted = {"type": "text", "mime_type": "application/json", "schema": schema}
    answer = await say(gemini, "Fill this in", response_format=wanted)

    jsonschema.validate(json.loads(answer.output_text), schema)


async def test_an_image_model_paints_a_small_jpeg(gemini):
    answer = await gemini.create(
        model="gemini-nano-banana-2.1",
        input="a cat",
        response_format=[{"type": "text"}, {"type": "image", "image_size": "1K"}],
    )

    image = answer.output_image
    assert image.mime_type == "image/jpeg"
    assert base64.b64decode(image.data).startswith(b"\xff\xd8\xff")
    assert {m.modality: m.tokens for m in answer.usage.output_tokens_by_modality}["image"] == 1120


async def test_not_storing_leaves_no_id_and_nothing_to_get(gemini, raw: httpx2.AsyncClient):
    answer = await say(gemini, "Hi", store=False)
    body = {"model": MODEL, "input": "Hi", "store": False}
    response = await raw.post("/v1/interactions", json=body)
    stream = await gemini.create(model=MODEL, input="Hi", store=False, stream=True)
    events = [event async for event in stream]

    assert answer.id == ""
    assert answer.output_text
    assert "id" not in response.json()
    assert events[0].interaction.id == events[-1].interaction.id == ""


async def test_not_storing_can_still_read_what_was_said_before(gemini):
    first = await say(gemini, "My name is Phil")
    second = await say(gemini, "What is my name?", first, store=False)

    assert second.output_text == "Your name is Phil."


async def test_get_shows_the_input_and_create_does_not(gemini):
    created = await say(gemini, "Hi")
    got = await gemini.get(created.id)

    assert [step.type for step in created.steps] == ["thought", "model_output"]
    assert [step.type for step in got.steps] == ["user_input", "thought", "model_output"]
    assert got.created == got.updated


async def test_the_log_shows_everything_but_the_key(gemini, control: EmulatorControl):
    answer = await say(
        gemini,
        "Hi",
        system_instruction="be brief",
        generation_config={"thinking_level": "low"},
        tools=[{"type": "google_search"}],
    )
    await gemini.get(answer.id)

    create, get = control.log
    assert control.posts == [create]
    assert (create.kind, create.status, create.interaction_id) == ("create", 200, answer.id)
    assert create.body["system_instruction"] == "be brief"
    assert create.body["generation_config"] == {"thinking_level": "low"}
    assert create.body["tools"] == [{"type": "google_search"}]
    assert (get.method, get.kind, get.query) == ("GET", "get", {"stream": "false"})
    assert "test-key" not in repr(control.log)


async def test_scripted_answers_come_first_and_in_order(gemini, control: EmulatorControl):
    control.answer_when("weather", "It rains.")
    control.answer_next("First.")
    control.answer_next("Second.")

    said = [(await say(gemini, "the weather?")).output_text for _ in range(3)]

    assert said == ["First.", "Second.", "It rains."]


async def test_models_are_listed_and_shown(client, raw: httpx2.AsyncClient):
    names = [model.name async for model in await client.aio.models.list()]
    one = await client.aio.models.get(model=MODEL)
    page = (await raw.get("/v1beta/models?pageSize=2")).json()
    rest = (await raw.get(f"/v1beta/models?pageSize=500&pageToken={page['nextPageToken']}")).json()

    assert f"models/{MODEL}" in names
    assert one.display_name == "Gemini 3.8 Flash"
    assert len(page["models"]) == 2
    assert len(rest["models"]) == len(names) - 2


@pytest.mark.parametrize("prefix", ["/v1", "/v1beta"])
async def test_both_versions_are_served(raw: httpx2.AsyncClient, prefix):
    body = {"model": MODEL, "input": "Hi"}
    created = (await raw.post(f"{prefix}/interactions", json=body)).json()
    got = await raw.get(f"{prefix}/interactions/{created['id']}?stream=false")

    assert got.json()["status"] == "completed"


@pytest.mark.parametrize("prefix", ["", "/v2", "/v1/v1", "/v1beta/v1", "/proxy/x/v1", "/v1alpha9"])
async def test_any_other_path_is_refused_by_googles_front(raw: httpx2.AsyncClient, prefix):
    answer = await raw.post(f"{prefix}/interactions", json={"model": MODEL, "input": "Hi"})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "error" not in answer.text.replace("Error 404", "")


async def test_ids_that_float_are_unknown_to_v1(raw: httpx2.AsyncClient):
    body = {"model": "gemini-flash-latest", "input": "Hi"}
    refused = await raw.post("/v1/interactions", json=body)
    taken = await raw.post("/v1beta/interactions", json=body)

    assert refused.status_code == 404
    assert refused.json()["error"]["code"] == "model_not_found"
    assert taken.status_code == 200
