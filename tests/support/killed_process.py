"""Lives: servers in processes of their own, whose clock is the real one, and how they end."""

from __future__ import annotations

from tests.support.app_harness import ToolResult
from tests.support.server_process import Server

SOON = {"GEMINI_MCP_LEASE_SECONDS": "0.2"}
"""Leases end soon after a kill."""


async def killed(server: Server) -> None:
    server.kill()
    await server.ended()


async def ended(server: Server, id: str) -> ToolResult:
    """How a research stands once it is over."""
    said = await server.call("check_research", research_id=id, wait_seconds=10)
    while said.status == "running":
        said = await server.call("check_research", research_id=id, wait_seconds=10)
    return said
