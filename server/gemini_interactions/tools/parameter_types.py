"""The parameters tools share: each described once, in the words a model reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

Prompt = Annotated[str, Field(description="What to ask or say.")]
ConversationId = Annotated[
    str,
    Field(description="c_… (or c_…/n, or a raw v1_… id). Default: the session's latest, if any."),
]
TurnNumber = Annotated[int | None, Field(description="Branch from this earlier turn.", ge=1)]
Model = Annotated[str, Field(description="fast, pro, lite or a model id.")]
Tools = Annotated[
    list[str | dict[str, Any]],
    Field(
        description="google_search, url_context, code_execution, google_maps, "
        'or tool objects (function, file_search). Remembered; ["none"] clears.'
    ),
]
Files = Annotated[
    list[str],
    Field(
        description="Paths, folders, globs, https or YouTube URLs, image ids, "
        "git:diff, git:staged, git:REV, git:A..B[:PATH]."
    ),
]
ServiceTier = Annotated[
    Literal["standard", "flex", "priority"] | None,
    Field(description="flex: half price, slow."),
]
Thinking = Annotated[
    Literal["minimal", "low", "medium", "high", "xhigh"] | None,
    Field(description="Effort."),
]
SystemInstruction = Annotated[str, Field(description='Role or rules, kept; "none" clears.')]
ResponseSchema = Annotated[dict[str, Any], Field(description="JSON schema for this turn's answer.")]
ResultId = Annotated[str, Field(description="Any id; of c_… its latest turn.")]
WaitSeconds = Annotated[int, Field(description="Seconds to wait; capped.", ge=0)]
Offset = Annotated[int, Field(description="A next_offset.", ge=0)]


ViewedId = Annotated[str, Field(description="The conversation, turn or artifact to show.")]
# Some hosts refuse a schema without a type, and a list without items; a list is taken all the same.
_ANY = {"type": ["string", "number", "boolean", "object"]}


class FunctionResult(TypedDict):
    __pydantic_config__ = ConfigDict(  # type: ignore[misc]  # pydantic's own way
        extra="forbid", coerce_numbers_to_str=True
    )

    call_id: str
    result: Annotated[Any, WithJsonSchema(_ANY)]
    name: NotRequired[str]
    is_error: NotRequired[bool]
