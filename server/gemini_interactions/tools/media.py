"""The media toolset: speech, music and videos, each a file."""

from __future__ import annotations

from typing import Annotated, Literal

import mcp_types as types
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from ..bridge.requests import MusicRequest, SpeechRequest, VideoRequest
from .rendering import media
from .tool_definition import ToolContext, tool

SaveTo = Annotated[str, Field(description="Also copy it to this file or folder.")]
Images = Annotated[list[str], Field(description="Paths, https URLs, i_….")]
Model = Annotated[str, Field(description="A model id of gemini://models.")]


class Speaker(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's own way

    speaker: str
    voice: str


@tool(
    "Speak a text",
    toolset="media",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "text to speech, read aloud, voice, podcast, dialogue"},
)
async def gemini_generate_speech(
    context: ToolContext,
    text: Annotated[str, Field(description='What to say, style included ("Ann: …" lines).')] = "",
    conversation_id: Annotated[
        str, Field(description="Or read the newest answer of this aloud (c_…).")
    ] = "",
    voice: Annotated[str, Field(description="Kore, Puck, … or a voice id.")] = "",
    speakers: Annotated[
        list[Speaker], Field(description="A voice for each name in `text`, up to two.")
    ] = [],  # noqa: B006  never changed; the schema wants a list
    language: Annotated[str, Field(description="Such as en-US; default: that of the text.")] = "",
    format: Annotated[Literal["mp3", "wav", "ogg"], Field(description="File format.")] = "mp3",
    save_to: SaveTo = "",
    model: Model = "",
) -> types.CallToolResult:
    """Read a text aloud with Gemini, in one voice or as a dialogue, into an audio file."""
    wanted = SpeechRequest(
        text,
        conversation_id,
        voice,
        [{"speaker": each["speaker"], "voice": each["voice"]} for each in speakers],
        language,
        format,
        save_to,
        model,
    )
    return await media.render(await context.bridge.media.speak(context.caller, wanted), context)


@tool(
    "Compose music",
    toolset="media",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "song, melody, soundtrack, Lyria"},
)
async def gemini_generate_music(
    context: ToolContext,
    prompt: Annotated[str, Field(description="Genre, mood, instruments, lyrics.")],
    images: Images = [],  # noqa: B006
    format: Annotated[Literal["mp3", "wav"], Field(description="File format.")] = "mp3",
    save_to: SaveTo = "",
    model: Model = "",
) -> types.CallToolResult:
    """Compose a piece of music with Gemini, sung or not, into an audio file (about $0.08)."""
    wanted = MusicRequest(prompt, images, format, save_to, model)
    return await media.render(await context.bridge.media.compose(context.caller, wanted), context)


@tool(
    "Make a video",
    toolset="media",
    read_only=False,
    may_be_task=True,
    meta={"anthropic/searchHint": "film, clip, animate an image, edit a video"},
)
async def gemini_generate_video(
    context: ToolContext,
    prompt: Annotated[str, Field(description="What to show or change.")],
    images: Images = [],  # noqa: B006
    video: Annotated[str, Field(description="A v_… or file to edit, extend, upscale.")] = "",
    task: Annotated[
        Literal[
            "text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale"
        ]
        | None,
        Field(description="Default: by what is given."),
    ] = None,
    duration: Annotated[int | None, Field(description="Seconds.", ge=1, le=600)] = None,
    aspect_ratio: Annotated[Literal["16:9", "9:16"] | None, Field(description="Shape.")] = None,
    resolution: Annotated[
        Literal["360p", "720p", "1080p", "4k"] | None, Field(description="Default 720p.")
    ] = None,
    conversation_id: Annotated[
        str, Field(description="Go on with the last video there (or this v_…); no `task` then.")
    ] = "",
    save_to: SaveTo = "",
    model: Model = "",
) -> types.CallToolResult:
    """Make or edit a video of some seconds with Gemini (up to $0.15 a second). Returns at once;
    gemini_result collects the file, minutes later."""
    wanted = VideoRequest(
        prompt,
        images,
        video,
        task or "",
        duration or 0,
        aspect_ratio or "",
        resolution or "",
        conversation_id,
        save_to,
        model,
    )
    return await media.render(await context.bridge.media.film(context.caller, wanted), context)
