"""Conversations: ask, continue, collect, look back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from ..domain.artifact import BY_LIST, ArtifactKind
from ..domain.ids import read_id
from ..domain.types import Turn
from . import history
from .history import Listing
from .requests import AskRequest, Caller, Reply
from .runtime import Runtime
from .turns import function_calls
from .turns.execution.executor import TurnExecutor
from .turns.handlers.conversation import ConversationHandler
from .turns.new_turn import NewTurn
from .turns.submission import TurnSubmission


class Conversations:
    def __init__(
        self,
        runtime: Runtime,
        submission: TurnSubmission,
        executor: TurnExecutor,
        handler: ConversationHandler,
    ) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._resolver = runtime.resolver
        self._submission = submission
        self._executor = executor
        self._handler = handler

    async def ask(self, caller: Caller, question: AskRequest) -> Reply:
        """Start a conversation."""
        new = NewTurn(caller, "ask", question.prompt, question, files=question.files)
        return await self._submission.submit(new, self._handler)

    async def follow(
        self,
        caller: Caller,
        question: AskRequest,
        conversation_id: str = "",
        turn_number: int | None = None,
    ) -> Reply:
        """Continue a conversation, branch from an earlier turn, or adopt a raw interaction."""
        if question.function_results and not conversation_id and turn_number is None:
            ids = function_calls.call_ids(question.function_results)
            conversation_id = await self._resolver.waiting_for(caller.owner, ids)
        question = replace(question, conversation_id=conversation_id, turn_number=turn_number)
        queue = ""
        if turn_number is None:
            named = conversation_id and self._resolver.queue_of(conversation_id)
            queue = named if conversation_id else caller.session
        new = NewTurn(caller, "continue", question.prompt, question, queue, question.files)
        return await self._submission.submit(new, self._handler)

    async def result(self, caller: Caller, id: str, wait: float = 0) -> Reply:
        """A turn as it stands, after waiting for at most `wait` seconds and the time budget."""
        turn = await self._resolver.find(caller.owner, read_id(id))
        return Reply(await self._submission.collect(caller, turn, wait))

    async def history(
        self, caller: Caller, query: str, limit: int, offset: int, kind: str = "conversations"
    ) -> Listing:
        """The owner's conversations, or artifacts of a kind, newest first."""
        if kind == "conversations":
            found = await self._store.conversations(
                caller.owner, query=query, limit=limit, offset=offset
            )
            count = partial(self._store.count_conversations, caller.owner, query)
            total = await history.total(len(found), offset, limit, count)
            lines = [history.line(each) for each in found]
            entries = [history.entry(each) for each in found]
            return Listing(lines, offset, total, query, kind, entries)
        if kind == "agents":
            environments = self._store.environments
            runs = await environments.runs(caller.owner, query=query, limit=limit, offset=offset)
            count = partial(environments.count_runs, caller.owner, query)
            total = await history.total(len(runs), offset, limit, count)
            kept = {each.id: each for each in await environments.of_owner(caller.owner)}
            now = self._runtime.now()
            lines = [history.run_line(each, kept.get(each.environment_id), now) for each in runs]
            return Listing(lines, offset, total, query, kind, list(map(history.run_entry, runs)))
        named = BY_LIST[kind]
        handles = await self._store.handles(
            caller.owner, named, query=query, limit=limit, offset=offset
        )
        count = partial(self._store.count_handles, caller.owner, named, query)
        total = await history.total(len(handles), offset, limit, count)
        lines = [history.handle_line(each) for each in handles]
        entries = [history.handle_entry(each) for each in handles]
        return Listing(lines, offset, total, query, kind, entries)

    async def ids(
        self, owner: str, kind: Literal["conversation"] | ArtifactKind, begun: str, most: int
    ) -> list[str]:
        """The owner's ids that begin so, newest first."""
        return await self._store.ids(owner, kind, begun.strip().lower(), most)

    async def transcript(self, caller: Caller, id: str) -> tuple[str, str]:
        """A conversation's id and its Markdown."""
        turn = await self._resolver.find(caller.owner, read_id(id))
        turns = await self._store.turns(caller.owner, turn.conversation_id)
        return turn.conversation_id, history.transcript(turns)

    async def turns(self, caller: Caller, id: str) -> list[Turn]:
        """Every turn of a conversation, in order."""
        turn = await self._resolver.find(caller.owner, read_id(id))
        return await self._store.turns(caller.owner, turn.conversation_id)

    async def stop(self, turn: Turn) -> None:
        """Somebody aborted the call that made this turn."""
        await self._executor.stop(turn)
