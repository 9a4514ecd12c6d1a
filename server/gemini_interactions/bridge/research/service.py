"""Research: start, approve a plan, check, cancel; the runs survive everything.

What happens to a run is the business of its handler and its poller; here is what callers
may ask of one.
"""

from __future__ import annotations

from dataclasses import replace

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
from ...domain.status import STATUSES
from ...domain.types import Artifact, Turn
from ..requests import Caller, Reply, ResearchRequest, ResearchStatus
from ..runtime import Runtime
from ..turns.execution.executor import TurnExecutor
from ..turns.handlers.research import ResearchHandler
from ..turns.new_turn import NewTurn
from ..turns.submission import TurnSubmission
from ..turns.validation import check_prompt
from . import plans
from . import report as reports


class Researches:
    def __init__(
        self,
        runtime: Runtime,
        submission: TurnSubmission,
        executor: TurnExecutor,
        handler: ResearchHandler,
    ) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._submission = submission
        self._executor = executor
        self._handler = handler

    # -- what tools call ------------------------------------------------------------

    async def start(self, caller: Caller, task: ResearchRequest) -> ResearchStatus:
        """Start a research; returns as soon as Google's id of it is committed."""
        if not task.question.strip():
            raise BadArgument("`question` is empty. Say what to research.")
        check_prompt(self._runtime.config, task.question, "question")
        check_prompt(self._runtime.config, task.report_format, "report_format")
        task = replace(task, tools=await self._handler.read_tools(caller.owner, task.tools))
        queue = self._runtime.resolver.queue_of(task.conversation_id)
        new = NewTurn(caller, "research", task.question, task, queue, task.files)
        return await self._status_of(await self._submission.submit(new, self._handler))

    async def approve(self, caller: Caller, research_id: str, changes: str) -> ResearchStatus:
        """Run a plan, or have it revised."""
        research, _ = await self._newest(caller.owner, research_id)
        changes = changes.strip()
        check_prompt(self._runtime.config, changes, "changes")
        prompt = changes or reports.APPROVED
        task = ResearchRequest(prompt, plan_first=bool(changes), research=research)
        new = NewTurn(caller, "research", prompt, task)
        return await self._status_of(await self._submission.submit(new, self._handler))

    async def check(self, caller: Caller, research_id: str, wait: float) -> ResearchStatus:
        """How a research stands; waits for at most `wait` seconds within the time budget."""
        if not research_id:
            research_id = await self._runtime.sessions.default_research(caller)
        handle, turn = await self._newest(caller.owner, research_id)
        turn = await self._submission.collect(caller, turn, wait)
        await self._runtime.sessions.set_default(caller, "research", handle.id)
        return await self._progress(turn, handle)

    async def status(self, caller: Caller, research_id: str) -> ResearchStatus:
        """How a research stands as far as is known here: Google is not asked, nothing is read."""
        handle, turn = await self._newest(caller.owner, research_id)
        return await self._progress(turn, handle)

    async def cancel(self, caller: Caller, research_id: str) -> ResearchStatus:
        """Stop a run here and at Google, and say what was kept."""
        handle, turn = await self._newest(caller.owner, research_id)
        note = ""
        if _is_over(turn):
            note = f"There was nothing to cancel: the research {plans.state(turn)}."
        else:
            turn = await self._stopped(caller, handle, turn)
            if not turn.is_final:
                note = (
                    "Google has not confirmed this research yet, so there is nothing to cancel "
                    "there so far. Call cancel_research again in a moment."
                )
            elif turn.status != "cancelled":
                note = f"It was over before it could be cancelled: it {plans.state(turn)}."
        return replace(await self._progress(turn, handle), note=note)

    async def report(self, owner: str, research_id: str) -> str:
        """The finished report in Markdown, for the resource of that name."""
        handle, turn = await self._newest(owner, research_id)
        turn = await self._executor.recovery.with_words(turn)
        if not turn.has_answer or not turn.text:
            raise UnknownId(f"{handle.id} has no report yet: it {plans.state(turn)}.")
        return turn.text

    async def stands(self, turn: Turn) -> ResearchStatus | None:
        """How the research of a turn stands; None for one it has gone on from, such as a plan."""
        handles = await self._store.handles_of(turn)
        handle = next((each for each in handles if each.kind == "research"), None)
        return await self._progress(turn, handle) if handle else None

    async def _stopped(self, caller: Caller, handle: Artifact, turn: Turn) -> Turn:
        """The turn once it is stopped, or as it is while there is nothing to stop."""
        running = self._executor.running.of(turn)
        if running is not None:
            if running.turn.sent is None:
                return await self._executor.stop(turn)
            await running.until_named(self._submission.left(caller), caller.progress)
            turn = running.turn
        elif not turn.interaction_id:
            turn = await self._executor.until_final(turn, 0, caller.progress)
        if not turn.interaction_id or _is_over(turn):
            return turn
        try:
            outcome = await self._handler.poller.stop(turn, self._submission.left(caller))
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
        return await self._executor.conclude(turn, outcome)

    # -- telling ------------------------------------------------------------------

    async def _status_of(self, reply: Reply) -> ResearchStatus:
        if reply.artifact is None:  # cannot be: a research is named with its turn
            raise UnknownId(f"{reply.turn.id} is not a research.")
        return replace(await self._progress(reply.turn, reply.artifact), joined=reply.joined)

    async def _newest(self, owner: str, research_id: str) -> tuple[Artifact, Turn]:
        id = read_id(research_id)
        if id.kind == "research":
            handle = await self._store.handle(owner, id.name)
        else:
            handle = await self._named(owner, id)
        turn: Turn | None = None
        if handle is not None and id.kind == "research" and id.turn is not None:
            turn = await plans.nth_turn(self._store, handle, id.turn)
        elif handle is not None:
            turn = await self._store.turn(owner, handle.conversation_id, handle.n)
        if handle is None or turn is None:
            raise UnknownId(
                f"There is no research '{id}' here. "
                'Call gemini_history with kind "research" to see those there are.'
            )
        return handle, turn

    async def _named(self, owner: str, id: Id) -> Artifact:
        """The research of a turn that is named in another way; refuses what is none."""
        turn = None if id.kind == "interaction" else await self._runtime.resolver.find(owner, id)
        handle = await self.of(turn) if turn is not None and turn.kind == "research" else None
        if handle is None:
            raise BadArgument(
                f"{id} is not a research. Research ids look like r_4k9x2m7q0z; "
                'gemini_history with kind "research" lists them.'
            )
        return handle

    async def of(self, turn: Turn) -> Artifact | None:
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
        running = self._executor.running.of(turn)
        doing = running.doing if running is not None else str(turn.extra.get("doing", ""))
        charts = await self._runtime.artifacts.of(turn) if turn.is_final else []
        plan = None
        if STATUSES[turn.status].ended_badly:
            plan = await plans.waiting_plan(self._store, handle, turn)
        return ResearchStatus(
            handle,
            turn,
            reports.duration(turn, self._runtime.now()),
            "" if turn.is_final else doing,
            charts,
            has_plan=plan is not None,
        )


def _is_over(turn: Turn) -> bool:
    """Whether nothing of it runs at Google any more, as far as is known here."""
    return turn.is_final and not (turn.is_given_up and turn.interaction_id)
