"""Speech and videos as tests ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.app_harness import McpClient, ToolResult


async def speak(client: McpClient, text: str = "Good morning.", **more: Any) -> ToolResult:
    return await client.call("gemini_generate_speech", text=text, **more)


async def film(client: McpClient, prompt: str = "A red boat", **more: Any) -> ToolResult:
    """A video, collected."""
    started = await client.call("gemini_generate_video", prompt=prompt, **more)
    assert started.status == "running", started.text
    return await client.result(started.id, wait_seconds=20)


def path_of(said: ToolResult) -> Path:
    return Path(said.facts["path"])
