"""Research: Deep Research runs that survive everything.

Intent row, create, id committed, answer. From then on a run belongs to whichever process
holds its lease: it is looked at in growing intervals until Google is done with it, and its
report is kept here, with its charts as files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from ...domain.errors import (
    BadArgument,
    Refused,
    Rejected,
    TimedOut,
    UnknownId,
    UpstreamError,
    WrongKey,
)
from ...domain.ids import Id, read_id
from ...domain.types import Artifact, Tool, Turn
from ..artifact_repository import ArtifactRepository
from ..attachments import Attachments
from ..builtin_tool_policy import BuiltinToolPolicy
from ..ports import Store
from ..requests import Caller, ResearchRequest, ResearchStatus
from ..turns import function_calls
from ..turns.executor import TurnExecutor
from ..turns.handlers.research import EXCERPT, Brief, ResearchStarter
from ..turns.retry_policy import Policy
from ..turns.session_registry import LIST_THEM, MEMORY, SessionRegistry
from ..turns.submission import TurnSubmission
from ..turns.turn_resolver import TurnResolver
from . import report as reports
from .poller import ResearchPoller

NOT_FOR_RESEARCH = ("function", "google_maps", "computer_use")
ENDED_BADLY = ("failed", "interrupted", "cancelled", "stalled")


class Researches:
    """What the research toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        workshop: TurnExecutor,
        desk: TurnSubmission,
        places: TurnResolver,
        sessions: SessionRegistry,
        toolbox: BuiltinToolPolicy,
        attachments: Attachments,
        watching: ResearchPoller,
        gallery: ArtifactRepository,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._desk = desk
        self._places = places
        self._sessions = sessions
        self._toolbox = toolbox
        self._attachments = attachments
        self._watching = watching
        self._gallery = gallery
        self._launching = ResearchStarter(
            store, workshop, desk, toolbox, attachments, watching, policy, now
        )
        self._policy = policy
        self._now = now

    # -- what tools call ------------------------------------------------------------

    async def start(self, caller: Caller, task: ResearchRequest) -> ResearchStatus:
        """Start a research; returns as soon as Google's id of it is committed."""
        if not task.question.strip():
            raise BadArgument("`question` is empty. Say what to research.")
        self._desk.check_prompt(task.question, "question")
        self._desk.check_prompt(task.report_format, "report_format")
        tools = self._tools(task)
        joined = await self._joined(caller)
        if joined is not None:
            return joined
        async with self._desk.in_line(caller, self._places.line(task.conversation_id)):
            begun = await self._begun(caller, task, tools)
        return await self._under_way(caller, *begun)

    async def _begun(
        self, caller: Caller, task: ResearchRequest, tools: Sequence[Tool]
    ) -> tuple[Turn, Artifact]:
        conversation_id, parent = await self._place(caller, task.conversation_id)
        await self._desk.admit(caller.owner)
        brief = Brief(
            task.question,
            task.question[:EXCERPT],
            task.depth,
            task.plan_first,
            self._toolbox.without_headers(caller.owner, tools),
            task.report_format,
            await self._attachments.read(caller.owner, task.files, self._desk.left(caller)),
        )
        begun = await self._launching.begin(caller, brief, conversation_id, parent)
        if begun is None:  # deleted between two looks
            raise BadArgument(f"That conversation is no longer here. {LIST_THEM}")
        return begun

    async def approve(self, caller: Caller, research_id: str, changes: str) -> ResearchStatus:
        """Run a plan, or have it revised."""
        handle, newest = await self._newest(caller.owner, research_id)
        changes = changes.strip()
        self._desk.check_prompt(changes, "changes")
        joined = await self._joined(caller)
        if joined is not None:
            return joined
        check = f'Call check_research with research_id "{handle.id}".'
        plan = await self._plan(handle, newest)
        if plan is None:
            is_coming = newest.extra.get("plan") and not newest.is_final
            problem = (
                f"The plan of {handle.id} is not ready"
                if is_coming
                else f"{handle.id} has no plan to approve"
            )
            raise BadArgument(f"{problem}: it {_state(newest)}. {check}")
        await self._desk.admit(caller.owner)
        self._check_headers(caller.owner, plan)
        brief = Brief.after(plan, handle.id, changes or reports.APPROVED, is_plan=bool(changes))
        turn = await self._launching.go_on(caller, brief, handle, plan)
        if turn is None:
            raise BadArgument(
                f"Another call has approved or changed the plan of {handle.id} just now. {check}"
            )
        await self._desk.collected(plan)  # to approve a plan is to have read it
        return await self._under_way(caller, turn, handle)

    async def check(self, caller: Caller, research_id: str, wait: float) -> ResearchStatus:
        """How a research stands; waits for at most `wait` seconds within the time budget."""
        if not research_id:
            research_id = await self._sessions.default_research(caller)
        handle, turn = await self._newest(caller.owner, research_id)
        turn = await self._desk.collect(caller, turn, wait)
        await self._sessions.researched(caller, handle.id)
        return await self._progress(turn, handle)

    async def cancel(self, caller: Caller, research_id: str) -> ResearchStatus:
        """Stop a run here and at Google, and say what was kept."""
        handle, turn = await self._newest(caller.owner, research_id)
        note = ""
        if _is_over(turn):
            note = f"There was nothing to cancel: the research {_state(turn)}."
        else:
            turn = await self._stopped(caller, handle, turn)
            if not turn.is_final:
                note = (
                    "Google has not confirmed this research yet, so there is nothing to cancel "
                    "there so far. Call cancel_research again in a moment."
                )
            elif turn.status != "cancelled":
                note = f"It was over before it could be cancelled: it {_state(turn)}."
        return replace(await self._progress(turn, handle), note=note)

    async def report(self, owner: str, research_id: str) -> str:
        """The finished report in Markdown, for the resource of that name."""
        handle, turn = await self._newest(owner, research_id)
        turn = await self._workshop.with_words(turn)
        if turn.status not in ("completed", "incomplete") or not turn.text:
            raise UnknownId(f"{handle.id} has no report yet: it {_state(turn)}.")
        return turn.text

    async def stands(self, turn: Turn) -> ResearchStatus | None:
        """How the research of a turn stands; None for one it has gone on from, such as a plan."""
        handles = await self._store.handles_of(turn)
        handle = next((each for each in handles if each.kind == "research"), None)
        return await self._progress(turn, handle) if handle else None

    # -- before anything is sent --------------------------------------------------

    def _tools(self, task: ResearchRequest) -> list[Tool]:
        tools = self._toolbox.read(list(task.tools))
        for tool in tools:
            if tool["type"] in NOT_FOR_RESEARCH:
                raise BadArgument(
                    f"`tools`: Deep Research does not take {tool['type']}. It searches and reads "
                    "the web and runs code by itself, and takes file_search and mcp_server."
                )
        return tools

    async def _place(self, caller: Caller, conversation_id: str) -> tuple[str, int | None]:
        """The conversation to research in ("": a new one) and the turn to follow, if one is
        named; refuses where that cannot be."""
        if not conversation_id:
            return "", None
        place = await self._places.of_ours(caller, conversation_id)
        before = await self._places.before(caller.owner, place)
        if not await self._places.is_stored(before):
            raise BadArgument(
                "That conversation was started with store=false, and Deep Research needs "
                "storing. Start the research without `conversation_id`."
            )
        if before.status == "requires_action":
            raise function_calls.waits(await self._workshop.with_words(before))
        return place.name, place.turn

    def _check_headers(self, owner: str, plan: Turn) -> None:
        tools = plan.extra.get("tools", ())
        self._toolbox.check_hosts(tools)
        try:
            self._toolbox.with_headers(owner, tools)
        except BadArgument:
            raise BadArgument(
                "The headers of this plan's MCP servers are kept in memory only, and are gone "
                "since this server was restarted. Start the research again with "
                "start_deep_research and `tools`."
            ) from None

    async def _plan(self, handle: Artifact, newest: Turn) -> Turn | None:
        """The plan that waits for approval: the newest turn, or the one it was to follow where
        it ended badly."""
        found: Turn | None = newest
        while found is not None and found.status in ENDED_BADLY:
            if found.parent is None or found.extra.get("research") != handle.id:
                return None
            found = await self._store.turn(found.owner, found.conversation_id, found.parent)
        return found if found is not None and found.status == "plan_ready" else None

    async def _joined(self, caller: Caller) -> ResearchStatus | None:
        """What an identical call began, of which nobody has read the outcome yet."""
        if not caller.fingerprint:
            return None
        turn = await self._store.joinable(
            caller.owner, caller.session, caller.fingerprint, since=self._now() - MEMORY
        )
        stands = await self.stands(turn) if turn is not None else None
        if turn is None or stands is None:
            return None
        await self._sessions.researched(caller, stands.handle.id)
        if not turn.is_final:
            await self._store.waits(turn, "owed", now=self._now())
            return replace(stands, joined=True)
        turn = await self._workshop.with_words(turn)
        await self._desk.collected(turn)
        return replace(stands, turn=turn, joined=True)

    # -- under way ----------------------------------------------------------------

    async def _under_way(self, caller: Caller, turn: Turn, handle: Artifact) -> ResearchStatus:
        """Wait only until Google's id is committed; the rest is for check_research."""
        work = self._workshop.works.of(turn)
        try:
            with self._sessions.starting(caller, handle.id):
                if work is not None:
                    await work.until_named(self._desk.left(caller), caller.progress)
        finally:
            with anyio.CancelScope(shield=True):
                await self._sessions.researched(caller, handle.id)
                await self._store.waits(turn, "owed", now=self._now())
        return await self._progress(work.turn if work is not None else turn, handle)

    async def _stopped(self, caller: Caller, handle: Artifact, turn: Turn) -> Turn:
        """The turn once it is stopped, or as it is while there is nothing to stop."""
        work = self._workshop.works.of(turn)
        if work is not None:
            if work.turn.sent is None:
                return await self._workshop.stop(turn)
            await work.until_named(self._desk.left(caller), caller.progress)
            turn = work.turn
        elif not turn.interaction_id:
            turn = await self._workshop.until_final(turn, 0, caller.progress)
        if not turn.interaction_id or _is_over(turn):
            return turn
        try:
            outcome = await self._watching.stopped(turn, self._desk.left(caller))
        except TimedOut:
            raise Refused(
                f"Google did not confirm in time that {handle.id} is cancelled: it may go on "
                "there. Call cancel_research again in a moment."
            ) from None
        except (Rejected, WrongKey) as problem:
            raise Refused(
                f"{handle.id} could not be cancelled and goes on at Google. {problem.message}"
            ) from None
        except UpstreamError:  # whose words are about creates, which cost something
            raise Refused(
                f"{handle.id} could not be cancelled just now and goes on at Google. "
                "Call cancel_research again in a moment."
            ) from None
        return await self._workshop.conclude(turn, outcome)

    # -- telling ------------------------------------------------------------------

    async def _newest(self, owner: str, research_id: str) -> tuple[Artifact, Turn]:
        id = read_id(research_id)
        if id.kind == "research":
            handle = await self._store.handle(owner, id.name)
        else:
            handle = await self._named(owner, id)
        turn = (
            await self._store.turn(owner, handle.conversation_id, handle.n)
            if handle is not None
            else None
        )
        if handle is None or turn is None:
            raise UnknownId(
                f"There is no research '{id.name}' here. "
                'Call gemini_history with kind "research" to see those there are.'
            )
        return handle, turn

    async def _named(self, owner: str, id: Id) -> Artifact:
        """The research of a turn that is named in another way; refuses what is none."""
        turn = None if id.kind == "interaction" else await self._places.find(owner, id)
        handle = await self._of(turn) if turn is not None and turn.kind == "research" else None
        if handle is None:
            raise BadArgument(
                f"{id} is not a research. Research ids look like r_4k9x2m7q0z; "
                'gemini_history with kind "research" lists them.'
            )
        return handle

    async def _of(self, turn: Turn) -> Artifact | None:
        """The research a turn belongs to, which may have gone on from it since."""
        names = await self._store.handles_of(turn)
        handle = next((each for each in names if each.kind == "research"), None)
        # What went on from a plan says whose plan it was.
        later: Turn | None = turn
        while handle is None and later is not None:
            if later.n == turn.n or later.parent == turn.n:
                handle = await self._store.handle(turn.owner, later.extra.get("research", ""))
            later = await self._store.turn(turn.owner, turn.conversation_id, later.n + 1)
        return handle

    async def _progress(self, turn: Turn, handle: Artifact) -> ResearchStatus:
        work = self._workshop.works.of(turn)
        doing = work.doing if work is not None else str(turn.extra.get("doing", ""))
        charts = await self._gallery.of(turn) if turn.is_final else []
        plan = await self._plan(handle, turn) if turn.status in ENDED_BADLY else None
        return ResearchStatus(
            handle,
            turn,
            reports.duration(turn, self._now()),
            "" if turn.is_final else doing,
            charts,
            has_plan=plan is not None,
        )


def _is_over(turn: Turn) -> bool:
    """Whether nothing of it runs at Google any more, as far as is known here."""
    given_up = turn.status in ("stalled", "interrupted") and turn.interaction_id
    return turn.is_final and not given_up


def _state(turn: Turn) -> str:
    """How a research stands, as the end of a sentence."""
    told = {
        "running": "is still running",
        "plan_ready": "has a plan that waits for approval",
        "completed": "is completed",
        "incomplete": "ended incomplete",
        "requires_action": "waits for function results",
        "failed": "failed",
    }
    return told.get(turn.status, f"was {turn.status}")
