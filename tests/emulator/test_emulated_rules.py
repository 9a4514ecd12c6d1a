"""What the emulator refuses, as Google refuses it."""

from typing import Any

import pytest
from google.genai._interactions import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
)

from gemini_emulator import Emulator, EmulatorControl
from tests.emulator.constants import MODEL

FUNCTION = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
HELLO = {"type": "text", "text": "Hi"}

REFUSED: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "an unknown field": ({"zzz": 1}, 400, "parameter_unknown"),
    "both model and agent": ({"agent": "deep-research-preview-04-2026"}, 400, "invalid_request"),
    "neither model nor agent": ({"model": None}, 400, "invalid_request"),
    "an unknown model": ({"model": "gemini-9"}, 404, "model_not_found"),
    "a retired model": ({"model": "gemini-3-pro-preview"}, 404, "model_not_found"),
    "an unknown agent": ({"model": None, "agent": "nobody"}, 404, "not_found"),
    "agent with generation_config": (
        {"model": None, "agent": "nobody", "generation_config": {}},
        400,
        "invalid_request",
    ),
    "agent_config with a model": ({"agent_config": {}}, 400, "invalid_request"),
    "store=false in the background": ({"store": False, "background": True}, 400, None),
    "webhook without background": ({"webhook_config": {"uris": []}}, 400, None),
    "an unknown service tier": ({"service_tier": "gold"}, 400, None),
    "a field of the wrong type": ({"store": "yes"}, 400, None),
    "no input": ({"input": None}, 400, None),
    "an empty input": ({"input": ""}, 400, None),
    "an empty list": ({"input": []}, 400, None),
    "a list of words": ({"input": ["Hi"]}, 400, None),
    "legacy turns": ({"input": [{"role": "user", "content": "Hi"}]}, 400, None),
    "contents mixed with steps": (
        {"input": [HELLO, {"type": "user_input", "content": [HELLO]}]},
        400,
        None,
    ),
    "an image without data": ({"input": {"type": "image", "mime_type": "image/png"}}, 400, None),
    "data that is not base64": (
        {"input": {"type": "image", "mime_type": "image/png", "data": "%%"}},
        400,
        None,
    ),
    "an unknown content": (
        {"input": [{"type": "user_input", "content": [{"type": "smell"}]}]},
        400,
        None,
    ),
    "a result without a call": (
        {"input": [{"type": "function_result", "call_id": "c1", "result": "x"}]},
        400,
        "invalid_request",
    ),
    "a result without its fields": ({"input": [{"type": "function_result"}]}, 400, None),
    "a thinking level the model lacks": (
        {"generation_config": {"thinking_level": "minimal"}},
        400,
        None,
    ),
    "xhigh on argon": (
        {"model": "gemini-4-argon", "generation_config": {"thinking_level": "xhigh"}},
        400,
        None,
    ),
    "temperature on 3.8 flash": ({"generation_config": {"temperature": 0.5}}, 400, None),
    "top_p on 3.8 flash": ({"generation_config": {"top_p": 0.5}}, 400, None),
    "top_k": ({"generation_config": {"top_k": 3}}, 400, "parameter_unknown"),
    "thinking_summaries of a third kind": (
        {"generation_config": {"thinking_summaries": "long"}},
        400,
        None,
    ),
    "no output tokens": ({"generation_config": {"max_output_tokens": 0}}, 400, None),
    "tool_choice without functions": (
        {"generation_config": {"tool_choice": "any"}, "tools": [{"type": "google_search"}]},
        400,
        None,
    ),
    "a nameless function": ({"tools": [{"type": "function"}]}, 400, None),
    "file search without a store": ({"tools": [{"type": "file_search"}]}, 400, None),
    "an mcp server on plain http": (
        {"tools": [{"type": "mcp_server", "name": "n", "url": "http://localhost"}]},
        400,
        None,
    ),
    "an image from a text model": ({"response_format": {"type": "image"}}, 400, None),
    "a png from an image model": (
        {
            "model": "gemini-3-pro-image",
            "response_format": {"type": "image", "mime_type": "image/png"},
        },
        400,
        None,
    ),
    "512 on nano banana": (
        {
            "model": "gemini-nano-banana-2.1",
            "response_format": {"type": "image", "image_size": "512"},
        },
        400,
        None,
    ),
    "an image in the background": (
        {"model": "gemini-nano-banana-2.1", "background": True},
        400,
        None,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_it_refuses(raw, control: EmulatorControl, what):
    change, status, code = REFUSED[what]
    body = {"model": MODEL, "input": "Hi", **change}
    body = {name: value for name, value in body.items() if value is not None}

    response = await raw.post("/v1/interactions", json=body)

    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert response.json()["error"]["code"] == (code or "invalid_request")
    assert control.log[0].status == status
    assert control.log[0].interaction_id is None


async def test_accepted_are_the_settings_each_model_has(raw):
    accepted = [
        ("gemini-4-hydrogen", {"thinking_level": "xhigh"}),
        ("gemini-3.7-flash", {"thinking_level": "minimal", "temperature": 0.2}),
        ("gemini-2.5-flash", {"top_k": 4, "top_p": 0.5}),
        ("models/gemini-3.8-flash", {"thinking_level": "high", "tool_choice": "none"}),
    ]
    for model, config in accepted:
        body = {"model": model, "input": "Hi", "generation_config": config}
        assert (await raw.post("/v1/interactions", json=body)).status_code == 200


async def test_an_unsupported_tool_gets_the_words_google_uses(gemini):
    with pytest.raises(BadRequestError) as refused:
        await gemini.create(model=MODEL, input="Hi", tools=[{"type": "x"}])

    body: Any = refused.value.body
    assert body["error"]["message"] == (
        "The value 'x' is not supported for 'type' at 'tools[0]'. Supported values: 'function',"
        "'code_execution','mcp_server','filesystem','google_maps','google_search','bash',"
        "'computer_use','file_search','url_context'."
    )


async def test_built_in_tools_do_not_mix_with_functions_except_on_older_models(gemini):
    tools = [{"type": "google_search"}, FUNCTION]

    with pytest.raises(BadRequestError, match="include_server_side_tool_invocations"):
        await gemini.create(model=MODEL, input="Hi", tools=tools)
    older = await gemini.create(model="gemini-3.5-flash", input="Hi", tools=tools)

    assert older.status == "completed"


async def test_broken_json_is_refused_in_the_shape_of_google_rpc(raw):
    response = await raw.post("/v1/interactions", content=b'{"model": ')

    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_a_body_that_is_no_object_is_refused(raw):
    assert (await raw.post("/v1/interactions", json=["Hi"])).status_code == 400


@pytest.mark.parametrize("key", [None, "wrong-key"])
async def test_without_a_good_key_there_is_no_answer(emulator, control: EmulatorControl, key):
    import httpx2

    headers = {"x-goog-api-key": key} if key else {}
    async with httpx2.AsyncClient(base_url=emulator.url, headers=headers) as raw:
        refused = await raw.post("/v1/interactions", json={"model": MODEL, "input": "Hi"})
        models = await raw.get("/v1beta/models")

    assert refused.status_code == models.status_code == 401
    assert refused.json()["error"]["code"] == "authentication"
    assert models.json()["error"]["status"] == "UNAUTHENTICATED"


async def test_the_key_may_be_in_the_query_and_never_reaches_the_log(
    emulator, control: EmulatorControl
):
    import httpx2

    async with httpx2.AsyncClient(base_url=emulator.url) as raw:
        body = {"model": MODEL, "input": "Hi"}
        response = await raw.post("/v1/interactions?key=hush", json=body)

    assert response.status_code == 200
    assert "hush" not in repr(control.log)


async def test_only_the_given_keys_open_the_door(emulator: Emulator, control, gemini):
    emulator.control = EmulatorControl(keys={"another-key"})

    with pytest.raises(AuthenticationError):
        await gemini.create(model=MODEL, input="Hi")

    emulator.control = EmulatorControl(keys={"test-key"})
    assert (await gemini.create(model=MODEL, input="Hi")).status == "completed"


async def test_a_malformed_id_is_400_and_an_unknown_one_404(gemini, control: EmulatorControl):
    with pytest.raises(BadRequestError):
        await gemini.get("v1_nonsense")
    with pytest.raises(NotFoundError) as missing:
        await gemini.get(control.unknown_id())

    assert missing.value.body == {
        "error": {"message": "Requested entity was not found.", "code": "not_found"}
    }


async def test_an_unknown_previous_interaction_is_404(gemini, control: EmulatorControl):
    with pytest.raises(NotFoundError):
        await gemini.create(model=MODEL, input="Hi", previous_interaction_id=control.unknown_id())


async def test_a_field_mask_is_refused(raw, gemini):
    made = await gemini.create(model=MODEL, input="Hi")

    assert (await raw.get(f"/v1/interactions/{made.id}?fields=status")).status_code == 400
    assert (await raw.get(f"/v1/interactions/{made.id}?fields=*")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/interactions", "/v1/tunedModels", "/v2/interactions"])
async def test_what_does_not_exist_is_404(raw, path):
    assert (await raw.get(path)).status_code == 404


async def test_an_unknown_model_is_not_shown(client):
    from google.genai.errors import ClientError

    with pytest.raises(ClientError) as missing:
        await client.aio.models.get(model="gemini-9")

    assert missing.value.code == 404
    assert missing.value.status == "NOT_FOUND"
