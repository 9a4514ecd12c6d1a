"""Research: Deep Research runs that survive everything.

Intent row, create, id committed, answer. From then on a run belongs to whichever process
holds its lease: it is looked at in growing intervals until Google is done with it, and its
report is kept here, with its charts as files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from .. import models
from ..draft import Draft
from ..errors import BadArgument, UnknownId, UpstreamError
from ..ids import read_id
from ..interactions import Call, Handle, Interaction, Settings, Turn
from . import outcomes, reports
from .attachments import Attached, Attachments
from .chains import Chains, passed_over
from .desk import Desk
from .outcomes import Outcome
from .places import Places, unknown
from .ports import Gemini, Store
from .requests import Caller
from .sessions import LIST_THEM, MEMORY, Sessions
from .toolbox import Toolbox
from .watching import Watching
from .work import Work
from .workshop import Policy, Workshop

APPROVED = "The plan is approved. Carry it out."


@dataclass(frozen=True, slots=True)
class Task:
    """What to research, and how."""

    question: str
    depth: str = "fast"
    plan_first: bool = False
    tools: Sequence[Mapping[str, Any]] = ()
    report_format: str = ""
    conversation_id: str = ""
    files: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How a research stands: its newest turn, and what is known of a run that goes on."""

    handle: Handle
    turn: Turn
    elapsed: str
    doing: str = ""
    joined: bool = False
    charts: Sequence[Handle] = field(default_factory=tuple)
    note: str = ""


class Researches:
    """What the research toolset does; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        workshop: Workshop,
        desk: Desk,
        places: Places,
        sessions: Sessions,
        toolbox: Toolbox,
        attachments: Attachments,
        watching: Watching,
        policy: Policy,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._workshop = workshop
        self._desk = desk
        self._places = places
        self._sessions = sessions
        self._toolbox = toolbox
        self._attachments = attachments
        self._watching = watching
        self._policy = policy
        self._now = now
        self._chains = Chains(store)

    # -- what tools call ------------------------------------------------------------

    async def start(self, caller: Caller, task: Task) -> Progress:
        """Start a research; returns as soon as Google's id of it is committed."""
        if not task.question.strip():
            raise BadArgument("`question` is empty. Say what to research.")
        self._desk.check_prompt(task.question, "question")
        tools = self._toolbox.read(list(task.tools))
        if any(tool["type"] == "function" for tool in tools):
            raise BadArgument("`tools`: Deep Research takes no functions.")
        running = await self._repeated(caller)
        if running is not None:
            return replace(await self._progress(running), joined=True)
        place = None
        if task.conversation_id:
            place = await self._places.to_continue(caller, task.conversation_id, None)
            if place.kind == "interaction":
                raise BadArgument(
                    "`conversation_id` takes conversations of this server (c_…) here; only "
                    "gemini_continue takes Google's own ids."
                )
            before = await self._places.before(caller.owner, place)
            if not await self._places.is_stored(before):
                raise BadArgument(
                    "That conversation was started with store=false, and Deep Research needs "
                    "storing. Start the research without `conversation_id`."
                )
        await self._desk.admit(caller.owner)
        extra = {
            "plan": task.plan_first,
            "depth": task.depth,
            "tools": self._toolbox.without_headers(caller.owner, tools),
            "report_format": task.report_format,
        }
        attached = await self._attachments.read(caller.owner, task.files)
        handle: Handle | None = None
        with anyio.CancelScope(shield=True):
            written = self._intent(caller, task.question, extra, attached)
            turn = (
                await self._store.begin(caller.owner, **written)
                if place is None
                else await self._store.follow(
                    caller.owner, place.name, parent=place.turn, **written
                )
            )
            if turn is not None:
                handle = await self._store.add_handle(
                    caller.owner,
                    "research",
                    turn.conversation_id,
                    turn.n,
                    now=self._now(),
                    facts={"question": task.question[:500]},
                )
                self._set_to(turn, task.question, attached)
        if turn is None or handle is None:
            raise BadArgument(f"That conversation is no longer here. {LIST_THEM}")
        return await self._under_way(caller, turn, handle)

    async def approve(self, caller: Caller, research_id: str, changes: str) -> Progress:
        """Run a plan, or have it revised."""
        handle, plan = await self._newest(caller.owner, research_id)
        if not plan.extra.get("plan"):
            raise BadArgument(
                f"{handle.id} has no plan to approve: it {_state(plan)}. "
                f'Call check_research with research_id "{handle.id}".'
            )
        if plan.status != "plan_ready":
            raise BadArgument(
                f"The plan of {handle.id} is not ready: it {_state(plan)}. "
                f'Call check_research with research_id "{handle.id}".'
            )
        running = await self._repeated(caller)
        if running is not None:
            return replace(await self._progress(running), joined=True)
        await self._desk.admit(caller.owner)
        extra = {**plan.extra, "plan": bool(changes)}
        with anyio.CancelScope(shield=True):
            written = self._intent(caller, changes or APPROVED, extra, Attached())
            turn = await self._store.follow(
                caller.owner, handle.conversation_id, parent=plan.n, **written
            )
            if turn is not None:
                await self._store.move_handle(handle, n=turn.n)
                self._set_to(turn, changes or APPROVED, Attached())
        if turn is None:
            raise unknown(read_id(handle.id))
        return await self._under_way(caller, turn, handle)

    async def check(self, caller: Caller, research_id: str, wait: float) -> Progress:
        """How a research stands; waits for at most `wait` seconds within the time budget."""
        if not research_id:
            research_id = await self._sessions.default_research(caller)
        handle, turn = await self._newest(caller.owner, research_id)
        if turn.status in ("stalled", "interrupted") and turn.interaction_id:
            turn = await self._watching.look_again(turn)
        if not turn.is_final:
            turn = await self._waited(caller, turn, min(wait, self._policy.max_wait))
        if turn.is_final:
            await self._store.waits(turn, "delivered", now=self._now())
        await self._sessions.researched(caller, handle.id)
        return await self._progress(turn, handle)

    async def cancel(self, caller: Caller, research_id: str) -> Progress:
        """Stop a run here and at Google, and say what was kept."""
        handle, turn = await self._newest(caller.owner, research_id)
        if turn.is_final:
            return replace(
                await self._progress(turn, handle),
                note=f"There was nothing to cancel: the research {_state(turn)} already.",
            )
        work = self._workshop.works.of(turn)
        if work is not None:
            if not work.turn.interaction_id and work.turn.sent is not None:
                await work.until_named(10.0)  # it may be running at Google already
            turn = await self._workshop.stop(turn)
        elif turn.interaction_id:
            turn = await self._cancelled_elsewhere(turn)
        return await self._progress(turn, handle)

    async def report(self, owner: str, research_id: str) -> str:
        """The finished report in Markdown, for the resource of that name."""
        handle, turn = await self._newest(owner, research_id)
        if not turn.text:
            raise UnknownId(f"{handle.id} has no report yet: it {_state(turn)}.")
        return turn.text

    # -- starting -----------------------------------------------------------------

    def _intent(
        self,
        caller: Caller,
        prompt: str,
        extra: Mapping[str, Any],
        attached: Attached,
    ) -> dict[str, Any]:
        text = {"type": "text", "text": prompt}
        return {
            "kind": "research",
            **self._desk.intent(
                caller,
                prompt,
                {**extra, "background": True},
                settings=Settings(model=models.agent_of(extra["depth"])),
                input=[*attached.kept(), text] if attached.contents else None,
            ),
        }

    def _set_to(self, turn: Turn, prompt: str, attached: Attached) -> None:
        async def made(work: Work) -> Outcome | None:
            await self._send(work, prompt, attached)
            return await self._watching.watched(work)

        self._workshop.undertake(turn, made)

    async def _under_way(self, caller: Caller, turn: Turn, handle: Handle) -> Progress:
        """Wait only until Google's id is committed; the rest is for check_research."""
        work = self._workshop.works.of(turn)
        try:
            if work is not None:
                await work.until_named(self._policy.max_wait)
        finally:
            with anyio.CancelScope(shield=True):
                await self._sessions.researched(caller, handle.id)
                await self._store.waits(turn, "owed", now=self._now())
        turn = work.turn if work is not None else turn
        return await self._progress(turn, handle)

    async def _send(self, work: Work, prompt: str, attached: Attached) -> None:
        """Wait for the turn before where there is one, then create the run, once."""
        turn = work.turn
        before = await self._workshop.predecessor(turn)
        good = await self._chains.last_good(before) if before else None
        extra = turn.extra
        await self._workshop.sending(work, turn.settings, good, passed_over(before, good))
        call = Call(
            input=_input(turn, prompt, attached),
            agent=turn.settings.model,
            agent_config={
                "type": "deep-research",
                "thinking_summaries": "auto",
                **({"collaborative_planning": True} if extra.get("plan") else {}),
            },
            previous_interaction_id=good.interaction_id if good else "",
            tools=self._toolbox.with_headers(turn.owner, extra.get("tools", ())),
            background=True,
            timeout=60.0,
        )
        created = await self._workshop.create(work, call)
        await self._workshop.named(work, created.id)
        work.hear(Draft.of(created))

    async def _repeated(self, caller: Caller) -> Turn | None:
        if not caller.fingerprint:
            return None
        return await self._store.joinable(
            caller.owner, caller.session, caller.fingerprint, since=self._now() - MEMORY
        )

    # -- telling ------------------------------------------------------------------

    async def _newest(self, owner: str, research_id: str) -> tuple[Handle, Turn]:
        id = read_id(research_id)
        if id.kind != "research":
            raise BadArgument(
                f"{id} is not a research. Research ids look like r_4k9x2m7q0z; "
                'gemini_history with kind "research" lists them.'
            )
        handle = await self._store.handle(owner, id.name)
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

    async def _progress(self, turn: Turn, handle: Handle | None = None) -> Progress:
        kept = await self._store.handles_of(turn)
        handle = handle or next(each for each in kept if each.kind == "research")
        work = self._workshop.works.of(turn)
        doing = work.doing if work is not None else str(turn.extra.get("doing", ""))
        return Progress(
            handle,
            turn,
            reports.duration(turn, self._now()),
            "" if turn.is_final else doing,
            charts=[each for each in kept if each.kind == "image"],
        )

    async def _waited(self, caller: Caller, turn: Turn, wait: float) -> Turn:
        """Wait with the event stream open while it lives; polls stay the source of truth."""
        work = self._workshop.works.of(turn)
        if work is not None:
            work.nudge()
        if wait <= 0:
            return await self._workshop.until_final(turn, 0, caller.progress)
        if work is None or not turn.interaction_id:
            return await self._workshop.until_final(turn, wait, caller.progress)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watching.listen, work)
            turn = await self._workshop.until_final(turn, wait, caller.progress)
            tasks.cancel_scope.cancel()
        return turn

    async def _cancelled_elsewhere(self, turn: Turn) -> Turn:
        """A run that another process watches: end it at Google and in the store."""
        try:
            interaction = await self._gemini.cancel(turn.interaction_id)
        except UpstreamError:
            interaction = Interaction(turn.interaction_id, "cancelled")
        return await self._workshop.settle(turn, outcomes.cancelled(interaction))


def _input(turn: Turn, prompt: str, attached: Attached) -> str | list[dict[str, Any]]:
    """The question behind the wished format: the agent takes no system instruction."""
    wanted = turn.extra.get("report_format", "")
    if wanted:
        prompt = f"Format of the report: {wanted}\n\n{prompt}"
    text = {"type": "text", "text": prompt}
    return [*attached.contents, text] if attached.contents else prompt


def _state(turn: Turn) -> str:
    """How a research stands, as the end of a sentence."""
    return {
        "running": "is still running",
        "plan_ready": "has a plan that waits for approval",
        "completed": "is completed",
        "incomplete": "ended incomplete",
    }.get(turn.status, f"was {turn.status}" if turn.status != "failed" else "failed")
