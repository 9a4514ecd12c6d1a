"""What the bridge needs of the rooms around it: somewhere to remember, somebody to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from io import BufferedIOBase
from typing import Any, Literal, Protocol

from ..domain.access import AccessRecords
from ..domain.artifact import ArtifactKind
from ..domain.daily_limits import Booking, BudgetState, Reservation
from ..domain.sandbox import AgentRun, Environment
from ..domain.types import (
    Artifact,
    Conversation,
    CreateRequest,
    Interaction,
    Status,
    Step,
    Turn,
    TurnSettings,
    UploadedFile,
    Usage,
)


class Session(Protocol):
    """What a session has in hand."""

    @property
    def conversation_id(self) -> str | None: ...
    @property
    def research_id(self) -> str | None: ...


class Summary(Protocol):
    """One line of the list of conversations."""

    @property
    def id(self) -> str: ...
    @property
    def turns(self) -> int: ...
    @property
    def created(self) -> float: ...
    @property
    def updated(self) -> float: ...
    @property
    def first_prompt(self) -> str: ...
    @property
    def last_status(self) -> str: ...
    @property
    def last_model(self) -> str: ...


class ArtifactSummary(Protocol):
    """One line of the list of researches or images."""

    @property
    def handle(self) -> Artifact: ...
    @property
    def prompt(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def model(self) -> str: ...


class Deleted(Protocol):
    """What was deleted here, and the files of it that are still there."""

    @property
    def conversations(self) -> int: ...
    @property
    def interaction_ids(self) -> Sequence[str]: ...
    @property
    def files(self) -> Sequence[str]: ...


class Spent(Protocol):
    """One model's use on one day."""

    @property
    def day(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def calls(self) -> int: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def usd(self) -> float | None: ...
    @property
    def estimated(self) -> int: ...


class EnvironmentRecords(Protocol):
    """What is remembered of environments at Google, and of the runs in them."""

    async def add(
        self, owner: str, id: str, conversation_id: str, *, has_files: bool, now: float
    ) -> None: ...
    async def find(self, owner: str, id: str) -> Environment | None: ...
    async def of_conversation(self, owner: str, conversation_id: str) -> list[Environment]: ...
    async def of_owner(self, owner: str) -> list[Environment]: ...
    async def orphans(self, before: float) -> list[Environment]: ...
    async def forget(self, owner: str, id: str) -> None: ...
    async def runs(
        self, owner: str, *, query: str = "", limit: int, offset: int = 0
    ) -> list[AgentRun]: ...
    async def count_runs(self, owner: str, query: str = "") -> int: ...


class Store(Protocol):
    """Remembers conversations, turns and sessions; times are epoch seconds, handed in."""

    @property
    def access(self) -> AccessRecords: ...
    @property
    def environments(self) -> EnvironmentRecords: ...
    def connections(self) -> tuple[int, int]:
        """Connections to the database: how many there are, and how many of them are in use."""

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
    ) -> Turn: ...

    async def follow(
        self,
        owner: str,
        conversation_id: str,
        *,
        kind: str,
        parent: int | None,
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
    ) -> Turn | None: ...

    async def conversation(self, owner: str, id: str) -> Conversation | None: ...
    async def turn(self, owner: str, conversation_id: str, n: int) -> Turn | None: ...
    async def newest_turn(self, owner: str, conversation_id: str) -> Turn | None: ...
    async def turns(self, owner: str, conversation_id: str) -> list[Turn]: ...
    async def lineage(self, owner: str, conversation_id: str, n: int) -> list[Turn]: ...
    async def turn_of_interaction(self, owner: str, interaction_id: str) -> Turn | None: ...

    def is_in_place(self) -> bool: ...
    async def reopen(self, *, holder: str, since: float) -> int: ...

    async def prepare(
        self,
        turn: Turn,
        *,
        holder: str,
        chained: int | None,
        settings: TurnSettings | None = None,
        notes: Sequence[str] | None = None,
        input: list[dict[str, Any]] | None = None,
    ) -> bool: ...

    async def claim_send(
        self,
        turn: Turn,
        *,
        holder: str,
        now: float,
        lease_until: float,
        reservation: Reservation | None = None,
    ) -> bool: ...

    async def named(self, turn: Turn, interaction_id: str, *, holder: str) -> bool: ...

    async def finish(
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
    ) -> bool: ...

    async def mark_task(self, turn: Turn, facts: Mapping[str, Any]) -> dict[str, Any]: ...
    async def with_cancelled_task(self, holder: str) -> list[str]: ...

    async def renew(self, holder: str, until: float, now: float | None = None) -> int: ...
    async def expired(self, now: float, limit: int) -> list[Turn]: ...
    async def is_expired(self, turn: Turn, now: float) -> bool: ...
    async def take_over(
        self, turn: Turn, holder: str, until: float, now: float | None = None
    ) -> bool: ...
    async def release(self, holder: str) -> int: ...
    async def let_go(self, turn: Turn, *, holder: str) -> bool: ...
    async def waits(
        self, turn: Turn, delivery: Literal["waiting", "owed", "delivered"], *, now: float
    ) -> bool: ...

    async def joinable(
        self, owner: str, session: str, fingerprint: str, *, since: float
    ) -> Turn | None: ...
    async def claim_join(self, turn: Turn) -> bool: ...
    async def current(self, owner: str, session: str) -> Session: ...
    async def set_current(
        self,
        owner: str,
        session: str,
        now: float,
        conversation_id: str | None = None,
        research_id: str | None = None,
    ) -> Any: ...
    async def side_by_side(
        self,
        owner: str,
        session: str,
        *,
        since: float,
        longest: float,
        besides: Container[str],
    ) -> list[str]: ...
    async def conversations(
        self, owner: str, *, query: str = "", limit: int, offset: int
    ) -> Sequence[Summary]: ...
    async def count_conversations(self, owner: str, query: str = "") -> int: ...
    async def delete_conversation(self, owner: str, conversation_id: str) -> Deleted: ...
    async def ids(
        self,
        owner: str,
        kind: Literal["conversation"] | ArtifactKind,
        prefix: str,
        limit: int,
    ) -> list[str]: ...
    async def add_handle(
        self,
        owner: str,
        kind: ArtifactKind,
        conversation_id: str,
        n: int,
        *,
        now: float,
        facts: Mapping[str, Any],
    ) -> Artifact: ...
    async def name_files(
        self, turn: Turn, kind: ArtifactKind, numbers: Sequence[int], *, now: float
    ) -> list[Artifact]: ...
    async def handle(self, owner: str, id: str) -> Artifact | None: ...
    async def handles_of(self, turn: Turn) -> list[Artifact]: ...
    async def pictures(
        self, owner: str, conversation_id: str, limit: int
    ) -> Sequence[ArtifactSummary]: ...
    async def move_handle(
        self, handle: Artifact, *, n: int | None = None, facts: Mapping[str, Any] | None = None
    ) -> bool: ...
    async def handles(
        self, owner: str, kind: str, *, query: str = "", limit: int, offset: int = 0
    ) -> Sequence[ArtifactSummary]: ...
    async def count_handles(self, owner: str, kind: str, query: str = "") -> int: ...
    async def remark(self, turn: Turn, facts: Mapping[str, Any], *, holder: str) -> bool: ...

    async def owns_name(self, owner: str, name: str) -> bool: ...
    async def add_name(self, owner: str, kind: str, name: str, now: float) -> None: ...
    async def add_upload(
        self, owner: str, hash: str, uploaded: UploadedFile, until: float
    ) -> None: ...
    async def upload(self, owner: str, hash: str, now: float) -> UploadedFile | None: ...
    async def add_usage(
        self, owner: str, day: str, model: str, usage: Usage, usd: float | None
    ) -> None: ...
    async def budget(self, owner: str, day: str) -> BudgetState: ...
    async def usage(self, owner: str, day: str) -> Sequence[Spent]: ...
    async def usage_between(self, owner: str, first_day: str, last_day: str) -> Sequence[Spent]: ...
    async def delete_older(self, before: float) -> Deleted: ...
    async def close(self) -> None: ...


class Offered(Protocol):
    """A model Google offers to this key."""

    @property
    def id(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...


BeforeSend = Callable[[], Awaitable[None]]
"""Called as late as can be before a request leaves, which it does not where this raises."""


class Gemini(Protocol):
    """Google's side; every failure is an UpstreamError."""

    def stream(
        self, call: CreateRequest, before_send: BeforeSend | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]: ...
    async def create(
        self, call: CreateRequest, before_send: BeforeSend | None = None
    ) -> Interaction: ...
    async def get(self, id: str, *, api_version: str = "") -> Interaction: ...
    def follow(
        self, id: str, *, api_version: str = ""
    ) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]: ...
    async def cancel(self, id: str, *, api_version: str = "") -> Interaction: ...
    async def delete(self, id: str, *, api_version: str = "") -> None: ...
    async def models(self) -> Sequence[Offered]: ...
    async def upload(self, file: BufferedIOBase, mime_type: str, name: str) -> UploadedFile: ...
    async def uploaded(self, name: str) -> UploadedFile: ...
    async def download(self, address: str) -> bytes: ...
    async def download_to(
        self, address: str, write: Callable[[bytes], Awaitable[None]]
    ) -> None: ...
    async def voices(self) -> Sequence[str]: ...
    def require_key(self) -> None: ...
    async def warm(self) -> None: ...
    async def aclose(self) -> None: ...
