"""The shape of structured results: one for all tools, each key there where it applies.

Only programs ask for it (`--structured`): hosts that prefer structured data drop the text
beside it, so it repeats everything the text says.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, NotRequired, Required

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from ...domain.status import Status
from ..arguments import slim


class TokenCounts(TypedDict):
    input_tokens: int
    output_tokens: int
    thought_tokens: NotRequired[int]
    cached_tokens: NotRequired[int]
    tool_use_tokens: NotRequired[int]
    total_tokens: int


class Source(TypedDict):
    number: Annotated[int, Field(description="As in the marks [n] of the text.")]
    title: str
    url: NotRequired[str]


class FunctionCall(TypedDict):
    call_id: str
    name: str
    arguments: dict[str, Any]


class Entry(TypedDict, total=False):
    """One line of a list."""

    id: Required[str]
    status: str
    turns: int
    conversation_id: str
    turn: int
    updated: Annotated[str, Field(description="ISO 8601, UTC.")]
    prompt: Annotated[str, Field(description="How it began.")]


class Result(TypedDict, total=False):
    text: Required[Annotated[str, Field(description="The piece of text asked for.")]]
    error: Annotated[str, Field(description="What went wrong; absent where nothing did.")]
    status: Status
    id: str
    conversation_id: str
    turn: int
    interaction_id: str
    research_id: str
    image_id: str
    environment_id: str
    service_tier: str
    audio_id: str
    video_id: str
    model: str
    usage: TokenCounts
    cost_usd: Annotated[float, Field(description="An estimate.")]
    sources: list[Source]
    function_calls: Annotated[
        list[FunctionCall], Field(description="They wait for function_results.")
    ]
    entries: list[Entry]
    notes: list[str]
    next_step: str
    path: str
    next_offset: Annotated[int, Field(description="Where the text or list goes on.")]


@cache
def schema() -> dict[str, Any]:
    """What every structured result fits."""
    told = slim(TypeAdapter(Result).json_schema())
    told.pop("description", None)
    return dict(told)
