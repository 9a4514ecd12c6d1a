"""The images toolset: make a picture, or go on with the last one."""

from __future__ import annotations

from typing import Annotated, Literal

import mcp_types as types
from pydantic import Field

from ..bridge.requests import ImageRequest
from .rendering import image
from .tool_definition import ToolContext, tool

Ratio = Literal[
    "1:1", "1:4", "1:8", "2:3", "3:2", "3:4", "4:1",
    "4:3", "4:5", "5:4", "8:1", "9:16", "16:9", "21:9",
]  # fmt: skip


@tool(
    "Make an image",
    toolset="images",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "logo, illustration"},
)
async def gemini_generate_image(
    context: ToolContext,
    prompt: Annotated[str, Field(description="What to draw or change.")],
    images: Annotated[
        list[str], Field(description="References or inputs: paths, https URLs, i_….")
    ] = [],  # noqa: B006  never changed; the schema wants a list
    conversation_id: Annotated[
        str, Field(description="Edit the last image there (or this i_…). Default: a new one.")
    ] = "",
    model: Annotated[str, Field(description="image, image-pro or a model id.")] = "",
    aspect_ratio: Annotated[Ratio | None, Field(description="Width to height.")] = None,
    size: Annotated[Literal["1K", "2K", "4K"] | None, Field(description="Pixels.")] = None,
    save_to: Annotated[str, Field(description="Also copy it to this file or folder.")] = "",
) -> types.CallToolResult:
    """Draw or edit a picture (Bild, imagen, imagem, immagine) with Gemini; the file goes to disk,
    you get its path and a preview."""
    order = ImageRequest(
        prompt,
        references=images,
        conversation_id=conversation_id,
        model=model,
        aspect_ratio=aspect_ratio or "",
        size=size or "",
        save_to=save_to,
    )
    reply = await context.bridge.images.generate(context.caller, order)
    return await image.render(reply, context)
