"""The research toolset: start, approve a plan, check, cancel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import mcp_types as types
from pydantic import Field

from ..bridge.requests import ResearchRequest
from .parameter_types import Files, Offset, ServiceTier, WaitSeconds
from .rendering import research_report as result
from .tool_definition import ToolContext, tool

ResearchId = Annotated[str, Field(description="r_…")]


@tool(
    "Start Deep Research",
    toolset="research",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "report, sources"},
)
async def start_deep_research(
    context: ToolContext,
    question: Annotated[str, Field(description="What to find out, with its context.")],
    depth: Annotated[
        Literal["fast", "max"], Field(description="max: twice the work and price.")
    ] = "fast",
    plan_first: Annotated[bool, Field(description="First a plan to approve.")] = False,
    files: Files = [],  # noqa: B006  never changed; the schema wants a list
    tools: Annotated[
        list[dict[str, Any]], Field(description="file_search or mcp_server tool objects.")
    ] = [],  # noqa: B006
    report_format: Annotated[str, Field(description="Layout wanted.")] = "",
    service_tier: ServiceTier = None,
    conversation_id: Annotated[str, Field(description="Default: a new one.")] = "",
) -> types.CallToolResult:
    """Have Gemini research a question on the web for minutes to an hour ($1 to $7) and write a
    cited report. Returns at once; check_research brings the report."""
    task = ResearchRequest(
        question,
        depth,
        plan_first,
        tools,
        report_format,
        conversation_id,
        files,
        service_tier=service_tier or "",
    )
    return await result.render(
        await context.bridge.researches.start(context.caller, task), context.limits
    )


@tool("Approve a research plan", toolset="research", read_only=False, may_be_task=True)
async def approve_research_plan(
    context: ToolContext,
    research_id: ResearchId,
    changes: Annotated[str, Field(description="What to change first.")] = "",
) -> types.CallToolResult:
    """Run a research plan, or with `changes` have it revised. Show the plan to the user first."""
    stands = await context.bridge.researches.approve(context.caller, research_id, changes)
    return await result.render(stands, context.limits)


@tool("Check a research", toolset="research", read_only=True)
async def check_research(
    context: ToolContext,
    research_id: Annotated[
        str, Field(description="r_… Default: the session's latest, if any.")
    ] = "",
    wait_seconds: WaitSeconds = 0,
    offset: Offset = 0,
) -> types.CallToolResult:
    """How a research stands and what it is doing; when it is done, the report."""
    stands = await context.bridge.researches.check(context.caller, research_id, wait_seconds)
    return await result.render(stands, context.limits, offset)


@tool("Cancel a research", toolset="research", read_only=False, destructive=True)
async def cancel_research(context: ToolContext, research_id: ResearchId) -> types.CallToolResult:
    """Stop the running research at Google; what it had is kept."""
    return await result.render(
        await context.bridge.researches.cancel(context.caller, research_id), context.limits
    )
