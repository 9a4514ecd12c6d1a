"""The ask toolset: start, continue, collect, recover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import mcp_types as types
from pydantic import Field

from ..bridge.requests import AskRequest, Reply
from .parameter_types import (
    ConversationId,
    Files,
    FunctionResult,
    Model,
    Offset,
    Prompt,
    ResponseSchema,
    ResultId,
    ServiceTier,
    SystemInstruction,
    Thinking,
    Tools,
    TurnNumber,
    WaitSeconds,
)
from .rendering import agent, image, media, research_report, result
from .tool_definition import ToolContext, tool


@tool(
    "Ask Gemini",
    toolset="ask",
    read_only=True,
    may_be_task=True,
    meta={"anthropic/searchHint": "opinion"},
)
async def gemini_ask(
    context: ToolContext,
    prompt: Prompt,
    files: Files = [],  # noqa: B006  never changed; the schema wants a list
    model: Model = "",
    tools: Tools = [],  # noqa: B006
    thinking: Thinking = None,
    service_tier: ServiceTier = None,
    system_instruction: SystemInstruction = "",
    response_schema: ResponseSchema = {},  # noqa: B006
    store: Annotated[bool, Field(description="false: Google keeps nothing of it.")] = True,
) -> types.CallToolResult:
    """Start a conversation with Google Gemini: a second opinion, a review, a web search with
    sources, code run in a sandbox. The last line of the answer names the conversation for
    gemini_continue."""
    question = AskRequest(
        prompt,
        _changes(model, tools, thinking, service_tier, system_instruction),
        response_schema=response_schema or None,
        store=store,
        files=files,
    )
    return await _answer(await context.bridge.conversations.ask(context.caller, question), context)


@tool("Continue with Gemini", toolset="", read_only=True, may_be_task=True)
async def gemini_continue(
    context: ToolContext,
    prompt: Prompt = "",
    conversation_id: ConversationId = "",
    turn: TurnNumber = None,
    function_results: Annotated[
        list[FunctionResult], Field(description="For the functions Gemini waits for.")
    ] = [],  # noqa: B006
    files: Files = [],  # noqa: B006
    model: Model = "",
    tools: Tools = [],  # noqa: B006
    thinking: Thinking = None,
    service_tier: ServiceTier = None,
    system_instruction: SystemInstruction = "",
    response_schema: ResponseSchema = {},  # noqa: B006
) -> types.CallToolResult:
    """Follow up in a conversation; Gemini remembers everything said in it, and earlier settings
    hold until changed."""
    question = AskRequest(
        prompt,
        _changes(model, tools, thinking, service_tier, system_instruction),
        response_schema=response_schema or None,
        function_results=[dict(each) for each in function_results],
        files=files,
    )
    reply = await context.bridge.conversations.follow(
        context.caller, question, conversation_id, turn
    )
    return await _answer(reply, context)


@tool("Get a Gemini result", toolset="", read_only=True)
async def gemini_result(
    context: ToolContext, id: ResultId, wait_seconds: WaitSeconds = 0, offset: Offset = 0
) -> types.CallToolResult:
    """The outcome of any earlier call: collects what was still running, reads on in a long
    text."""
    reply = await context.bridge.conversations.result(context.caller, id, wait_seconds)
    if reply.turn.kind == "agent":
        return await agent.render(reply, context, offset)
    if reply.turn.kind in media.KINDS:
        return await media.render(reply, context, offset)
    if reply.turn.kind == "image":
        return await image.render(reply, context, offset)
    if reply.turn.kind == "research":
        stands = await context.bridge.researches.stands(reply.turn)
        if stands is not None:
            return await research_report.render(
                stands, context.limits, offset, "gemini_result with id"
            )
    return await _answer(reply, context, offset)


@tool("Past Gemini conversations", toolset="", read_only=True)
async def gemini_history(
    context: ToolContext,
    kind: Annotated[
        Literal["conversations", "research", "images", "audio", "video", "agents"],
        Field(description="What to list."),
    ] = "conversations",
    query: Annotated[str, Field(description="Only those with this text.")] = "",
    limit: Annotated[int, Field(description="How many at most.", ge=1, le=100)] = 20,
    offset: Annotated[int, Field(description="Skip entries (with id: characters).", ge=0)] = 0,
    id: Annotated[str, Field(description="A c_… id: its whole transcript.")] = "",
) -> types.CallToolResult:
    """Find earlier conversations and their ids again, or read one, after your context was lost."""
    if id:
        told = await context.bridge.conversations.transcript(context.caller, id)
        return await result.transcript(told, context.limits, offset)
    found = await context.bridge.conversations.history(context.caller, query, limit, offset, kind)
    return result.listing(found, context.limits)


async def _answer(reply: Reply, context: ToolContext, offset: int = 0) -> types.CallToolResult:
    """The turn of a question, with the pictures that are in its answer."""
    if "[image " in reply.turn.text:
        return await image.render(reply, context, offset)
    return await result.answer(reply, context.limits, offset)


def _changes(
    model: str,
    tools: Sequence[str | dict[str, Any]],
    thinking: str | None,
    service_tier: str | None,
    system_instruction: str,
) -> dict[str, Any]:
    """The settings that were given; a system instruction of "none" gives an empty one."""
    given: dict[str, Any] = {}
    if model:
        given["model"] = model
    if thinking:
        given["thinking"] = thinking
    if service_tier:
        given["service_tier"] = service_tier
    if system_instruction:
        cleared = system_instruction.strip().lower() == "none"
        given["system_instruction"] = "" if cleared else system_instruction
    if tools:
        given["tools"] = list(tools)
    return given
