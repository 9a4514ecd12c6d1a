"""Tasks: turns that were answered as a task of MCP, found again by the task's id.

A task is a turn under the turn's own id (``c_…/n``, ``r_…/n`` for a research), so there is no
registry: a few facts in the turn's row (`Turn.task`) say that it was answered as one.

`id` is the task that the turn belongs to: its own, or for what went on with a plan by way of the
plan's task that one's. On a task's first turn: `shared`, where another call had begun the work;
`note`, what to say of a cancel that did not work; `answer`, how it was told as ended, where the
turn itself might change after that. On a running turn: `cancel`, where its process is to end it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..domain.errors import BadArgument, Refused, UnknownId
from ..domain.ids import Id, read_id
from ..domain.types import Artifact, Turn
from .requests import Caller
from .research import plans
from .research.service import Researches
from .runtime import Runtime
from .turns.execution.executor import TurnExecutor

LOOK_SECONDS = 2.0
"""How often a turn is worth asking for; a run at Google is as often as we look there."""
SHARED = "An identical earlier call had started this; cancelling it ends that call's work too."
ALSO_ENDED = "This also ended the work of an identical earlier call."
CANCELLED = "Cancelled."


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stands: its `first` turn, which was answered as it, and the one it is at."""

    id: str
    first: Turn
    turn: Turn
    doing: str = ""
    """What is being done, where that is known."""
    updated: float = 0.0
    """When it was last known to be worked on or changed, in epoch seconds."""
    look_seconds: float = LOOK_SECONDS
    research: Artifact | None = None
    number: int = 0
    """Which turn of its research it is at."""
    waits: bool = False
    """Whether it is at a plan that waits for approval."""

    @property
    def answer(self) -> Mapping[str, Any] | None:
        """How it was told as ended, where that is to stay so."""
        found = self.first.task.get("answer")
        return found if isinstance(found, Mapping) else None

    @property
    def asks(self) -> bool:
        """Whether a decision about a plan is still wanted of its client."""
        return self.waits and self.answer is None

    @property
    def research_id(self) -> str:
        return self.research.id if self.research is not None else ""

    @property
    def turn_id(self) -> str:
        """The turn it is at, as tools take it."""
        return f"{self.research_id}/{self.number}" if self.research is not None else self.turn.id

    @property
    def is_cancelled(self) -> bool:
        return (self.answer or {}).get("status") == "cancelled" or self.turn.status == "cancelled"

    @property
    def message(self) -> str:
        """What is being done, in a line or two."""
        is_shared = bool(self.first.task.get("shared"))
        if self.is_cancelled:
            return f"{CANCELLED} {ALSO_ENDED}" if is_shared else CANCELLED
        if self.turn.is_final or self.answer is not None:
            return "A plan waits for approval" if self.asks else "Done"
        doing = "Being cancelled" if self.turn.task.get("cancel") else self.doing
        note = str(self.first.task.get("note") or "")
        return " ".join(each for each in (note, doing, SHARED if is_shared else "") if each)


class Tasks:
    def __init__(self, runtime: Runtime, executor: TurnExecutor, researches: Researches) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._executor = executor
        self._researches = researches

    async def issue(self, owner: str, conversation_id: str, n: int, *, is_joined: bool) -> Task:
        """Write down that a turn is answered as a task, which it was not before or is again."""
        turn = await self._store.turn(owner, conversation_id, n)
        if turn is None:
            raise UnknownId("That turn is no longer here.")
        id = str(turn.task.get("id") or await self._id_of(turn))
        await self._store.mark_task(turn, {"id": id, **({"shared": True} if is_joined else {})})
        task = await self.find(owner, id)
        if task is None:
            raise UnknownId("That turn is no longer here.")
        return task

    async def find(self, owner: str, task_id: str) -> Task | None:
        """The task of this id, if this owner was ever given it."""
        try:
            id = read_id(task_id)
        except BadArgument:
            return None
        if str(id) != task_id or id.turn is None:
            return None
        if id.kind == "turn":
            turn = await self._store.turn(owner, id.name, id.turn)
            return self._task(task_id, turn, turn) if turn is not None else None
        return await self._of_research(owner, id, id.turn)

    async def keep(self, task: Task, answer: Mapping[str, Any]) -> None:
        """Let it be told as ended like that from now on."""
        await self._store.mark_task(task.first, {"answer": dict(answer)})

    async def cancel(self, caller: Caller, task: Task) -> None:
        """End the work of a task, at Google too; where another process does it, that one does so
        when it next renews its lease."""
        if task.asks:
            await self.keep(task, {"status": "cancelled"})
        if task.turn.is_final:
            return
        note = ""
        if task.research is not None:
            try:
                await self._researches.cancel(caller, task.turn_id)
            except Refused as refusal:
                note = str(refusal)
                await self._store.mark_task(task.first, {"note": note})
        elif self._executor.running.of(task.turn) is not None:
            await self._executor.stop(task.turn)
        turn = await self._store.turn(task.turn.owner, task.turn.conversation_id, task.turn.n)
        if turn is not None and not turn.is_final and not note:
            await self._store.mark_task(turn, {"cancel": True})

    # -- finding one ------------------------------------------------------------------

    async def _id_of(self, turn: Turn) -> str:
        research = await self._researches.of(turn) if turn.kind == "research" else None
        if research is None:
            return turn.id
        turns = await plans.turns_of(self._store, research)
        number = next(at for at, each in enumerate(turns, 1) if each.n == turn.n)
        return f"{research.id}/{number}"

    async def _of_research(self, owner: str, id: Id, number: int) -> Task | None:
        research = await self._store.handle(owner, id.name)
        if research is None:
            return None
        turns = await plans.turns_of(self._store, research)
        its = [
            (at, each)
            for at, each in enumerate(turns, 1)
            if at >= number and each.task.get("id") == str(id)
        ]
        if not its or its[0][0] != number:
            return None
        at, turn = its[-1]
        plan = await plans.waiting_plan(self._store, research, turns[-1])
        waits = plan is not None and plan.n == turn.n
        return self._task(str(id), its[0][1], turn, research, at, waits=waits)

    def _task(
        self,
        id: str,
        first: Turn,
        turn: Turn,
        research: Artifact | None = None,
        number: int = 0,
        *,
        waits: bool = False,
    ) -> Task | None:
        if first.task.get("id") != id:
            return None
        running = self._executor.running.of(turn)
        doing = str(turn.extra.get("doing") or "Working")
        is_at_google = bool(turn.extra.get("background"))
        return Task(
            id,
            first,
            turn,
            running.doing if running is not None else doing,
            turn.finished or self._last_seen(turn),
            self._runtime.config.research_poll_seconds if is_at_google else LOOK_SECONDS,
            research,
            number,
            waits,
        )

    def _last_seen(self, turn: Turn) -> float:
        """When a running turn was last known to be worked on: whoever does so renews a lease."""
        renewed = turn.lease_until - self._runtime.config.lease_seconds
        return max(turn.created, min(renewed, self._runtime.now()))
