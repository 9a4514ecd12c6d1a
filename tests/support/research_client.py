"""Researches started, looked at and brought to their end by one client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.fake_clock_sleep import FakeClockSleep

QUESTION = "How many storks nest in Zürich – and why?"
RUN = 1200.0
"""Seconds a run takes at Google; a plan takes a tenth."""

REMOTE = {
    "type": "mcp_server",
    "name": "notes",
    "url": "https://mcp.example.com/mcp",
    "headers": {"Authorization": "Bearer t"},
}
"""An MCP server that a research may use, with a secret."""


def running_count(client: McpClient) -> int:
    """How many runs that client's server has in hand."""
    maintenance = client.app.maintenance
    return len(maintenance._executor.running) if maintenance is not None else 0


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not true():
            await anyio.sleep(0.005)


@dataclass
class ResearchClient:
    """A client that does research."""

    harness: AppHarness
    client: McpClient

    async def start(self, question: str = QUESTION, **more: Any) -> ToolResult:
        return await self.client.call("start_deep_research", question=question, **more)

    async def approve(self, id: str, changes: str = "") -> ToolResult:
        more = {"changes": changes} if changes else {}
        return await self.client.call("approve_research_plan", research_id=id, **more)

    async def check(self, id: str = "", **more: Any) -> ToolResult:
        named = {"research_id": id} if id else {}
        return await self.client.call("check_research", **named, **more)

    async def cancel(self, id: str) -> ToolResult:
        return await self.client.call("cancel_research", research_id=id)

    async def confirmed(self, id: str) -> None:
        """Until Google's id of it is written down: time that passes before that is its end."""
        with anyio.fail_after(30):
            while not (await self.check(id)).facts.get("interaction_id"):
                await anyio.sleep(0.005)

    async def ended(self, id: str, seconds: float = RUN) -> ToolResult:
        """How it stands once so much time has passed and somebody has waited for it."""
        self.harness.clock.advance(seconds)
        return await self.check(id, wait_seconds=10)

    async def report(self, question: str = QUESTION, **more: Any) -> ToolResult:
        return await self.ended((await self.start(question, **more)).id)

    async def plan(self, question: str = QUESTION, **more: Any) -> ToolResult:
        return await self.ended((await self.start(question, plan_first=True, **more)).id)

    async def newest(self) -> str:
        """The id of the newest research, as somebody finds it who was never told."""
        listed = await self.client.history(kind="research", limit=1)
        return listed.text.split(" · ")[0]

    @property
    def looks(self) -> list[datetime]:
        """When Google was looked at."""
        log = self.harness.control.log
        return [each.at for each in log if each.kind == "get" and not each.stream]

    @property
    def files(self) -> list[Path]:
        """What is kept of all researches, but for drafts."""
        folder = self.harness.folder / "research"
        return sorted(each for each in folder.glob("*") if not each.name.startswith("."))


@dataclass
class SlowResearchClient(ResearchClient):
    """Whose time runs through every look at Google."""

    fake_sleep: FakeClockSleep

    async def after(self, id: str, seconds: float = RUN + 100.0) -> ToolResult:
        """How it stands after so much time, in which nobody asked."""
        await self.fake_sleep.run(seconds)
        return await self.check(id)
