"""The runtime: what everything in the bridge works with, put together once per server."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, TypeVar

import anyio

from ..config.settings import Config
from ..domain.client_profiles import OTHER_CLIENT
from ..domain.types import Interaction, Tool
from ..interactions import answer_text
from ..interactions.json_values import size_of, type_of
from .artifacts.artifact_repository import ArtifactRepository
from .artifacts.file_store import FileStore
from .attachments import Attachments
from .builtin_tool_policy import BuiltinToolPolicy
from .ports import Gemini, Store
from .turns import outcomes
from .turns.default_conversation import DefaultConversations
from .turns.history_chain import HistoryChain
from .turns.outcomes import Outcome
from .turns.turn_resolver import TurnResolver
from .usage.usage_budget import UsageBudget

log = logging.getLogger(__name__)

T = TypeVar("T")

LARGE = 1_000_000
"""Characters of an answer that are read in a few milliseconds."""

Resolve = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Google's redirects to their targets, "" for those that cannot be resolved. Takes its time, but
never long."""


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
    sessions: DefaultConversations
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

    async def outcome(self, interaction: Interaction) -> Outcome:
        """What an interaction comes to that Google is done with, its sources resolved."""
        targets = await self._redirect_targets(interaction)
        return await _apart(interaction, partial(outcomes.of, interaction, targets))

    async def _redirect_targets(self, interaction: Interaction) -> Mapping[str, str]:
        """Where the redirects in its sources lead."""
        if not self.resolve_redirects:
            return {}
        urls = await _apart(interaction, partial(answer_text.redirects, interaction.steps))
        if not urls:
            return {}
        try:
            found = await self.resolve_redirects(urls)
        except Exception:  # an answer never fails for it
            log.warning("source links could not be resolved", exc_info=True)
            return {}
        return {url: target for url, target in found.items() if target}


async def _apart(interaction: Interaction, read: Callable[[], T]) -> T:
    """What `read` returns; it reads this answer, in a worker thread where that takes long."""
    if size_of(interaction.steps) < LARGE:
        return read()
    return await anyio.to_thread.run_sync(read)
