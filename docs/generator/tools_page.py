"""docs/reference/tools.md: what a client lists, for people."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mcp_types as types

from docs.generator.example_runner import ExampleRunner
from docs.generator.tables import joined, table
from gemini_interactions.config.setting_table import TOOLSETS
from gemini_interactions.tools import registry

HEAD = """\
# Tools

Every tool, prompt and resource, as a client lists them.
The descriptions are the words models read.
`GEMINI_MCP_TOOLSETS` chooses the sets; see [settings](settings.md).

On optional parameters, `null`, `""` and an empty list mean that the parameter was left out.
One string where a list is expected is a list of one.
Anything else a tool does not take is refused by name.

A tool marked *reads* changes nothing that a person would want to be asked about, so hosts may call it without asking, and several at once.
"""


async def page(stage: ExampleRunner) -> str:
    """The whole page."""
    sets = {}
    for name in TOOLSETS:
        await stage.restart(GEMINI_MCP_TOOLSETS=name)
        sets[name] = {tool.name: tool for tool in (await stage.client.list_tools()).tools}
    await stage.restart(GEMINI_MCP_TOOLSETS=",".join(TOOLSETS))
    always = set.intersection(*(set(tools) for tools in sets.values()))
    parts = [
        HEAD,
        "## Always there",
        *(_tool(each) for name, each in sets[TOOLSETS[0]].items() if name in always),
    ]
    for name, tools in sets.items():
        own = [tool for tool in tools.values() if tool.name not in always]
        parts += [f"## The set `{name}`", *map(_tool, own)]
    views = [each.listed for each in registry.tools(TOOLSETS).values() if each.is_for_views]
    parts += [VIEWS, *map(_tool, views)]
    prompts = (await stage.client.list_prompts()).prompts
    parts += [PROMPTS, *map(_prompt, prompts)]
    resources = [
        (each.uri, each.title, each.description)
        for each in (await stage.client.list_resources()).resources
    ]
    resources += [
        (each.uri_template, each.title, each.description)
        for each in (await stage.client.list_resource_templates()).resource_templates
    ]
    parts += [RESOURCES, table(["address", "what it is"], [_resource(*each) for each in resources])]
    return joined(parts)


VIEWS = """\
## For views alone

Clients that show [views](../how-to/see-it-inside-the-conversation.md) list these too, for the views and not for their model; nobody else does.
"""

PROMPTS = """\
## Prompts

Hosts offer these to people, most as slash commands.
"""

RESOURCES = """\
## Resources

Hosts that read resources can attach these; everything in them is also within reach of a tool.
"""


def _tool(tool: types.Tool) -> str:
    hints = tool.annotations or types.ToolAnnotations()
    kind = "reads" if hints.read_only_hint else "acts"
    if hints.destructive_hint:
        kind += ", and ends something that cannot be brought back"
    properties = tool.input_schema.get("properties", {})
    required = tool.input_schema.get("required", [])
    rows = [
        [f"`{name}`", _type(schema), _default(name in required, schema), _words(schema)]
        for name, schema in properties.items()
    ]
    return joined(
        [
            f"### `{tool.name}`",
            f"{tool.title} · *{kind}*",
            tool.description or "",
            table(["parameter", "type", "default", "what it is"], rows),
        ]
    )


def _prompt(prompt: types.Prompt) -> str:
    rows = [
        [f"`{each.name}`", "required" if each.required else "", each.description or ""]
        for each in prompt.arguments or []
    ]
    filled_in = table(["argument", "", "what it is"], rows)
    return joined([f"### `{prompt.name}`", prompt.description or "", filled_in])


def _resource(address: str, title: str | None, description: str | None) -> list[str]:
    return [f"`{address}`", description or title or ""]


def _type(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "integer":
            low, high = schema.get("minimum"), schema.get("maximum")
            return "whole number" + (
                f", {low} to {high}" if high is not None else f", {low} or more" if low else ""
            )
        case "object" if "properties" in schema:
            return f"object with {', '.join(f'`{each}`' for each in schema['properties'])}"
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind or "anything")


def _default(is_required: bool, schema: Mapping[str, Any]) -> str:
    if is_required:
        return "required"
    given = schema.get("default")
    return (
        f"`{str(given).lower()}`"
        if isinstance(given, bool)
        else ""
        if given is None
        else f"`{given}`"
    )


def _words(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", ""))
