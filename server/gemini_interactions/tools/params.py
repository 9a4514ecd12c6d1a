"""The parameters tools share: each described once, in the words a model reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
    list[Literal["google_search", "url_context", "code_execution", "google_maps", "none"]],
    Field(description='What Gemini may use; remembered for later turns. ["none"] clears.'),
]
Thinking = Annotated[
    Literal["low", "medium", "high"] | None, Field(description="How hard to think.")
]
SystemInstruction = Annotated[
    str, Field(description='Role or rules, remembered for later turns. "none" clears.')
]
ResultId = Annotated[str, Field(description="c_…/n (a turn) or c_… (its latest turn).")]
WaitSeconds = Annotated[
    int, Field(description="Wait this long for a running one; capped by the server.", ge=0)
]
Offset = Annotated[int, Field(description="Read on from the next_offset of a long text.", ge=0)]
