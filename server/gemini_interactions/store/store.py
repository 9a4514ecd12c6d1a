"""The store: all repositories behind one interface; each method is one transaction, in a thread."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Literal

from ..domain.artifact import ArtifactKind
from ..domain.daily_limits import Booking, BudgetState, Reservation
from ..domain.status import Status
from ..domain.types import (
    Artifact,
    Conversation,
    Preparation,
    Step,
    Turn,
    TurnSettings,
    UploadedFile,
    Usage,
)
from . import artifacts as handles
from . import conversations, rate_limits, reservations, sessions, turns
from . import usage as ledger
from .artifacts import ArtifactSummary
from .conversations import ConversationSummary, Deleted, NewTurn
from .databases.database import Database
from .databases.transactions import Transactions
from .environments import EnvironmentRepository
from .file_search import FileSearchRepository
from .oauth_grants import OAuthGrantRepository
from .resource_owners import ResourceOwners
from .row_mapping import EVERYTHING
from .sessions import Session
from .usage import Spent

Delivery = Literal["waiting", "owed", "delivered"]


class Store(Transactions):
    """Everything remembered, each row with its owner; the time is always handed in."""

    def __init__(self, database: Database, url: str = "") -> None:
        super().__init__(database, url)
        self.oauth_grants = OAuthGrantRepository(self._read, self._write)
        self.environments = EnvironmentRepository(self._read, self._write)
        self.names = ResourceOwners(self._read, self._write)
        self.file_search = FileSearchRepository(self._read, self._write)

    # Conversations

    async def begin(
        self,
        owner: str,
        *,
        kind: str,
        prompt: str,
        settings: TurnSettings,
        session: str = "",
        fingerprint: str = "",
        stored: bool = True,
        holder: str,
        lease_until: float,
        now: float,
        input: list[dict[str, Any]] | None = None,
        parent_interaction_id: str = "",
        extra: Mapping[str, Any] | None = None,
        reservation: Reservation | None = None,
    ) -> Turn:
        """A new conversation with its first turn, running; OverLimit where its `reservation` does
        not fit.

        `parent_interaction_id`, where the chain starts from an interaction made elsewhere,
        is kept as `extra["after"]`.
        """
        after = {"after": parent_interaction_id} if parent_interaction_id else {}
        new = NewTurn(
            owner=owner,
            kind=kind,
            prompt=prompt,
            settings=settings,
            session=session,
            fingerprint=fingerprint,
            holder=holder,
            lease_until=lease_until,
            now=now,
            input=input,
            extra={**(extra or {}), **after},
            reservation=reservation,
        )
        return await self._write_new(conversations.begin, new, stored=stored)

    async def follow(
        self,
        owner: str,
        conversation_id: str,
        *,
        kind: str,
        parent: int | None = None,
        prompt: str,
        settings: TurnSettings,
        session: str = "",
        fingerprint: str = "",
        holder: str,
        lease_until: float,
        now: float,
        input: list[dict[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
        handle: Artifact | None = None,
        reservation: Reservation | None = None,
        task: Mapping[str, Any] | None = None,
    ) -> Turn | None:
        """The next turn, running; None where the owner has no such conversation, OverLimit where
        its `reservation` does not fit.

        No `parent` means the newest turn at this moment.
        `handle` names the new turn from now on; None also where it has named another since.
        `task` as for `mark_task`.
        """
        new = NewTurn(
            owner=owner,
            kind=kind,
            prompt=prompt,
            settings=settings,
            session=session,
            fingerprint=fingerprint,
            holder=holder,
            lease_until=lease_until,
            now=now,
            input=input,
            extra=extra or {},
            reservation=reservation,
            task=task,
        )
        return await self._write_new(
            conversations.follow, new, conversation_id, parent=parent, handle=handle
        )

    async def conversation(self, owner: str, conversation_id: str) -> Conversation | None:
        return await self._read(conversations.conversation, owner, conversation_id)

    async def conversations(
        self, owner: str, *, query: str = "", limit: int, offset: int = 0
    ) -> list[ConversationSummary]:
        """Newest activity first; `query` is found literally in prompts and answers, in any case."""
        return await self._read(conversations.summaries, owner, query, limit, offset)

    async def count_conversations(self, owner: str, query: str = "", most: int = EVERYTHING) -> int:
        """How many there are; `most` where there are as many or more."""
        return await self._read(conversations.count, owner, query, most)

    async def delete_conversation(self, owner: str, conversation_id: str) -> Deleted:
        """Nothing of it stays here; its files and what Google has are for the caller to delete."""
        return await self._write(conversations.delete, owner, conversation_id)

    async def delete_older(self, before: float) -> Deleted:
        """Conversations untouched since then, except where something still runs."""
        total = Deleted(0, 0)
        while (batch := await self._write(conversations.delete_older, before)).conversations:
            total += batch
        return total

    # Turns

    async def turn(self, owner: str, conversation_id: str, n: int) -> Turn | None:
        return await self._read(turns.turn, owner, conversation_id, n)

    async def newest_turn(self, owner: str, conversation_id: str) -> Turn | None:
        return await self._read(turns.newest, owner, conversation_id)

    async def turns(self, owner: str, conversation_id: str) -> list[Turn]:
        return await self._read(turns.all_of, owner, conversation_id)

    async def lineage(self, owner: str, conversation_id: str, n: int) -> list[Turn]:
        """That turn, its parent, and so on back to the first."""
        return await self._read(turns.lineage, owner, conversation_id, n)

    async def turn_of_interaction(self, owner: str, interaction_id: str) -> Turn | None:
        return await self._read(turns.of_interaction, owner, interaction_id)

    async def prepare(
        self,
        turn: Turn,
        *,
        holder: str,
        chained: int | None,
        settings: TurnSettings | None = None,
        notes: Sequence[str] | None = None,
        input: list[dict[str, Any]] | None = None,
    ) -> bool:
        """What is to be sent; False where this holder no longer runs the turn."""
        return await self._write(
            turns.prepare,
            turn,
            holder=holder,
            chained=chained,
            settings=settings,
            notes=notes,
            input=input,
        )

    async def claim_send(
        self,
        turn: Turn,
        *,
        holder: str,
        now: float,
        lease_until: float,
        reservation: Reservation | None = None,
        preparation: Preparation | None = None,
        places: int = 0,
    ) -> bool:
        """Right before each POST: the lease renewed by compare-and-set, the turn marked as sent.
        False where this holder no longer runs the turn: do not send.

        With `places`, NoPlace where so many other turns of the owner are at Google already.
        With a `preparation` it does what `prepare` would, in the same transaction.

        With a `reservation` the daily limits are looked at again: OverLimit changes nothing.
        """
        return await self._write(
            turns.claim_send,
            turn,
            holder=holder,
            now=now,
            lease_until=lease_until,
            reservation=reservation,
            preparation=preparation,
            places=places,
        )

    async def named(self, turn: Turn, interaction_id: str, *, holder: str) -> bool:
        """Google's id, the moment it is known."""
        return await self._write(turns.named, turn, interaction_id, holder=holder)

    async def finish(self, turn: Turn, **outcome: Any) -> bool:
        """The outcome; False where there was one already ("interrupted" is none).

        `notes` and `extra` are added to those already there. What the turn used is booked, and
        its reservation ends, in the same transaction; see `reservations.settle`.
        """
        took, _ = await self.finish_and_read(turn, **outcome)
        return took

    # Tasks

    async def mark_task(self, turn: Turn, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Add to what was answered of a turn as a task; all of it, as it now is. Once there is an
        `answer`, nothing that is known changes."""
        return await self._write(turns.mark_task, turn, facts)

    async def with_cancelled_task(self, holder: str) -> list[str]:
        """The ids of running turns of this holder whose task somebody has cancelled elsewhere."""
        return await self._read(turns.with_cancelled_task, holder)

    async def finish_and_read(
        self,
        turn: Turn,
        *,
        status: Status,
        now: float,
        steps: Sequence[Step] = (),
        usage: Usage | None = None,
        model: str = "",
        text: str = "",
        notes: Sequence[str] = (),
        error: Mapping[str, str] | None = None,
        interaction_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
        booking: Booking | None = None,
        books_estimate: bool = False,
        is_read: bool = False,
    ) -> tuple[bool, Turn | None]:
        """`finish`, and the turn as it now stands; None where it is gone.

        `is_read` marks the outcome as delivered: somebody waits for it.
        """
        return await self._write(
            turns.finish_and_read,
            turn,
            status=status,
            now=now,
            steps=steps,
            usage=usage,
            model=model,
            text=text,
            notes=notes,
            error=error,
            interaction_id=interaction_id,
            extra=extra,
            booking=booking,
            books_estimate=books_estimate,
            is_read=is_read,
        )

    async def count_call(self, owner: str, most: int, now: float) -> float:
        """Counts a call; seconds to wait where there were `most` in the last minute already, and
        then nothing is counted."""
        return await self._write(rate_limits.count_call, owner, most, now)

    # Leases

    # With `now`, the caller's clock, the database's own clock decides where it has one.

    async def renew(self, holder: str, until: float, now: float | None = None) -> int:
        return await self._write(turns.renew, holder, until, now)

    async def release(self, holder: str) -> int:
        """Let others take over at once all that this holder still runs."""
        return await self._write(turns.release, holder)

    async def let_go(self, turn: Turn, *, holder: str) -> bool:
        """Renew its lease no more: once that has run out, whoever looks next takes over."""
        return await self._write(turns.let_go, turn, holder=holder)

    async def expired(self, now: float, limit: int) -> list[Turn]:
        """Running turns of every owner whose holder has stopped renewing."""
        return await self._read(turns.expired, now, limit)

    async def is_expired(self, turn: Turn, now: float) -> bool:
        return await self._read(turns.is_expired, turn, now)

    async def take_over(
        self, turn: Turn, holder: str, until: float, now: float | None = None
    ) -> bool:
        """False where the lease is no longer the one seen in `turn`."""
        return await self._write(turns.take_over, turn, holder, until, now)

    # Deliveries: who still has to read an outcome

    async def waits(self, turn: Turn, delivery: Delivery, *, now: float) -> bool:
        return await self._write(turns.waits, turn, delivery, now=now)

    async def joinable(
        self, owner: str, session: str, fingerprint: str, *, since: float
    ) -> Turn | None:
        """The newest turn of an identical call whose outcome is owed; without a session,
        any of the owner's."""
        return await self._read(turns.joinable, owner, session, fingerprint, since=since)

    async def waited_for(
        self, owner: str, session: str, fingerprint: str, *, before: float
    ) -> Turn | None:
        """The running turn of an identical call that somebody waits for, where there is exactly
        one and it was begun before that time; without a session, of any of the owner's."""
        return await self._read(turns.waited_for, owner, session, fingerprint, before=before)

    async def waiting_for_results(self, owner: str, limit: int) -> list[Turn]:
        """The turns that wait for results of functions, newest first, and have got none yet."""
        return await self._read(turns.waiting_for_results, owner, limit)

    async def claim_join(self, turn: Turn) -> bool:
        """True for exactly one of those who want to wait for what is owed."""
        return await self._write(turns.claim_join, turn)

    # Sessions

    async def current(self, owner: str, session: str) -> Session:
        return await self._read(sessions.current, owner, session)

    async def set_current(
        self,
        owner: str,
        session: str,
        now: float,
        conversation_id: str | None = None,
        research_id: str | None = None,
    ) -> None:
        """What is None stays as it was; without a session nothing is remembered."""
        await self._write(
            sessions.set_current,
            owner,
            session,
            now,
            conversation_id=conversation_id,
            research_id=research_id,
        )

    async def side_by_side(
        self,
        owner: str,
        session: str,
        *,
        since: float,
        longest: float = float("inf"),
        besides: Container[str] = (),
    ) -> list[str]:
        """Conversations of the session in which calls ran at the same time, oldest first.

        No call waits `longest`, whatever its turn does. Two that are both in `besides` are left
        out.
        """
        return await self._read(
            sessions.side_by_side, owner, session, since=since, longest=longest, besides=besides
        )

    async def ids(
        self,
        owner: str,
        kind: Literal["conversation"] | ArtifactKind,
        prefix: str,
        limit: int,
    ) -> list[str]:
        """The owner's ids that begin so, newest first."""
        if kind == "conversation":
            return await self._read(conversations.ids, owner, prefix, limit)
        return await self._read(handles.ids, owner, kind, prefix, limit)

    # Names and usage

    # Researches, and files that were made

    async def add_handle(
        self,
        owner: str,
        kind: ArtifactKind,
        conversation_id: str,
        n: int,
        *,
        now: float,
        facts: Mapping[str, Any],
    ) -> Artifact:
        return await self._write(handles.add, owner, kind, conversation_id, n, now=now, facts=facts)

    async def name_files(
        self, turn: Turn, kind: ArtifactKind, numbers: Sequence[int], *, now: float
    ) -> list[Artifact]:
        """A handle for each of a turn's files, by number: the ones there are, and new ones."""
        return await self._write(handles.name_files, turn, kind, numbers, now=now)

    async def handle(self, owner: str, id: str) -> Artifact | None:
        return await self._read(handles.handle, owner, id)

    async def handles_of(self, turn: Turn) -> list[Artifact]:
        """What a turn is called besides its number: the files it made, its research."""
        return await self._read(handles.of_turn, turn.owner, turn.conversation_id, turn.n)

    async def pictures(self, owner: str, conversation_id: str, limit: int) -> list[ArtifactSummary]:
        return await self._read(handles.pictures, owner, conversation_id, limit)

    async def move_handle(
        self, handle: Artifact, *, n: int | None = None, facts: Mapping[str, Any] | None = None
    ) -> bool:
        """Let it name another turn of its conversation, or change its facts."""
        return await self._write(handles.move, handle, n=n, facts=facts)

    async def handles(
        self, owner: str, kind: str, *, query: str = "", limit: int, offset: int = 0
    ) -> list[ArtifactSummary]:
        """Newest first; `query` as in `conversations`."""
        return await self._read(handles.listed, owner, kind, query, limit, offset)

    async def count_handles(
        self, owner: str, kind: str, query: str = "", most: int = EVERYTHING
    ) -> int:
        return await self._read(handles.count, owner, kind, query, most)

    async def remark(self, turn: Turn, facts: Mapping[str, Any], *, holder: str) -> bool:
        """Add to a running turn's `extra`; only by the process that holds it."""
        return await self._write(turns.remark, turn, facts, holder=holder)

    async def add_name(self, owner: str, kind: str, name: str, now: float) -> None:
        await self._write(ledger.add_name, owner, kind, name, now)

    async def owns_name(self, owner: str, name: str) -> bool:
        """Whether the owner created what Google calls that, a turn's interaction included."""
        return await self._read(ledger.owns_name, owner, name)

    async def add_upload(self, owner: str, hash: str, uploaded: UploadedFile, until: float) -> None:
        """A file Google holds until then, by the hash of its content."""
        await self._write(ledger.add_upload, owner, hash, uploaded, until)

    async def upload(self, owner: str, hash: str, now: float) -> UploadedFile | None:
        return await self._read(ledger.upload, owner, hash, now)

    async def add_usage(
        self, owner: str, day: str, model: str, usage: Usage, usd: float | None
    ) -> None:
        await self._write(ledger.add_usage, owner, day, model, usage, usd)

    async def budget(self, owner: str, day: str) -> BudgetState:
        """What is booked and reserved on a day."""
        return await self._read(reservations.state, owner, day)

    async def usage(self, owner: str, day: str) -> list[Spent]:
        return await self.usage_between(owner, day, day)

    async def usage_between(self, owner: str, first_day: str, last_day: str) -> list[Spent]:
        """Both days included."""
        return await self._read(ledger.between, owner, first_day, last_day)
