"""A turn that a call wants, and what is sent for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ...domain.types import Artifact, CreateRequest, Step, Turn, TurnSettings
from ..attachments import Attached
from ..requests import Caller

R = TypeVar("R")
"""What a call asks for: an AskRequest, an ImageRequest, …"""


@dataclass(frozen=True, slots=True)
class NewTurn(Generic[R]):
    """A turn that a call wants: what the caller says, and once prepared what the store keeps.

    Calls with the same `queue` begin their turns in the order in which they came, however
    long their files take to read; "" waits for nobody.
    """

    caller: Caller
    kind: str
    prompt: str
    request: R
    queue: str = ""
    files: Sequence[str] = ()

    # What `TurnHandler.prepare` decides.
    conversation_id: str = ""
    """Where it goes; "" starts a conversation."""
    parent: int | None = None
    """The turn it follows; None is the newest there."""
    after_interaction: str = ""
    """Google's id of an interaction made elsewhere, from which a new conversation starts."""
    stored: bool = True
    """Whether Google keeps it."""
    settings: TurnSettings = field(default_factory=TurnSettings)
    notes: tuple[str, ...] = ()
    """What its outcome has to say of the choices made for it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    artifact_facts: Mapping[str, Any] = field(default_factory=dict)
    """What is kept with the artifact that is made with it; see `TurnHandler.artifact`."""
    continues: Artifact | None = None
    """The artifact that goes on from its turn before to this one."""
    has_read: Turn | None = None
    """An outcome that whoever makes this turn must have read, such as a plan."""
    attached: Attached = field(default_factory=Attached)


@dataclass(frozen=True, slots=True)
class Predecessor:
    """What a turn was written behind, and the nearest one that Google can continue from."""

    before: Turn | None = None
    good: Turn | None = None


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """What is sent for a turn, and what the store keeps of that.

    `words` are what the caller said, as steps: where Google has forgotten the conversation,
    the request is built anew from its history and these. Without words it cannot be.
    """

    request: CreateRequest
    settings: TurnSettings
    notes: tuple[str, ...] = ()
    input: list[dict[str, Any]] | None = None
    words: Sequence[Step] = ()
