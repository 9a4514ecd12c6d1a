"""Agents: run one in a sandbox, and what is to be known of its runs."""

from __future__ import annotations

import json

from ...domain.agent_environments import AgentDefinition
from ...domain.errors import BadArgument, Refused, UnknownId, UpstreamError
from ...domain.models import model_catalog
from ...domain.types import Turn
from ...interactions.json_values import one_line, printable
from ...interactions.text_pages import fenced
from ..requests import AgentRequest, Caller, Reply
from ..research import report
from ..runtime import Runtime
from ..turns.execution.executor import TurnExecutor
from ..turns.handlers.agent import AgentHandler
from ..turns.new_turn import NewTurn
from ..turns.submission import TurnSubmission
from ..turns.validation import check_prompt
from .files import AgentFiles, FetchedFile, FileListing


class Agents:
    def __init__(
        self,
        runtime: Runtime,
        submission: TurnSubmission,
        executor: TurnExecutor,
        handler: AgentHandler,
    ) -> None:
        self._runtime = runtime
        self._submission = submission
        self._executor = executor
        self._handler = handler
        self._files = AgentFiles(runtime)

    async def files(
        self, caller: Caller, id: str, path: str, save_to: str
    ) -> FileListing | FetchedFile:
        """List the files of the environment of a run, or fetch one of them."""
        return await self._files.look(caller, id, path, save_to)

    async def run(self, caller: Caller, wanted: AgentRequest) -> Reply:
        """Start a run; returns as soon as Google's id of it is committed."""
        if not wanted.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what the agent should do.")
        check_prompt(self._runtime.config, wanted.prompt)
        queue = self._runtime.resolver.queue_of(wanted.conversation_id)
        new = NewTurn(caller, "agent", wanted.prompt, wanted, queue)
        return await self._submission.submit(new, self._handler)

    async def listed(self, owner: str) -> list[AgentDefinition]:
        """The agents this owner may run, as Google lists them now."""
        found = list(await self._runtime.gemini.environments.agents())
        if not self._runtime.config.is_multi_owner:
            return found
        granted = await self._runtime.store.names.granted(owner, "agent")
        return [each for each in found if not each.base_agent or each.id in granted]

    async def as_text(self, owner: str) -> str:
        """The agents as Markdown; without an answer of Google's the default alone, and why."""
        lines = ["# Agents", "", f"Default: {model_catalog.SANDBOX_AGENT}.", ""]
        try:
            found = await self.listed(owner)
        except (UpstreamError, Refused) as problem:
            why = problem.message if isinstance(problem, UpstreamError) else str(problem)
            return "\n".join([*lines, f"No live list from Google: {why}"])
        lines += ["| agent | based on | what |", "|---|---|---|"]
        for each in found:
            cells = (each.id, each.base_agent, one_line(printable(each.description), 200))
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
        return "\n".join(lines)

    async def definition(self, owner: str, id: str) -> str:
        """The whole definition of one agent, as JSON in Markdown."""
        if all(each.id != id for each in await self.listed(owner)):
            raise UnknownId(
                f"There is no agent '{id[:60]}'. gemini://agents lists those there are."
            )
        definition = dict(await self._runtime.gemini.environments.agent(id))
        return fenced(json.dumps(definition, ensure_ascii=False, indent=2), "json")

    def trouble(self, path: str) -> str:
        """Why a file of a sandbox is not fetched; "" where it may be."""
        return self._runtime.files.trouble(path)

    def doing(self, turn: Turn) -> str:
        """What a run is doing and for how long, as far as is known here; "" once it is over."""
        if turn.is_final:
            return ""
        running = self._executor.running.of(turn)
        doing = running.doing if running is not None else str(turn.extra.get("doing") or "")
        elapsed = report.duration(turn, self._runtime.now())
        return f"{elapsed} so far{f': {doing}' if doing else ''}"
