"""The parameters tools share: each described once, in the words a model reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

Prompt = Annotated[str, Field(description="What to ask or say.")]
ConversationId = Annotated[
    str,
    Field(
        description="c_… (or c_…/n for one turn, or a raw v1_… id). Default: this session's latest."
    ),
]
TurnNumber = Annotated[
    int | None, Field(description="Branch from this earlier turn instead of the latest.", ge=1)
]
Model = Annotated[str, Field(description="fast, pro, lite or a Gemini model id.")]
Tools = Annotated[
    list[str | dict[str, Any]],
    Field(
        description="google_search, url_context, code_execution, google_maps, "
        'or Interactions tool objects (function, file_search). Remembered; ["none"] clears.'
    ),
]
Files = Annotated[
    list[str],
    Field(
        description="Paths, folders, globs, https or YouTube URLs, i_…, files/…, "
        "git:diff, git:staged, git:REV, git:A..B[:PATH]."
    ),
]
ServiceTier = Annotated[
    Literal["standard", "flex", "priority"] | None,
    Field(description="flex: half price, slow."),
]
Thinking = Annotated[
    Literal["minimal", "low", "medium", "high", "xhigh"] | None,
    Field(description="How hard to think."),
]
SystemInstruction = Annotated[str, Field(description='Role or rules, remembered; "none" clears.')]
ResponseSchema = Annotated[
    dict[str, Any], Field(description="JSON schema: this turn's answer is JSON that fits it.")
]
ResultId = Annotated[str, Field(description="c_… (its latest turn), c_…/n, r_… or i_….")]
WaitSeconds = Annotated[int, Field(description="Wait for a running one (capped).", ge=0)]
Offset = Annotated[int, Field(description="Read on from a next_offset.", ge=0)]


ViewedId = Annotated[str, Field(description="The conversation, turn or artifact to show.")]


class FunctionResult(TypedDict):
    __pydantic_config__ = ConfigDict(  # type: ignore[misc]  # pydantic's own way
        extra="forbid", coerce_numbers_to_str=True
    )

    call_id: str
    result: Any
    name: NotRequired[str]
    is_error: NotRequired[bool]
