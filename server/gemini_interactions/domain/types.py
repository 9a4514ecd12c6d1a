"""Data classes of the domain: interactions, turns, conversations, settings, usage.

Plain frozen data, free of the SDK, SQL and MCP. A *step* stays the JSON object the API
speaks (``{"type": "model_output", "content": [...]}``), because steps are stored and
replayed verbatim; everything that reads them lives in `answers`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gemini_interactions.domain.artifact import ArtifactKind

from .status import STATUSES, Status

Step = dict[str, Any]
"""One step as the API speaks it; media bytes (`data`) are never kept in it."""

CONTENTS: frozenset[str] = frozenset({"text", "image", "audio", "video", "document"})
"""Types of the content objects that stand in steps."""

CONTINUATION_LIMIT = "continuation_limit"
"""Code of the problem of an answer that was not asked on for (`…_MAX_CONTINUATIONS`)."""

NOT_CONTINUED = "not_continued"
"""Code of the problem of an answer that could not be asked on for."""

Tool = dict[str, Any]
"""One Interactions tool object, such as ``{"type": "google_search"}``."""

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def new_name(prefix: str) -> str:
    """A fresh handle: the prefix and ten random Crockford base32 characters, lower case."""
    return f"{prefix}_{''.join(secrets.choice(CROCKFORD) for _ in range(10))}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one interaction; thought tokens are billed as output and counted apart from it.

    `pieces` are files that were made and `seconds` how long they play, where those are what is
    paid for.
    """

    input: int = 0
    output: int = 0
    thought: int = 0
    cached: int = 0
    tool_use: int = 0
    total: int = 0
    pieces: int = 0
    seconds: float = 0.0
    image: int = 0
    """How many of the output tokens are pictures."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.thought + other.thought,
            self.cached + other.cached,
            self.tool_use + other.tool_use,
            self.total + other.total,
            self.pieces + other.pieces,
            self.seconds + other.seconds,
            self.image + other.image,
        )

    @property
    def is_itemized(self) -> bool:
        """Whether it says what sort of tokens they are: without that nobody knows the price."""
        return not self.total or bool(self.input or self.output or self.thought or self.tool_use)


@dataclass(frozen=True, slots=True)
class Problem:
    """What Google says went wrong inside an interaction: its code and its sentence."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One Gemini call and its reply, as Google knows it.

    `status` is Google's own word (`in_progress`, `completed`, `requires_action`, …, or one
    nobody has seen yet); `id` is empty when the interaction was not stored there.
    """

    id: str
    status: str
    steps: tuple[Step, ...] = ()
    usage: Usage | None = None
    model: str = ""
    agent: str = ""
    errors: tuple[Problem, ...] = ()
    environment_id: str = ""
    service_tier: str = ""
    api_version: str = ""
    """The version of the API it was made with, where that is not the usual one."""
    updated: str = field(default="", compare=False)
    """When Google last changed it (ISO 8601): for one that is over, its end."""


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What a conversation remembers and sends again with each turn, since Google does not."""

    model: str = ""
    system_instruction: str = ""
    thinking: str = ""
    tools: tuple[Tool, ...] = ()
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """One create, ready to send.

    `input` is a string, a list of content objects or a list of steps. `model` and `agent`
    exclude each other. `environment` is where an agent works: "remote", the id of one, or an
    object. `timeout` bounds the whole foreground call, in seconds. `generation` is what
    `generation_config` has besides, such as voices.
    """

    input: str | list[dict[str, Any]]
    model: str = ""
    agent: str = ""
    agent_config: dict[str, Any] | None = None
    previous_interaction_id: str = ""
    system_instruction: str = ""
    thinking: str = ""
    tools: tuple[Tool, ...] = ()
    generation: Mapping[str, Any] = field(default_factory=dict)
    response_format: list[dict[str, Any]] | dict[str, Any] | None = None
    service_tier: str = ""
    store: bool = True
    background: bool = False
    environment: str | dict[str, Any] = ""
    api_version: str = ""
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is about to be sent for a turn, as it is written down: the turn it goes after, and what
    is None stays as it is."""

    chained: int | None = None
    settings: TurnSettings | None = None
    notes: Sequence[str] | None = None
    input: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function Gemini waits for: the caller runs it and sends the result back.

    `call_id` is the caller's name of it and belongs to one call of an answer; `upstream_id` is
    Gemini's, which may be empty or shared.
    """

    call_id: str
    name: str
    arguments: dict[str, Any]
    upstream_id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One interaction in a conversation, as the store remembers it.

    `parent` is the turn it was meant to follow (None at the start), `chained` the one it
    really followed once failed ones were passed over. `error` holds ``{"kind", "message"}``
    of a failed turn, where `kind` names the class in `errors`. `delivery` says whether
    somebody still has to read the outcome: `waiting` (a call waits for it), `owed` (that
    call went away or was told "running"), `delivered`.
    """

    conversation_id: str
    n: int
    owner: str
    kind: str
    status: Status
    parent: int | None = None
    chained: int | None = None
    interaction_id: str = ""
    prompt: str = ""
    input: list[dict[str, Any]] | None = None
    settings: TurnSettings = field(default_factory=TurnSettings)
    steps: tuple[Step, ...] = ()
    usage: Usage | None = None
    model: str = ""
    text: str = ""
    notes: tuple[str, ...] = ()
    error: Mapping[str, str] | None = None
    created: float = 0.0
    sent: float | None = None
    finished: float | None = None
    lease_holder: str = ""
    lease_until: float = 0.0
    session: str = ""
    fingerprint: str = ""
    delivery: str = "waiting"
    owed: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    """What was answered of it as a task (MCP Tasks), if it was; its keys are in `bridge.tasks`."""

    @property
    def id(self) -> str:
        return f"{self.conversation_id}/{self.n}"

    @property
    def is_final(self) -> bool:
        return STATUSES[self.status].is_final

    @property
    def is_chainable(self) -> bool:
        """Whether Google can continue from its interaction."""
        return STATUSES[self.status].is_chainable

    @property
    def has_answer(self) -> bool:
        """Whether it has a text that is whole, or the whole beginning of one."""
        return STATUSES[self.status].has_answer

    @property
    def is_given_up(self) -> bool:
        """Whether nobody works on it, though Google may still have an outcome."""
        return STATUSES[self.status].is_given_up

    @property
    def api_version(self) -> str:
        """The version of the API its interaction was made with, where not the usual one."""
        return str(self.extra.get("api_version") or "")

    @property
    def tier(self) -> str:
        """The tier Google says it was served in; until it is over, the one asked for."""
        told = str(self.extra.get("service_tier") or "")
        return told or ("" if self.is_final else self.settings.service_tier)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A research (`r_…`), image (`i_…`), audio (`a_…`) or video (`v_…`): the name of a turn, and
    what belongs to it."""

    id: str
    owner: str
    kind: ArtifactKind
    conversation_id: str
    n: int
    created: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file Google holds for 48 hours: its name (``files/…``), address, type and state."""

    name: str
    uri: str
    mime_type: str
    state: str = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Our handle for a tree of interactions."""

    id: str
    owner: str
    created: float
    updated: float
    newest: int
    stored: bool = True
