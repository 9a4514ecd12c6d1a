"""The lab: researches started, looked at and brought to their end by a guest of the house."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.product.house import Guest, House, Said

QUESTION = "How many storks nest in Zürich – and why?"
RUN = 1200.0
"""Seconds a run takes at Google; a plan takes a tenth."""


@dataclass
class Lab:
    """A guest who researches; what it starts is at Google at once, and done when time has passed."""

    house: House
    guest: Guest

    async def start(self, question: str = QUESTION, **more: Any) -> Said:
        return await self.guest.call("start_deep_research", question=question, **more)

    async def approve(self, id: str, changes: str = "") -> Said:
        more = {"changes": changes} if changes else {}
        return await self.guest.call("approve_research_plan", research_id=id, **more)

    async def check(self, id: str = "", **more: Any) -> Said:
        named = {"research_id": id} if id else {}
        return await self.guest.call("check_research", **named, **more)

    async def cancel(self, id: str) -> Said:
        return await self.guest.call("cancel_research", research_id=id)

    async def ended(self, id: str, seconds: float = RUN) -> Said:
        """How it stands once so much time has passed and somebody has waited for it."""
        self.house.clock.advance(seconds)
        return await self.check(id, wait_seconds=10)

    async def report(self, question: str = QUESTION, **more: Any) -> Said:
        return await self.ended((await self.start(question, **more)).id)

    async def plan(self, question: str = QUESTION, **more: Any) -> Said:
        return await self.ended((await self.start(question, plan_first=True, **more)).id)

    @property
    def files(self) -> list[Path]:
        """What is kept of all researches, but for drafts."""
        folder = self.house.folder / "research"
        return sorted(each for each in folder.glob("*") if not each.name.startswith("."))
