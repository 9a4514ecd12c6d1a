"""Prompts, and the completions of their blanks and of addresses."""

from __future__ import annotations

from typing import Any

import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError

from tests.support.app_harness import AppHarness, McpClient

ADDRESS = types.ResourceTemplateReference(uri="gemini://conversations/{id}")


async def text(client: McpClient, name: str, /, **arguments: str) -> str:
    (message,) = (await client.sdk_client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, types.TextContent)
    return message.content.text


async def complete(client: McpClient, ref: Any, argument: str, begun: str = "") -> list[str]:
    found = await client.sdk_client.complete(ref, {"name": argument, "value": begun})
    return found.completion.values


def prompt(name: str) -> types.PromptReference:
    return types.PromptReference(name=name)


async def test_there_is_a_prompt_for_each_thing_people_want(either_client: McpClient) -> None:
    prompts = (await either_client.sdk_client.list_prompts()).prompts

    assert [each.name for each in prompts] == [
        "ask",
        "second_opinion",
        "review",
        "research",
        "image",
    ]
    assert all(each.title and each.description for each in prompts)
    assert all(argument.description for each in prompts for argument in each.arguments or [])


@pytest.mark.parametrize(
    ("toolsets", "names"),
    [
        (("ask",), ["ask", "second_opinion", "review"]),
        (("research",), ["research"]),
        (("images",), ["image"]),
    ],
)
async def test_a_prompt_is_there_where_its_tool_is(
    harness: AppHarness, toolsets: tuple[str, ...], names: list[str]
) -> None:
    client = await harness.connect(toolsets=toolsets)

    assert [each.name for each in (await client.sdk_client.list_prompts()).prompts] == names
    with pytest.raises(MCPError, match="Unknown prompt"):
        await client.sdk_client.get_prompt("image" if "images" not in toolsets else "ask", {})


async def test_the_text_names_the_tool_and_what_to_pass_to_it(either_client: McpClient) -> None:
    asked = await text(either_client, "ask", question="Why is the sky blue?", model="pro")
    followed = await text(either_client, "ask", question="And red?", conversation_id="c_1")
    opinion = await text(either_client, "second_opinion")
    researched = await text(either_client, "research", question="Tea", depth="max")
    drawn = await text(either_client, "image", prompt="A fig", conversation_id="c_2")

    assert asked.startswith('Call gemini_ask with the text below as `prompt`, model "pro".')
    assert asked.endswith("\n\nWhy is the sky blue?")
    assert followed.startswith("Call gemini_continue with the text below as `prompt`, conversation")
    assert 'gemini_ask with thinking "high", model "pro"' in opinion
    assert researched.startswith("Call start_deep_research")
    assert ', depth "max".' in researched
    assert 'conversation_id "c_2"' in drawn


async def test_every_argument_a_prompt_passes_on_is_one_its_tool_takes(client: McpClient) -> None:
    tools = {tool.name: tool.input_schema for tool in (await client.sdk_client.list_tools()).tools}
    prompts = (await client.sdk_client.list_prompts()).prompts
    for each in prompts:
        values = {argument.name: "given" for argument in each.arguments or []}
        said = await text(client, each.name, **values)
        used = [tool for tool in tools if f"{tool} with" in said]
        passed = {name for name in values if f'{name} "given"' in said or f"`{name}`" in said}

        assert used
        assert passed <= set(tools[used[0]]["properties"])


async def test_blanks_left_empty_count_as_not_given(client: McpClient) -> None:
    assert await text(client, "ask", question="Why?", model=" ") == await text(
        client, "ask", question="Why?"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("ask", {}, "needs `question`"),
        ("ask", {"question": "  "}, "needs `question`"),
        ("image", {"prompt": "x", "colour": "red"}, "`colour` is no argument of the prompt image"),
        (
            "sing",
            {},
            "Unknown prompt: sing. There are: ask, second_opinion, review, research, image.",
        ),
    ],
)
async def test_a_prompt_that_cannot_be_filled_in_says_why(
    either_client: McpClient, name: str, arguments: dict[str, str], said: str
) -> None:
    with pytest.raises(MCPError) as caught:
        await either_client.sdk_client.get_prompt(name, arguments)

    assert caught.value.code == types.INVALID_PARAMS
    assert said in caught.value.message


# ----------------------------------------------------------------------------- completions


async def test_ids_are_completed_by_how_they_begin_newest_first(
    harness: AppHarness, either_client: McpClient
) -> None:
    said = []
    for word in ("one", "two", "three"):
        said.append((await either_client.ask(word)).conversation)
        harness.clock.advance(1)
    newest = said[::-1]

    assert await complete(either_client, ADDRESS, "id") == newest
    assert await complete(either_client, prompt("ask"), "conversation_id", "C_") == newest
    assert await complete(either_client, ADDRESS, "id", said[0][:11]) == said[:1]
    assert await complete(either_client, ADDRESS, "id", "_") == []
    assert await complete(either_client, ADDRESS, "id", "%") == []


async def test_at_most_a_hundred_ids_are_told_and_that_there_are_more(
    harness: AppHarness, client: McpClient
) -> None:
    await client.ask("Hello.")
    store = (await client.app.bridge()).conversations._store
    for _ in range(105):
        await store.begin(
            "local", kind="ask", prompt="", settings=_settings(), holder="", lease_until=0, now=0
        )

    found = (await client.sdk_client.complete(ADDRESS, {"name": "id", "value": "c_"})).completion

    assert (len(found.values), found.has_more) == (100, True)


def _settings() -> Any:
    from gemini_interactions.domain.types import TurnSettings

    return TurnSettings()


async def test_models_are_completed_from_the_table_without_a_call(
    harness: AppHarness, either_client: McpClient
) -> None:
    fast = await complete(either_client, prompt("ask"), "model", "gemini-3.8")
    aliases = await complete(either_client, prompt("second_opinion"), "model")

    assert fast == ["gemini-3.8-flash"]
    assert aliases[:3] == ["fast", "pro", "lite"]
    assert harness.control.log == []


async def test_choices_are_completed_and_free_text_is_not(either_client: McpClient) -> None:
    assert await complete(either_client, prompt("research"), "depth") == ["fast", "max"]
    assert await complete(either_client, prompt("image"), "aspect_ratio", "16") == ["16:9"]
    assert await complete(either_client, prompt("ask"), "question", "Why") == []
    assert await complete(either_client, ADDRESS, "nonsense") == []


@pytest.mark.parametrize(
    "ref",
    [prompt("sing"), types.ResourceTemplateReference(uri="gemini://nothing/{id}")],
)
async def test_completions_of_what_is_not_there_are_refused(
    either_client: McpClient, ref: Any
) -> None:
    with pytest.raises(MCPError) as caught:
        await complete(either_client, ref, "id")

    assert caught.value.code == types.INVALID_PARAMS


async def test_another_owners_things_are_neither_read_nor_completed(
    client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await client.ask("Mine.")
    monkeypatch.setattr(
        "gemini_interactions.mcp_server.request_context.owner", lambda _: "somebody else"
    )

    with pytest.raises(MCPError) as theirs:
        await client.sdk_client.read_resource(f"gemini://conversations/{said.conversation}")
    with pytest.raises(MCPError) as nobodys:
        await client.sdk_client.read_resource("gemini://conversations/c_0000000000")
    usage = (await client.sdk_client.read_resource("gemini://usage")).contents[0]

    assert theirs.value.message.replace(said.conversation, "c_0000000000") == nobodys.value.message
    assert await complete(client, ADDRESS, "id") == []
    assert isinstance(usage, types.TextResourceContents)
    assert "Nothing was used." in usage.text
