"""Agent turns: an agent works in a sandbox at Google, and is followed there by whoever holds the
lease."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ....domain.agent_environments import Environment, SourceFile
from ....domain.errors import (
    BadArgument,
    Gone,
    Refused,
    StillRunning,
    TimedOut,
    UpstreamError,
)
from ....domain.models import model_catalog
from ....domain.types import CreateRequest, Interaction, Tool, Turn, TurnSettings
from ....interactions.builtin_tools import NOT_FOR_AGENTS
from ....interactions.json_values import as_text
from ...agents import network
from ...agents.interpreter import AgentInterpreter
from ...agents.progress import AgentProgress
from ...requests import AgentRequest
from ...research.poller import ResearchPoller
from ...runtime import Runtime
from .. import function_calls
from ..execution.running_turns import RunningTurn
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandler, WithWords
from .background import PATIENCE, Unconfirmed, place_at_google

FORGOTTEN = "Google no longer has this run: it was deleted there, or has expired."
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


class UnconfirmedRun(Unconfirmed):
    what = "run"
    doing = "at work"


class AgentHandler(TurnHandler[AgentRequest]):
    kinds = ("agent",)
    sends = "background"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._interpreter = AgentInterpreter(runtime)
        self.poller = ResearchPoller(
            runtime, self._interpreter, forgotten=FORGOTTEN, progress=AgentProgress
        )

    async def prepare(
        self, new: NewTurn[AgentRequest], with_words: WithWords
    ) -> NewTurn[AgentRequest]:
        wanted, caller = new.request, new.caller
        agent, notes = self._agent(wanted.agent)
        await self._check_granted(caller.owner, agent)
        tools = self._tools(wanted.tools)
        if wanted.conversation_id:
            place, before = await place_at_google(
                self._runtime,
                caller,
                wanted.conversation_id,
                with_words,
                unstored="and agents need storing. Start the agent without `conversation_id`.",
            )
            if before.kind == "agent" and not before.is_final:
                raise StillRunning(
                    f"{before.id} is still at work in that environment. Call gemini_result with "
                    f'id "{before.id}" first.'
                )
            new = replace(new, conversation_id=place.name, parent=place.turn)
        sources = await self._runtime.attachments.sources(caller.owner, wanted.files)
        most = wanted.max_total_tokens or self._runtime.config.agent_token_limit
        extra: dict[str, Any] = {
            "background": True,
            "agent": True,
            "network": wanted.network,
            "tools": self._runtime.tools.without_headers(caller.owner, tools),
            **({"max_total_tokens": most} if most else {}),
            **({"has_files": True} if sources.files else {}),
        }
        return replace(
            new,
            request=replace(wanted, tools=tools, sources=sources.files),
            settings=TurnSettings(model=agent),
            notes=(*notes, *sources.notes),
            extra=extra,
        )

    async def build_request(
        self, turn: Turn, new: NewTurn[AgentRequest], after: Predecessor
    ) -> RequestPlan:
        good, wanted = after.good, new.request
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        lineage = await self._lineage(after.before)
        environment = await self._environment(turn.owner, lineage)
        has_files = bool(
            wanted.sources
            or (environment is not None and environment.has_files)
            or self._was_given_files(lineage)
        )
        rules = network.rules(
            wanted.network, self._runtime.config.agent_network_hosts, has_files=has_files
        )
        if environment is not None:
            # Before anything is sent: whatever becomes of that, the files may have arrived.
            await self._register(turn, environment.id, has_files=has_files)
        tools = network.tools(wanted.tools, rules)
        request = CreateRequest(
            input=_told(new.prompt, wanted.sources),
            agent=turn.settings.model,
            agent_config=_config(turn),
            previous_interaction_id=good.interaction_id if good else "",
            environment=_sent_environment(environment, rules, wanted.sources),
            tools=self._runtime.tools.with_headers(turn.owner, tools),
            background=True,
            timeout=PATIENCE,
        )
        notes = (*new.notes, *_network_notes(wanted.network, rules))
        kept: list[dict[str, Any]] | None = None
        if wanted.sources and self._runtime.config.transcripts:
            names: list[dict[str, Any]] = [
                {"type": "document", "name": each.target, "bytes": len(each.data)}
                for each in wanted.sources
            ]
            kept = [*names, {"type": "text", "text": new.prompt}]
        return RequestPlan(request, turn.settings, notes, kept)

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        if interaction.environment_id:
            await self._register(turn, interaction.environment_id, has_files=False)
        return await self._interpreter.interpret(turn, interaction)

    async def follow(self, running: RunningTurn) -> Outcome | None:
        turn = running.turn
        if id := as_text(turn.extra.get("environment_id")):
            await self._register(turn, id, has_files=bool(turn.extra.get("has_files")))
        return await self.poller.follow(running)

    async def attend(self, running: RunningTurn) -> None:
        await self.poller.attend(running)

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        if isinstance(problem, TimedOut):
            return UnconfirmedRun()
        if not isinstance(problem, Gone) or problem.page is not None:
            return problem
        said = problem.said.lower()
        if "environment" in said:
            return BadArgument(
                "That environment is gone at Google, with its files: one is kept for 7 days after "
                "its last use. Start anew without `conversation_id`, with the `files` it needs."
            )
        if "agent" in said or running.good is None:
            return BadArgument(
                f"Google has no agent '{running.turn.settings.model[:60]}' for this key. The "
                "resource gemini://agents lists those there are; leave `agent` out for the default."
            )
        return BadArgument(
            "Google no longer has that conversation, or its environment, which is kept for 7 days "
            "after its last use. Start anew without `conversation_id`."
        )

    # -- before anything is sent --------------------------------------------------

    def _agent(self, wanted: str) -> tuple[str, tuple[str, ...]]:
        """The agent to send, and what to say of it."""
        name = wanted.strip().removeprefix("agents/")
        if not name:
            return model_catalog.SANDBOX_AGENT, ()
        if not _NAME.fullmatch(name) or name.startswith("deep-research"):
            raise BadArgument(
                f"`agent`: '{name[:60]}' is no agent for a sandbox. Leave it out for the default, "
                "or name one of gemini://agents; start_deep_research does research."
            )
        choice = model_catalog.choose(name, today=self._runtime.today)
        is_alias = not choice.note and choice.model.lower() != name.lower()
        return (name, ()) if is_alias else (choice.model, (choice.note,) if choice.note else ())

    async def _check_granted(self, owner: str, agent: str) -> None:
        """Among several owners a custom agent is for those it was given to."""
        if not self._runtime.config.is_multi_owner or model_catalog.is_agent(agent):
            return
        if agent not in await self._runtime.store.names.granted(owner, "agent"):
            raise BadArgument(
                f"There is no agent '{agent[:60]}' here. The resource gemini://agents lists those "
                "there are; leave `agent` out for the default."
            )

    def _tools(self, tools: Sequence[Tool]) -> list[Tool]:
        read = self._runtime.tools.read(list(tools))
        for tool in read:
            if tool["type"] in NOT_FOR_AGENTS:
                raise BadArgument(
                    f"`tools`: an agent in a sandbox does not take {tool['type']}. It takes "
                    "google_search, url_context, code_execution and mcp_server."
                )
        return read

    async def _lineage(self, before: Turn | None) -> list[Turn]:
        if before is None:
            return []
        return await self._runtime.store.lineage(before.owner, before.conversation_id, before.n)

    async def _environment(self, owner: str, lineage: Sequence[Turn]) -> Environment | None:
        """Where the nearest run before worked, however it ended."""
        for turn in lineage:
            id = as_text(turn.extra.get("environment_id"))
            if turn.kind == "agent" and id:
                known = await self._runtime.store.environments.find(owner, id)
                # One that is not in our list may hold anything.
                return known or Environment(
                    id, owner, turn.conversation_id, turn.created, turn.created, has_files=True
                )
        return None

    def _was_given_files(self, lineage: Sequence[Turn]) -> bool:
        """Whether what was said before may hold local files: the agent reads all of it."""
        for turn in lineage:
            if turn.extra.get("has_files") or any("name" in each for each in turn.input or ()):
                return True
            if turn.kind != "agent" and not self._runtime.config.transcripts:
                return True  # nobody here knows
        return False

    async def _register(self, turn: Turn, id: str, *, has_files: bool) -> None:
        await self._runtime.store.environments.add(
            turn.owner,
            id,
            turn.conversation_id,
            has_files=has_files or bool(turn.extra.get("has_files")),
            now=self._runtime.now(),
        )


def _config(turn: Turn) -> dict[str, Any] | None:
    most = turn.extra.get("max_total_tokens")
    if not most:
        return None
    return {"type": "antigravity", "max_total_tokens": most}


def _told(prompt: str, sources: Sequence[SourceFile]) -> str:
    """The prompt, and which files lie in the sandbox for it."""
    if not sources:
        return prompt
    return f"{prompt}\n\nFiles for this: {', '.join(each.target for each in sources)}"


def _sent_environment(
    environment: Environment | None, rules: Any, sources: Sequence[SourceFile]
) -> str | dict[str, Any]:
    """A bare id goes on as it is; an object changes the rules or brings files."""
    if rules is None and not sources:
        return environment.id if environment is not None else "remote"
    wanted: dict[str, Any] = {"type": "remote"}
    if environment is not None:
        wanted["environment_id"] = environment.id
    if rules is not None:
        wanted["network"] = rules
    if sources:
        wanted["sources"] = [_source(each) for each in sources]
    return wanted


def _source(file: SourceFile) -> Mapping[str, str]:
    return {
        "type": "inline",
        "target": file.target,
        "content": base64.b64encode(file.data).decode("ascii"),
        "encoding": "base64",
    }


def _network_notes(wanted: str, rules: Any) -> tuple[str, ...]:
    if rules is None or wanted == "off":
        return ()
    if rules == network.CLOSED:
        return ("Its network is closed, since it was given local files.",)
    hosts = ", ".join(entry["domain"] for entry in rules["allowlist"])
    return (f"Its network is open to these hosts only: {hosts}.",)
