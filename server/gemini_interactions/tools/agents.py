"""The agents toolset: agents that work in a sandbox of Google's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import mcp_types as types
from pydantic import Field

from ..bridge.requests import AgentRequest
from .rendering import agent as rendering
from .tool_definition import ToolContext, tool


@tool(
    "Run an agent",
    toolset="agents",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "Antigravity, sandbox, run code, autonomous task"},
)
async def gemini_run_agent(
    context: ToolContext,
    prompt: Annotated[str, Field(description="The task.")],
    agent: Annotated[str, Field(description="Default: Antigravity; or one of gemini://agents.")] = (
        ""
    ),
    conversation_id: Annotated[
        str, Field(description="Go on in this conversation and its environment (c_…).")
    ] = "",
    files: Annotated[
        list[str], Field(description="Local files to put into the sandbox; closes its network.")
    ] = [],  # noqa: B006  never changed; the schema wants a list
    tools: Annotated[list[dict[str, Any]], Field(description="Interactions tool objects.")] = [],  # noqa: B006
    network: Annotated[
        Literal["on", "off"] | None, Field(description="Default on; with local files off.")
    ] = None,
    max_total_tokens: Annotated[
        int | None, Field(description="Stop after so many tokens.", ge=1)
    ] = None,
) -> types.CallToolResult:
    """Have a Gemini agent work on a task in its own Linux sandbox at Google: it runs code, writes
    files, reads the web ($0.25-3.25 a run). Returns at once; gemini_result collects, minutes
    later."""
    wanted = AgentRequest(
        prompt,
        agent,
        conversation_id,
        files,
        tools,
        network or "",
        max_total_tokens or 0,
    )
    return await rendering.render(await context.bridge.agents.run(context.caller, wanted), context)


@tool("Files of an agent", toolset="agents", read_only=False)
async def gemini_agent_files(
    context: ToolContext,
    id: Annotated[str, Field(description="The run (c_…/n) or its conversation.")],
    path: Annotated[str, Field(description="A folder to list, or the file to fetch.")] = "",
    save_to: Annotated[str, Field(description="Also copy it to this file or folder.")] = "",
) -> types.CallToolResult:
    """List the files in the environment of an agent's run, or fetch one of them."""
    return await rendering.files(
        await context.bridge.agents.files(context.caller, id, path, save_to), context
    )
