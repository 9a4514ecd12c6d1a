"""Turn submission: admission control, persist the intent, start execution, wait for the result.

Once something is written down it is also made, whatever becomes of the call. What a call
did not wait for is owed: an identical call within ten minutes gets it instead of paying
for it again. Some clients send a call again while they wait: theirs also gets the turn of
the one call that is waited for.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal
from weakref import WeakValueDictionary

import anyio
import anyio.lowlevel

from ...domain.daily_limits import Reservation
from ...domain.models import model_catalog
from ...domain.types import Artifact, Turn
from ..requests import Caller, Reply
from ..runtime import Runtime
from .default_conversation import MEMORY
from .execution.executor import TurnExecutor
from .new_turn import NewTurn
from .service_tiers import FLEX, FLEX_WAIT, default
from .turn_handler import TurnHandler

log = logging.getLogger(__name__)

RESENT_AFTER = 5.0
"""For how long a call must have been waited for, in seconds, to be one that was given up: what
comes sooner was meant to be a call of its own."""


class TurnSubmission:
    def __init__(self, runtime: Runtime, executor: TurnExecutor) -> None:
        self._runtime = runtime
        self._executor = executor
        self._queues: MutableMapping[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    async def submit(self, new: NewTurn[Any], handler: TurnHandler[Any]) -> Reply:
        """What an identical call has left to be read, or else a new turn; waits for its outcome
        within the time budget, or for Google's id of a background turn."""
        async with self._in_order(new.caller, new.queue):
            new = await self._with_contents(new)
            caller = new.caller
            reply = await self._joined(new, handler)
            if reply is not None:
                caller.joins()
                for _, piece in new.attached.waiting:
                    piece.close()
            else:
                new = await handler.prepare(new, self._executor.recovery.with_words)
                reply = await self._begin(await self._with_files(new), handler)
        if handler.sends == "background":
            return await self._acknowledge(caller, reply, handler)
        return await self._answer(caller, reply, handler)

    async def admit(self, owner: str) -> None:
        """Refuse what would not be made: no key, a daily limit reached, too much waiting."""
        self._runtime.gemini.require_key()
        self._executor.admit(owner)
        if self._runtime.budget.is_limited:
            await self._runtime.budget.check(owner)

    @asynccontextmanager
    async def _in_order(self, caller: Caller, queue: str) -> AsyncIterator[None]:
        if not queue:
            yield
            return
        async with self._queues.setdefault((caller.owner, queue), anyio.Lock()):
            yield

    def left(self, caller: Caller) -> float:
        """Seconds of the caller's time budget that are left."""
        budget = self._runtime.max_wait if caller.max_wait is None else caller.max_wait
        return caller.came + budget - anyio.current_time()

    def _time_left(self, caller: Caller) -> float:
        """Seconds that a call still waits for its outcome, before it goes on as a task at the
        latest."""
        left = self.left(caller)
        if caller.task_after is None:
            return left
        return min(left, caller.came + caller.task_after - anyio.current_time())

    # -- a new turn -------------------------------------------------------------------

    async def _with_contents(self, new: NewTurn[Any]) -> NewTurn[Any]:
        """The turn with its files. The same name stands for other contents after each edit, and
        only a call with the same contents is the same call."""
        caller = new.caller
        if not caller.fingerprint or not new.files:
            return new
        attached = await self._runtime.attachments.read(caller.owner, new.files, self.left(caller))
        # Megabytes are hashed in milliseconds, but not in those of the event loop.
        hash = await anyio.to_thread.run_sync(attached.hash, caller.fingerprint)
        return replace(new, attached=attached, caller=replace(caller, fingerprint=hash))

    async def _with_files(self, new: NewTurn[Any]) -> NewTurn[Any]:
        """The turn with its files, which are read once it is sure to be sent."""
        if not new.files or new.attached.contents:
            return new
        caller = new.caller
        await self.admit(caller.owner)
        attached = await self._runtime.attachments.read(caller.owner, new.files, self.left(caller))
        return replace(new, attached=attached)

    async def _begin(self, new: NewTurn[Any], handler: TurnHandler[Any]) -> Reply:
        """Write a turn down and start it."""
        caller = new.caller
        await self.admit(caller.owner)
        reply: Reply | None = None
        with anyio.CancelScope(shield=True):
            turn = await self._persist(new)
            if turn is not None:
                artifact = new.continues or await self._named(turn, new, handler)
                if handler.sends != "background":
                    turn = replace(turn, prompt=new.prompt)
                running = self._executor.start(turn, new)
                if handler.sends != "background" and caller.made(turn):
                    running.end("abort")
                reply = Reply(turn, artifact=artifact)
        if reply is None:
            raise handler.overtaken(new)
        if new.has_read is not None:
            await self.collected(new.has_read)
        return reply

    async def _persist(self, new: NewTurn[Any]) -> Turn | None:
        """The intent, written down before anything is sent; None where its place is gone."""
        runtime, caller = self._runtime, new.caller
        transcripts = runtime.config.transcripts
        said: list[dict[str, Any]] | None = None
        if new.attached.contents:
            said = [*new.attached.kept(), {"type": "text", "text": new.prompt}]
        intent: dict[str, Any] = {
            "kind": new.kind,
            "prompt": new.prompt if transcripts else "",
            "settings": new.settings,
            "session": caller.session,
            "fingerprint": caller.fingerprint,
            "holder": runtime.holder,
            "lease_until": runtime.lease_until,
            "now": runtime.now(),
            "input": said if transcripts else None,
            "extra": dict(new.extra),
            "reservation": self._reservation(new, said),
        }
        if new.conversation_id:
            return await runtime.store.follow(
                caller.owner,
                new.conversation_id,
                parent=new.parent,
                handle=new.continues,
                task={"id": caller.task} if caller.task else None,
                **intent,
            )
        return await runtime.store.begin(
            caller.owner,
            stored=new.stored,
            parent_interaction_id=new.after_interaction,
            **intent,
        )

    def _reservation(
        self, new: NewTurn[Any], said: Sequence[Mapping[str, Any]] | None
    ) -> Reservation:
        """What to hold for a turn; where its settings follow from the turn before it, by what its
        call changes of them."""
        runtime, settings = self._runtime, new.settings
        changes: Mapping[str, Any] = new.extra.get("changes", {})
        if not settings.model:
            choice = model_catalog.choose(
                str(changes.get("model", "")), default=runtime.config.model, today=runtime.today
            )
            settings = replace(
                settings,
                model=choice.model,
                system_instruction=str(changes.get("system_instruction", "")),
                thinking=str(changes.get("thinking", "")),
                tools=tuple(changes.get("tools", ())),
                service_tier=str(
                    changes.get("service_tier") or default(runtime.config.service_tier)
                ),
            )
        return runtime.budget.reservation(
            new.caller.owner, settings.model, new.prompt, new.extra, settings=settings, input=said
        )

    async def _named(
        self, turn: Turn, new: NewTurn[Any], handler: TurnHandler[Any]
    ) -> Artifact | None:
        """The artifact that is named with the turn, for kinds that have one."""
        if handler.artifact is None:
            return None
        return await self._runtime.store.add_handle(
            turn.owner,
            handler.artifact,
            turn.conversation_id,
            turn.n,
            now=self._runtime.now(),
            facts=new.artifact_facts,
        )

    # -- joins --------------------------------------------------------------------

    async def _joined(self, new: NewTurn[Any], handler: TurnHandler[Any]) -> Reply | None:
        """The turn of an identical call that went away, was told "running", or was sent again
        by its client, if any."""
        caller = new.caller
        if not caller.fingerprint:
            return None
        session = _session_of_repeats(new)
        if handler.sends == "background":
            return await self._joined_background(caller, session, handler)
        # A caller that goes away between the two would leave it claimed for ever.
        with anyio.CancelScope(shield=True):
            while (turn := await self._joinable(caller, session)) is not None:
                if await self._runtime.store.claim_join(turn):
                    break
                # Another repeat was faster; there may be one more that is owed.
            if turn is None and caller.resends and handler.may_join_waiting:
                turn = await self._runtime.store.waited_for(
                    caller.owner,
                    session,
                    caller.fingerprint,
                    before=self._runtime.now() - RESENT_AFTER,
                )
            if turn is not None and caller.made(turn):
                await self._executor.stop(turn)
        return Reply(turn, joined=True) if turn is not None else None

    async def _joined_background(
        self, caller: Caller, session: str, handler: TurnHandler[Any]
    ) -> Reply | None:
        turn = await self._joinable(caller, session)
        if turn is None:
            return None
        named = await self._runtime.store.handles_of(turn)
        artifact = next((each for each in named if each.kind == handler.artifact), None)
        # What it named has gone on to another turn, such as from a plan to its run.
        if artifact is None and handler.artifact is not None:
            return None
        return Reply(turn, joined=True, artifact=artifact)

    async def _joinable(self, caller: Caller, session: str) -> Turn | None:
        return await self._runtime.store.joinable(
            caller.owner, session, caller.fingerprint, since=self._runtime.now() - MEMORY
        )

    # -- delivery -----------------------------------------------------------------

    async def _answer(self, caller: Caller, reply: Reply, handler: TurnHandler[Any]) -> Reply:
        """Wait within the time budget, and remember whether the outcome is still owed."""
        turn, kind = reply.turn, handler.session_kind
        active = self._runtime.sessions.active(caller, kind, turn.conversation_id) if kind else None
        with active or nullcontext():
            try:
                with self._executor.reading(turn):
                    left = self._time_left(caller)
                    wait = min(left, FLEX_WAIT)
                    turn = await self._executor.until_final(turn, wait, caller.progress)
                    if not turn.is_final and turn.settings.service_tier != FLEX:
                        left = self._time_left(caller)
                        turn = await self._executor.until_final(turn, left, caller.progress)
                if not turn.is_final:
                    await self._mark(turn, "owed")
                elif turn.delivery != "delivered":
                    await self._mark(turn, "delivered")
                await self._make_default(caller, turn, handler)
                await anyio.lowlevel.checkpoint_if_cancelled()
            except BaseException:
                await self._mark(turn, "owed")
                await self._make_default(caller, turn, handler)
                raise
        return replace(reply, turn=turn)

    async def _acknowledge(self, caller: Caller, reply: Reply, handler: TurnHandler[Any]) -> Reply:
        """Wait only until Google's id is committed: the rest is collected later."""
        turn, kind = reply.turn, handler.session_kind
        name = reply.artifact.id if reply.artifact else turn.conversation_id
        if reply.joined:
            if kind:
                await self._runtime.sessions.set_default(caller, kind, name)
            if not turn.is_final:
                await self._runtime.store.waits(turn, "owed", now=self._runtime.now())
                return reply
            turn = await self._executor.recovery.with_words(turn)
            await self.collected(turn)
            return replace(reply, turn=turn)
        running = self._executor.running.of(turn)
        try:
            active = self._runtime.sessions.active(caller, kind, name) if kind else None
            with active or nullcontext():
                if running is not None:
                    await running.until_named(self.left(caller), caller.progress)
        finally:
            with anyio.CancelScope(shield=True):
                if kind:
                    await self._runtime.sessions.set_default(caller, kind, name)
                await self._runtime.store.waits(turn, "owed", now=self._runtime.now())
        return replace(reply, turn=running.turn if running is not None else turn)

    async def collect(self, caller: Caller, turn: Turn, wait: float) -> Turn:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        is_collected = turn.delivery == "delivered"
        if not turn.is_final:
            wait = min(wait, self.left(caller))
            turn = await self._executor.until_final(turn, wait, caller.progress)
        recovery = self._executor.recovery
        if turn.is_given_up and turn.interaction_id:
            turn = await recovery.look_again(turn, self.left(caller))
        turn = await recovery.with_words(turn, self.left(caller))
        if turn.is_final and not is_collected:
            await self.collected(turn)
        return turn

    async def collected(self, turn: Turn) -> None:
        """A reader has the outcome now; if it goes away this very moment, it is owed again."""
        try:
            await self._mark(turn, "delivered")
            await anyio.lowlevel.checkpoint_if_cancelled()
        except anyio.get_cancelled_exc_class():
            await self._mark(turn, "owed")
            raise

    async def _make_default(self, caller: Caller, turn: Turn, handler: TurnHandler[Any]) -> None:
        """This is the session's conversation now; the answer does not depend on that."""
        # A first turn that failed is nothing to go on with.
        is_dead = turn.status == "failed" and turn.n == 1
        if handler.session_kind is None or is_dead:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._runtime.sessions.set_default(
                    caller, handler.session_kind, turn.conversation_id
                )
            except Exception:
                log.exception("could not write down the conversation of a session")

    async def _mark(self, turn: Turn, delivery: Literal["delivered", "owed"]) -> None:
        """Whether the outcome still has to be read; the answer does not depend on that."""
        with anyio.CancelScope(shield=True):
            try:
                await self._runtime.store.waits(turn, delivery, now=self._runtime.now())
            except Exception:
                log.exception("could not set delivery=%s for turn %s", delivery, turn.id)


def _session_of_repeats(new: NewTurn[Any]) -> str:
    """The session among whose calls an identical one is looked for; "" is any of the owner's.

    A client that sends a call again may do so from another process, which is another session.
    What goes on in the session's own conversation means another one there.
    """
    caller = new.caller
    is_elsewhere = new.kind == "continue" and not new.request.conversation_id
    return "" if caller.resends and not is_elsewhere else caller.session
