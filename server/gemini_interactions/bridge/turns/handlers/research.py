"""Research turns: sent to Google once, and followed there by whoever holds the lease.

Intent row, create, id committed, answer. From then on a run belongs to whichever process
holds its lease; the poller looks at it until Google is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....domain.artifact import ArtifactKind
from ....domain.errors import BadArgument, Refused, TimedOut, UpstreamError
from ....domain.models import model_catalog
from ....domain.types import Artifact, CreateRequest, Interaction, Tool, Turn, TurnSettings
from ....interactions.builtin_tools import NOT_FOR_RESEARCH
from ...attachments import Attached
from ...requests import Caller, ResearchRequest
from ...research import plans, report
from ...research.interpreter import ResearchInterpreter
from ...research.poller import ResearchPoller
from ...runtime import Runtime
from .. import function_calls, service_tiers
from ..execution.running_turns import RunningTurn
from ..new_turn import NewTurn, Predecessor, RequestPlan
from ..outcomes import Outcome
from ..turn_handler import TurnHandler, WithWords
from .background import PATIENCE, Unconfirmed, place_at_google

EXCERPT = 500
"""Characters of a question that are kept with its id, for lists."""


class ResearchHandler(TurnHandler[ResearchRequest]):
    kinds = ("research",)
    sends = "background"
    session_kind = "research"
    artifact = ArtifactKind.RESEARCH

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._interpreter = ResearchInterpreter(runtime)
        self.poller = ResearchPoller(runtime, self._interpreter)

    async def prepare(
        self, new: NewTurn[ResearchRequest], with_words: WithWords
    ) -> NewTurn[ResearchRequest]:
        task, caller = new.request, new.caller
        if task.research is not None:
            return await self._going_on(new, task, task.research)
        conversation_id, parent = await self._place(caller, task.conversation_id, with_words)
        tools = self._runtime.tools.without_headers(caller.owner, task.tools)
        topic = task.question[:EXCERPT]
        words = {"question": topic} if self._runtime.config.transcripts else {}
        new = replace(new, conversation_id=conversation_id, parent=parent, artifact_facts=words)
        return self._with_details(new, replace(task, tools=tools), topic)

    async def _going_on(
        self, new: NewTurn[ResearchRequest], task: ResearchRequest, research: Artifact
    ) -> NewTurn[ResearchRequest]:
        """The turn that follows a plan: its revision, or the run."""
        store = self._runtime.store
        newest = await store.turn(research.owner, research.conversation_id, research.n)
        if newest is None:
            raise self.overtaken(new)
        plan = await plans.waiting_plan(store, research, newest)
        if plan is None:
            raise plans.no_plan(research, newest)
        self._check_headers(new.caller.owner, plan)
        facts = plan.extra
        task = replace(
            task,
            depth=facts["depth"],
            tools=facts["tools"],
            report_format=facts.get("report_format", ""),
            service_tier=plan.settings.service_tier,
        )
        new = replace(
            new,
            conversation_id=research.conversation_id,
            parent=plan.n,
            continues=research,
            has_read=plan,  # to approve a plan is to have read it
        )
        return self._with_details(new, task, report.question(plan)[:EXCERPT])

    def _with_details(
        self, new: NewTurn[ResearchRequest], task: ResearchRequest, topic: str
    ) -> NewTurn[ResearchRequest]:
        tier = task.service_tier or service_tiers.default(self._runtime.config.service_tier)
        settings = TurnSettings(model=model_catalog.agent_of(task.depth), service_tier=tier)
        with_words = self._runtime.config.transcripts
        extra = _details(task, topic, with_words=with_words)
        return replace(new, request=task, settings=settings, extra=extra)

    async def build_request(
        self, turn: Turn, new: NewTurn[ResearchRequest], after: Predecessor
    ) -> RequestPlan:
        good, task = after.good, new.request
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(good)
        given = _content(task, new.attached)
        request = CreateRequest(
            input=given,
            agent=turn.settings.model,
            agent_config={
                "type": "deep-research",
                "thinking_summaries": "auto",
                **({"collaborative_planning": True} if task.plan_first else {}),
            },
            previous_interaction_id=good.interaction_id if good else "",
            tools=self._runtime.tools.with_headers(turn.owner, task.tools),
            service_tier=turn.settings.service_tier,
            background=True,
            timeout=PATIENCE,
        )
        content = [{"type": "text", "text": given}] if isinstance(given, str) else given
        words = [{"type": "user_input", "content": content}]
        return RequestPlan(request, turn.settings, new.attached.notes, words=words)

    async def interpret(self, turn: Turn, interaction: Interaction) -> Outcome:
        return await self._interpreter.interpret(turn, interaction)

    async def follow(self, running: RunningTurn) -> Outcome | None:
        return await self.poller.follow(running)

    async def attend(self, running: RunningTurn) -> None:
        await self.poller.attend(running)

    def explain(self, problem: UpstreamError, running: RunningTurn) -> UpstreamError | Refused:
        if isinstance(problem, TimedOut):
            return Unconfirmed()
        return service_tiers.explained(problem, running.turn.settings, self._runtime.today)

    def overtaken(self, new: NewTurn[ResearchRequest]) -> Refused:
        research = new.request.research
        if research is None:
            return super().overtaken(new)
        return BadArgument(
            f"Another call has approved or changed the plan of {research.id} just now. "
            f"{plans.how_to_check(research)}"
        )

    # -- before anything is sent --------------------------------------------------

    async def read_tools(self, owner: str, tools: Sequence[Tool]) -> list[Tool]:
        """The tools a research was given; refuses those Deep Research does not take."""
        read = await self._runtime.read_tools(owner, list(tools))
        for tool in read:
            if tool["type"] in NOT_FOR_RESEARCH:
                raise BadArgument(
                    f"`tools`: Deep Research does not take {tool['type']}. It searches and reads "
                    "the web and runs code by itself, and takes file_search and mcp_server."
                )
        return read

    async def _place(
        self, caller: Caller, conversation_id: str, with_words: WithWords
    ) -> tuple[str, int | None]:
        """The conversation to research in ("": a new one) and the turn to follow, if one is
        named; refuses where that cannot be."""
        if not conversation_id:
            return "", None
        place, _ = await place_at_google(
            self._runtime,
            caller,
            conversation_id,
            with_words,
            unstored="and Deep Research needs storing. Start the research without "
            "`conversation_id`.",
        )
        return place.name, place.turn

    def _check_headers(self, owner: str, plan: Turn) -> None:
        tools = plan.extra.get("tools", ())
        self._runtime.tools.check_hosts(tools)
        try:
            self._runtime.tools.with_headers(owner, tools)
        except BadArgument:
            raise BadArgument(
                "The headers of this plan's MCP servers are kept in memory only, and are gone "
                "since this server was restarted. Start the research again with "
                "start_deep_research and `tools`."
            ) from None


def _details(task: ResearchRequest, topic: str, *, with_words: bool) -> dict[str, Any]:
    """What is written down of a research besides its prompt; `topic` is what all of it is about,
    in short."""
    facts: dict[str, Any] = {
        "background": True,
        "plan": task.plan_first,
        "depth": task.depth,
        "tools": list(task.tools),
    }
    words = {"report_format": task.report_format} if with_words else {}
    if task.research is not None:
        facts["research"] = task.research.id
        words |= {"question": topic} if with_words else {}
    return facts | words


def _content(task: ResearchRequest, attached: Attached) -> str | list[dict[str, Any]]:
    """What is sent. The format comes first: the agent takes no system instruction."""
    is_revision = task.plan_first and task.research is not None
    wanted = "" if is_revision else task.report_format
    text = f"Format of the report: {wanted}\n\n{task.question}" if wanted else task.question
    return [*attached.contents, {"type": "text", "text": text}] if attached.contents else text
