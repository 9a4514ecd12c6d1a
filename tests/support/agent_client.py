"""Runs of agents as tests ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.app_harness import McpClient, ToolResult

AGENT = "antigravity-preview-09-2026"
ALL_TOOLS = {"GEMINI_MCP_TOOLSETS": "all", "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.1"}
"""Every tool is there, and runs are looked at soon."""


async def run_agent(
    client: McpClient, prompt: str = "Write notes.md with hello", **more: Any
) -> ToolResult:
    """A run, collected."""
    started = await client.call("gemini_run_agent", prompt=prompt, **more)
    assert started.status == "running", started.text
    return await client.result(started.id, wait_seconds=20)


def write_file(name: str, data: str | bytes) -> None:
    """A file in the working folder."""
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)
