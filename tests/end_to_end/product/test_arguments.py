"""Arguments as models send them: forgiving in form, strict in meaning, refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.support.app_harness import AppHarness, McpClient

# Every parameter of every tool, and what a refusal says it takes. One that must be given
# has a star.
KINDS_OF_HISTORY = "one of conversations, research, images, audio, video, agents"

PARAMETERS: dict[str, dict[str, str]] = {
    "gemini_ask": {
        "prompt*": "text",
        "files": "a list, each item text",
        "model": "text",
        "tools": "a list, each item text or an object",
        "thinking": "one of minimal, low, medium, high, xhigh",
        "service_tier": "one of standard, flex, priority",
        "system_instruction": "text",
        "response_schema": "an object",
        "store": "true or false",
    },
    "gemini_continue": {
        "prompt": "text",
        "conversation_id": "text",
        "turn": "a whole number of at least 1",
        "function_results": "a list, each item an object with call_id, result",
        "files": "a list, each item text",
        "model": "text",
        "tools": "a list, each item text or an object",
        "thinking": "one of minimal, low, medium, high, xhigh",
        "service_tier": "one of standard, flex, priority",
        "system_instruction": "text",
        "response_schema": "an object",
    },
    "gemini_result": {
        "id*": "text",
        "wait_seconds": "a whole number of at least 0",
        "offset": "a whole number of at least 0",
    },
    "gemini_history": {
        "kind": KINDS_OF_HISTORY,
        "query": "text",
        "limit": "a whole number from 1 to 100",
        "offset": "a whole number of at least 0",
        "id": "text",
    },
}

# What a model may send, and which parameters refuse it; `shown` is how the refusal names it.
VALUES: dict[str, tuple[Any, str, str]] = {
    # name: (value, refused by, shown)
    "words": ("words", "numbers choices switches objects records", "'words'"),
    "a whole number": (7, "choices lists names objects switches records", "7"),
    "a fraction": (1.5, "numbers choices lists names objects switches records", "1.5"),
    "true": (True, "texts numbers choices lists names objects records", "true"),
    "an object": ({"a": 1}, "texts numbers choices switches names records", "an object"),
    "a list of words": (["words"], "texts numbers choices switches objects records", "a list"),
    "a list of lists": (
        [["words"]],
        "texts numbers choices lists names switches objects records",
        "a list",
    ),
}

KINDS: dict[str, str] = {
    "text": "texts",
    "a whole number of at least 0": "numbers",
    "a whole number of at least 1": "numbers",
    "a whole number from 1 to 100": "numbers",
    "one of minimal, low, medium, high, xhigh": "choices",
    "one of standard, flex, priority": "choices",
    KINDS_OF_HISTORY: "choices",
    "true or false": "switches",
    "an object": "objects",
    "a list, each item text or an object": "lists",
    "a list, each item text": "names",
    "a list, each item an object with call_id, result": "records",
}

ROWS = [
    (tool, name.rstrip("*"), allowed)
    for tool, parameters in PARAMETERS.items()
    for name, allowed in parameters.items()
]
OPTIONAL = [row for row in ROWS if f"{row[1]}*" not in PARAMETERS[row[0]]]


# A call in which all other arguments are right. Arguments are checked before they are used, so
# the conversation need not exist.
CALLS: dict[str, dict[str, Any]] = {
    "gemini_ask": {"prompt": "Hello."},
    "gemini_continue": {"prompt": "Hello.", "conversation_id": "c_0000000000"},
    "gemini_result": {"id": "c_0000000000"},
    "gemini_history": {},
}


async def test_this_table_has_every_parameter_of_every_tool_to_ask_with(
    harness: AppHarness,
) -> None:
    client = await harness.connect(toolsets=("ask",))
    listed = (await client.sdk_client.list_tools()).tools

    assert {tool.name: list(tool.input_schema["properties"]) for tool in listed} == {
        tool: [name.rstrip("*") for name in parameters] for tool, parameters in PARAMETERS.items()
    }
    assert {tool.name: tool.input_schema.get("required", []) for tool in listed} == {
        tool: [name.rstrip("*") for name in parameters if name.endswith("*")]
        for tool, parameters in PARAMETERS.items()
    }


@pytest.mark.parametrize(("tool", "name", "allowed"), ROWS)
async def test_a_value_of_the_wrong_kind_is_refused_by_name_with_what_is_allowed(
    client: McpClient, tool: str, name: str, allowed: str
) -> None:
    kind = KINDS[allowed]
    said = {
        label: (await client.call(tool, **{**CALLS[tool], name: value})).text
        for label, (value, *_) in VALUES.items()
    }

    for label, (value, refused_by, shown) in VALUES.items():
        if kind not in refused_by.split():
            assert f"`{name}` must be" not in said[label], label
        elif kind in ("lists", "names", "records") and isinstance(value, list):
            assert said[label].startswith(f"`{name}` must be {allowed}, not a list with "), label
        else:
            assert said[label] == f"`{name}` must be {allowed}, not {shown}.", label


@pytest.mark.parametrize(("tool", "name"), [row[:2] for row in OPTIONAL])
@pytest.mark.parametrize("nothing", [None, "", []], ids=["null", "empty text", "empty list"])
async def test_nothing_in_an_optional_parameter_means_omitted(
    client: McpClient, tool: str, name: str, nothing: Any
) -> None:
    said = await client.call(tool, **{**CALLS[tool], name: nothing})

    without = {
        ("gemini_continue", "prompt"): "`prompt` is empty. Say what Gemini should answer.",
        ("gemini_continue", "conversation_id"): "There is no conversation in this session yet.",
        ("gemini_continue", ""): "There is no conversation 'c_0000000000' here.",
        ("gemini_result", ""): "There is no conversation 'c_0000000000' here.",
        ("gemini_history", ""): "There is no conversation here.",
        ("gemini_ask", ""): 'You said: "Hello."',
    }

    assert said.text.startswith(without.get((tool, name)) or without[tool, ""])


REFUSED: list[tuple[str, str, Any, str]] = [
    ("gemini_ask", "prompt", None, "`prompt` is required: text."),
    ("gemini_ask", "prompt", "", "`prompt` is empty. Say what Gemini should answer."),
    ("gemini_ask", "prompt", " \n\t", "`prompt` is empty. Say what Gemini should answer."),
    ("gemini_ask", "prompt", [], "`prompt` must be text, not a list."),
    ("gemini_result", "id", None, "`id` is required: text."),
    ("gemini_result", "id", [], "`id` must be text, not a list."),
    ("gemini_result", "id", "", "'' is not an id of this server."),
    ("gemini_ask", "thinking", "HIGH", "one of minimal, low, medium, high, xhigh, not 'HIGH'."),
    ("gemini_continue", "turn", 0, "`turn` must be a whole number of at least 1, not 0."),
    ("gemini_continue", "turn", -1, "`turn` must be a whole number of at least 1, not -1."),
    ("gemini_continue", "turn", "two", "a whole number of at least 1, not 'two'."),
    ("gemini_continue", "turn", 10**30, "`turn` must be at most 1,000,000,000."),
    ("gemini_continue", "turn", 10**4000, "`turn` must be at most 1,000,000,000."),
    ("gemini_continue", "turn", -(10**4000), "at least 1, not so large a number."),
    ("gemini_result", "offset", 1e300, "at least 0, not so large a number."),
    ("gemini_history", "offset", 10**30, "`offset` must be at most 1,000,000,000."),
    ("gemini_history", "limit", 0, "`limit` must be a whole number from 1 to 100, not 0."),
    ("gemini_history", "limit", 101, "`limit` must be a whole number from 1 to 100, not 101."),
    ("gemini_ask", "tools", "bing", "`tools`: 'bing' is not a tool by name. Names are"),
    ("gemini_ask", "tools", [None], "not a list with null in it."),
    (
        "gemini_continue",
        "function_results",
        [{"call_id": "a", "result": 1, "output": 1}],
        "`function_results`: `output` is not a key of its items. They take: call_id, result, name,",
    ),
    (
        "gemini_continue",
        "function_results",
        [{"call_id": "a"}],
        "not a list with an object without `result` in it.",
    ),
    (
        "gemini_continue",
        "function_results",
        [{"call_id": "a", "result": 1, "is_error": "perhaps"}],
        "not a list with 'perhaps' as `is_error` in it.",
    ),
    ("gemini_ask", "tools", ["none", "url_context"], '"none" clears them all, so it stands'),
    ("gemini_ask", "store", "perhaps", "`store` must be true or false, not 'perhaps'."),
    ("gemini_ask", "model", "m" * 201, "`model` must be the id of a model, one line of"),
    ("gemini_ask", "model", "a\nb", "`model` must be the id of a model, one line of"),
    ("gemini_ask", "prompt", ["x" * 10**6], "`prompt` must be text, not a list."),
    ("gemini_ask", "thinking", "x" * 10**6, "not 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'."),
]


@pytest.mark.parametrize(
    ("tool", "name", "value", "refusal"), REFUSED, ids=[row[3] for row in REFUSED]
)
async def test_what_cannot_be_meant_is_refused_in_one_short_sentence(
    harness: AppHarness, client: McpClient, tool: str, name: str, value: Any, refusal: str
) -> None:
    said = await client.call(tool, **{**CALLS[tool], name: value})

    assert said.is_error
    assert refusal in said.text
    assert len(said.text) < 400
    assert harness.bodies == []


async def test_all_that_is_wrong_is_told_at_once(client: McpClient) -> None:
    said = await client.call("gemini_history", limit="many", offset=-1)

    assert said.text == (
        "`limit` must be a whole number from 1 to 100, not 'many'. "
        "`offset` must be a whole number of at least 0, not -1."
    )


# ------------------------------------------------------------------- names that do not exist


async def test_an_unknown_argument_is_refused_with_those_there_are(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.ask("Hello.", temperature=1)

    assert said.is_error
    assert said.text.startswith("`temperature` is not a parameter of gemini_ask. It takes: prompt,")
    assert harness.bodies == []


@pytest.mark.parametrize("nothing", [None, "", []])
async def test_an_unknown_argument_is_refused_even_when_it_says_nothing(
    client: McpClient, nothing: Any
) -> None:
    said = await client.ask("Hello.", temperature=nothing)

    assert said.is_error
    assert "`temperature` is not a parameter" in said.text


async def test_several_unknown_arguments_are_refused_together(client: McpClient) -> None:
    said = await client.ask("Hello.", temperature=1, seed=2)

    assert said.text.startswith("`temperature`, `seed` are not parameters of gemini_ask.")


async def test_a_thousand_unknown_arguments_make_no_long_text(client: McpClient) -> None:
    said = await client.ask("Hello.", **{f"argument_{number}": 1 for number in range(1000)})

    assert said.is_error
    assert len(said.text) < 1000


async def test_an_unknown_tool_is_an_error_of_the_protocol_that_names_those_there_are(
    client: McpClient,
) -> None:
    with pytest.raises(MCPError, match=r"Unknown tool: gemini_dance\. There are: gemini_ask, "):
        await client.call("gemini_dance", prompt="Hello.")


async def test_a_tool_without_arguments_says_what_it_requires(client: McpClient) -> None:
    said = await client.call("gemini_ask")

    assert said.text == "`prompt` is required: text."


# ------------------------------------------------------------------- what is taken, arrives


@pytest.mark.parametrize(("given", "arrived"), [(7, "7"), (1.5, "1.5"), ("  x ", "  x ")])
async def test_a_number_as_prompt_is_its_digits(
    harness: AppHarness, client: McpClient, given: Any, arrived: str
) -> None:
    await client.ask(given)

    assert harness.last["input"] == arrived


@pytest.mark.parametrize("one", ["google_search", ["google_search"], {"type": "google_search"}])
async def test_one_tool_need_not_be_in_a_list(
    harness: AppHarness, client: McpClient, one: Any
) -> None:
    await client.ask("Hello.", tools=one)

    assert harness.last["tools"] == [{"type": "google_search"}]


@pytest.mark.parametrize("nothing", [None, "", []])
async def test_nothing_in_an_optional_key_of_a_function_result_means_omitted(
    client: McpClient, nothing: Any
) -> None:
    record = {"call_id": 7, "result": 1, "name": nothing, "is_error": nothing}

    said = await client.follow("", conversation_id="c_0000000000", function_results=[record])

    assert said.text.startswith("There is no conversation 'c_0000000000' here.")


@pytest.mark.parametrize("two", [2, "2", 2.0])
async def test_digits_are_a_number(harness: AppHarness, client: McpClient, two: Any) -> None:
    await client.ask("one")
    second = await client.follow("two")
    await client.follow("three")

    await client.follow("four", turn=two)

    assert harness.last["previous_interaction_id"] == second.interaction


async def test_a_prompt_of_two_megabytes_arrives_whole(
    harness: AppHarness, client: McpClient
) -> None:
    prompt = "The quick brown fox — 敏捷的棕色狐狸。\n" * 45_000

    said = await client.ask(prompt)

    assert len(prompt.encode()) > 2_000_000
    assert said.status == "completed"
    assert harness.last["input"] == prompt


async def test_a_prompt_of_two_megabytes_is_found_by_its_last_words(client: McpClient) -> None:
    said = await client.ask("x " * 1_000_000 + "and the secret word is plum")

    found = await client.history(query="secret word is PLUM")

    assert said.conversation in found.text
    assert len(found.text) < 1000


async def test_the_longest_prompt_allowed_is_counted_in_bytes(harness: AppHarness) -> None:
    client = await harness.connect(max_prompt_bytes=10)

    fits = await client.ask("é" * 5)
    too_long = await client.ask("é" * 5 + "x")

    assert fits.status == "completed"
    assert too_long.is_error
    assert too_long.text.startswith("`prompt` has 11 bytes; at most 10 are taken")
    assert "GEMINI_MCP_MAX_PROMPT_BYTES" in too_long.text
    assert len(harness.bodies) == 1


async def test_a_prompt_above_four_megabytes_is_refused_by_default(
    harness: AppHarness, client: McpClient
) -> None:
    said = await client.ask("x" * (4 * 2**20 + 1))

    assert said.is_error
    assert said.text.startswith("`prompt` has 4,194,305 bytes; at most 4,194,304 are taken")
    assert harness.bodies == []


@pytest.mark.parametrize(
    "prompt",
    ["NUL \x00 inside", "half a pair \ud83d", "\udc00\ud800 the wrong way round", "\x1b[31m\x07"],
    ids=ascii,
)
async def test_characters_no_text_should_have_break_nothing(client: McpClient, prompt: str) -> None:
    said = await client.ask(prompt, system_instruction=prompt)
    again = await client.follow(f"{prompt} again")

    assert (said.status, again.status) == ("completed", "completed")
    assert (await client.result(said.id)).text == said.text
    assert (await client.history(query=prompt)).text.startswith(said.conversation)
    assert (await client.history(id=said.conversation)).text.startswith("## Turn 1")


@pytest.mark.parametrize("id", ["\x00", "c_\ud800", "c_0000000000/\x00", "'; DROP TABLE turns; --"])
async def test_strange_ids_are_no_ids(client: McpClient, id: str) -> None:
    for said in (await client.result(id), await client.follow("Hello.", conversation_id=id)):
        assert said.is_error
        assert "is not an id of this server" in said.text
