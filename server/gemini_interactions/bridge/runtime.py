"""The runtime: what everything in the bridge works with, put together once per server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ..config.settings import Config
from ..domain.client_profiles import OTHER_CLIENT
from ..domain.types import Interaction, Tool
from ..interactions.json_values import type_of
from . import source_links
from .artifact_repository import ArtifactRepository
from .attachments import Attachments
from .builtin_tool_policy import BuiltinToolPolicy
from .file_store import FileStore
from .ports import Gemini, Store
from .source_links import Resolve
from .turns.history_chain import HistoryChain
from .turns.session_registry import SessionRegistry
from .turns.turn_resolver import TurnResolver
from .usage_budget import UsageBudget


@dataclass(frozen=True, slots=True)
class Runtime:
    """`holder` names this process in the store; `now` is the wall clock, in epoch seconds."""

    config: Config
    store: Store
    gemini: Gemini
    files: FileStore
    artifacts: ArtifactRepository
    attachments: Attachments
    tools: BuiltinToolPolicy
    budget: UsageBudget
    sessions: SessionRegistry
    resolver: TurnResolver
    history: HistoryChain
    holder: str
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    resolve_redirects: Resolve | None = None

    @property
    def lease_until(self) -> float:
        return self.now() + self.config.lease_seconds

    @property
    def max_wait(self) -> float:
        """The time budget of a call, in seconds, of a client of which nothing is known."""
        return self.config.max_wait_seconds or OTHER_CLIENT.time_budget

    @property
    def today(self) -> date:
        return datetime.fromtimestamp(self.now(), UTC).date()

    async def read_tools(self, owner: str, given: Sequence[str | Mapping[str, Any]]) -> list[Tool]:
        """The tool objects meant, with stores by the names this owner may use."""
        if not any(type_of(each) == "file_search" for each in given if not isinstance(each, str)):
            return self.tools.read(given)
        tools = self.tools.read(given, await self.store.file_search.usable(owner))
        names = [name for tool in tools for name in tool.get("file_search_store_names", ())]
        await self.store.file_search.use(names, self.now())
        return tools

    async def redirect_targets(self, interaction: Interaction) -> Mapping[str, str]:
        """Where the redirects in its sources lead."""
        return await source_links.targets(interaction.steps, self.resolve_redirects)
