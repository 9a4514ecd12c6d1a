"""Launching: a research is written down, sent to Google once, and left to those who watch it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from ....domain import model_catalog
from ....domain.errors import Garbled, TimedOut
from ....domain.types import Artifact, CreateRequest, Tool, Turn, TurnSettings
from ...attachments import Attached, Attachments
from ...builtin_tool_policy import BuiltinToolPolicy
from ...ports import Store
from ...requests import Caller
from ...research import report
from ...research.poller import ResearchPoller
from .. import function_calls
from ..executor import TurnExecutor
from ..history_chain import HistoryChain, passed_over
from ..outcomes import Outcome
from ..retry_policy import Policy
from ..running_turns import RunningTurn
from ..submission import TurnSubmission

PATIENCE = 60.0
"""Seconds Google may take to confirm a run; it takes about one."""
EXCERPT = 500
"""Characters of a question that are kept with its id, for lists."""


class Unconfirmed(TimedOut):
    """Google took a run and did not say so in time."""

    @property
    def message(self) -> str:
        return (
            "Google did not confirm this research in time. It may be running there all the same, "
            "and was not sent again, since that could be billed twice."
        )


@dataclass(frozen=True, slots=True)
class Brief:
    """What one turn of a research is to do.

    `question` is what the whole research is about, in short; `research_id` is set where a
    turn goes on with one.
    """

    prompt: str
    question: str
    depth: model_catalog.Depth
    is_plan: bool = False
    tools: Sequence[Tool] = ()
    report_format: str = ""
    attached: Attached = field(default_factory=Attached)
    research_id: str = ""

    @classmethod
    def after(cls, plan: Turn, research_id: str, prompt: str, *, is_plan: bool) -> Brief:
        """The turn that follows a plan: its revision, or the run."""
        told = plan.extra
        return cls(
            prompt,
            report.question(plan)[:EXCERPT],
            told["depth"],
            is_plan,
            told["tools"],
            told.get("report_format", ""),
            research_id=research_id,
        )

    def facts(self, *, with_words: bool) -> dict[str, Any]:
        """What is written down of it besides the prompt."""
        facts: dict[str, Any] = {
            "background": True,
            "plan": self.is_plan,
            "depth": self.depth,
            "tools": list(self.tools),
        }
        words = {"report_format": self.report_format} if with_words else {}
        if self.research_id:
            facts["research"] = self.research_id
            words |= {"question": self.question} if with_words else {}
        return facts | words

    @property
    def content(self) -> str | list[dict[str, Any]]:
        """What is sent. The format comes first: the agent takes no system instruction."""
        is_revision = self.is_plan and self.research_id
        wanted = "" if is_revision else self.report_format
        text = f"Format of the report: {wanted}\n\n{self.prompt}" if wanted else self.prompt
        attached = self.attached.contents
        return [*attached, {"type": "text", "text": text}] if attached else text


class ResearchStarter:
    """Writes researches down and sends them; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        workshop: TurnExecutor,
        desk: TurnSubmission,
        toolbox: BuiltinToolPolicy,
        attachments: Attachments,
        watching: ResearchPoller,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._desk = desk
        self._toolbox = toolbox
        self._attachments = attachments
        self._watching = watching
        self._policy = policy
        self._now = now
        self._chains = HistoryChain(store)

    async def begin(
        self, caller: Caller, brief: Brief, conversation_id: str, parent: int | None
    ) -> tuple[Turn, Artifact] | None:
        """A new research, on its own or in a conversation; None where that is gone."""
        begun: tuple[Turn, Artifact] | None = None
        written = self._written(caller, brief)
        words = {"question": brief.question} if self._policy.transcripts else {}
        with anyio.CancelScope(shield=True):
            if conversation_id:
                turn = await self._store.follow(
                    caller.owner, conversation_id, parent=parent, **written
                )
            else:
                turn = await self._store.begin(caller.owner, **written)
            if turn is not None:
                place = (turn.conversation_id, turn.n)
                handle = await self._store.add_handle(
                    caller.owner, "research", *place, now=self._now(), facts=words
                )
                self._launch(turn, brief)
                begun = turn, handle
        return begun

    async def go_on(
        self, caller: Caller, brief: Brief, handle: Artifact, plan: Turn
    ) -> Turn | None:
        """The next turn of a research; None where another call has gone on with it before."""
        written = self._written(caller, brief)
        with anyio.CancelScope(shield=True):
            turn = await self._store.follow(
                caller.owner, handle.conversation_id, parent=plan.n, handle=handle, **written
            )
            if turn is not None:
                self._launch(turn, brief)
        return turn

    def _written(self, caller: Caller, brief: Brief) -> dict[str, Any]:
        text = {"type": "text", "text": brief.prompt}
        attached = brief.attached
        return {
            "kind": "research",
            **self._desk.intent(
                caller,
                brief.prompt,
                brief.facts(with_words=self._policy.transcripts),
                settings=TurnSettings(model=model_catalog.agent_of(brief.depth)),
                input=[*attached.kept(), text] if attached.contents else None,
            ),
        }

    def _launch(self, turn: Turn, brief: Brief) -> None:
        briefs = [brief]  # given away when it is sent: it may hold the bytes of files

        async def made(work: RunningTurn) -> Outcome | None:
            await self._send(work, briefs.pop())
            return await self._watching.watched(work)

        self._workshop.undertake(turn, made)

    async def _send(self, work: RunningTurn, brief: Brief) -> None:
        """Wait for the turn before where there is one, then create the run, once."""
        brief = replace(brief, attached=await self._attachments.sent(work, brief.attached))
        turn = work.turn
        before = await self._workshop.predecessor(turn)
        good = await self._chains.last_good(before) if before else None
        if good is not None and good.status == "requires_action":
            raise function_calls.waits(await self._workshop.with_words(good))
        call = CreateRequest(
            input=brief.content,
            agent=turn.settings.model,
            agent_config={
                "type": "deep-research",
                "thinking_summaries": "auto",
                **({"collaborative_planning": True} if brief.is_plan else {}),
            },
            previous_interaction_id=good.interaction_id if good else "",
            tools=self._toolbox.with_headers(turn.owner, brief.tools),
            background=True,
            timeout=PATIENCE,
        )
        if good is not None:
            work.rebuild = lambda: self._rebuilt(work, call, good)
        notes = (*passed_over(before, good), *brief.attached.notes)
        await self._workshop.sending(work, turn.settings, good, notes)
        try:
            created = await self._workshop.exchange.create(work, call)
        except TimedOut:
            raise Unconfirmed() from None
        work.rebuild = None
        if not created.id:
            raise Garbled()
        await self._workshop.exchange.named(work, created.id)

    async def _rebuilt(self, work: RunningTurn, call: CreateRequest, good: Turn) -> CreateRequest:
        given = call.input
        content = [{"type": "text", "text": given}] if isinstance(given, str) else given
        words = [{"type": "user_input", "content": content}]
        return await self._chains.rebuilt(
            work, call, good, words, self._now(), is_kept=self._policy.transcripts
        )
