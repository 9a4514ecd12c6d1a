"""Requests and replies between tools and the bridge: who asks, and what for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from ..domain.agent_environments import SourceFile
from ..domain.models.model_catalog import Depth
from ..domain.types import Artifact, Tool, Turn

Progress = Callable[[float, str], Awaitable[None]]
"""Tells the waiting client how long it has waited (seconds) and what Gemini is doing."""


async def no_progress(_seconds: float, _doing: str) -> None:
    """For those who do not ask to hear anything."""


def _forget(_turn: Turn) -> bool:
    return False


def _ignore() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call this is.

    `session` is empty where the connection has none. `fingerprint` is equal for identical
    calls. `made` is told which turn the call makes, so that an abort can find it, and
    answers whether one has come already. `came` is when the call came, by the loop's clock:
    its time budget counts from there. `joins` is told where it gets the turn of an earlier call.
    `task` is the task that what it makes goes on with, if any.
    """

    owner: str = "local"
    session: str = ""
    fingerprint: str = ""
    progress: Progress = no_progress
    made: Callable[[Turn], bool] = _forget
    came: float = field(default_factory=anyio.current_time)
    joins: Callable[[], None] = _ignore
    task: str = ""
    max_wait: float | None = None
    """Seconds after which its call is answered "running"; None: as the settings say."""
    task_after: float | None = None
    """Seconds after which it goes on as a task, where that is sooner."""
    resends: bool = False
    """Whether its client sends a call again without having cancelled the first."""


@dataclass(frozen=True, slots=True)
class AskRequest:
    """What to ask, and which settings to change for this turn and those after it.

    `changes` holds only what was given: `model`, `system_instruction`, `thinking`, `tools`,
    `service_tier`.
    `response_schema` holds for one turn; `function_results` stand in for a prompt; `store`
    only counts where a conversation starts.
    """

    prompt: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    response_schema: Mapping[str, Any] | None = None
    function_results: Sequence[Mapping[str, Any]] = ()
    store: bool = True
    files: Sequence[str] = ()
    conversation_id: str = ""
    """What to continue: "" is the session's conversation; only for what follows a turn."""
    turn_number: int | None = None
    """The turn to branch from."""


@dataclass(frozen=True, slots=True)
class ResearchRequest:
    """What to research, and how; or, with the `research` it goes on with, what to do about its
    plan: the `question` is then what is said to it, and `plan_first` asks for a revision."""

    question: str
    depth: Depth = "fast"
    plan_first: bool = False
    tools: Sequence[Tool] = ()
    report_format: str = ""
    conversation_id: str = ""
    files: Sequence[str] = ()
    research: Artifact | None = None
    service_tier: str = ""


@dataclass(frozen=True, slots=True)
class AgentRequest:
    """What an agent should do, and how; `files` are local ones, which go into its sandbox.

    `network` is "" where the call does not say; `sources` are the files once they are read.
    """

    prompt: str
    agent: str = ""
    conversation_id: str = ""
    files: Sequence[str] = ()
    tools: Sequence[Tool] = ()
    network: Literal["", "on", "off"] = ""
    max_total_tokens: int = 0
    sources: Sequence[SourceFile] = ()


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What to draw: the prompt, pictures to start from, the shape wanted, where to put a copy."""

    prompt: str
    references: Sequence[str] = ()
    conversation_id: str = ""
    model: str = ""
    aspect_ratio: str = ""
    size: str = ""
    save_to: str = ""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What to read aloud: a text, or the newest answer of a conversation; by whom, and in which
    format. `speakers` are objects with `speaker` and `voice`."""

    text: str = ""
    conversation_id: str = ""
    voice: str = ""
    speakers: Sequence[Mapping[str, str]] = ()
    language: str = ""
    format: str = "mp3"
    save_to: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class MusicRequest:
    """What to compose, from words and pictures, and in which format."""

    prompt: str
    images: Sequence[str] = ()
    format: str = "mp3"
    save_to: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """What to film: the prompt, what to start from, and the shape wanted; `duration` in seconds,
    0 is Gemini's choice."""

    prompt: str
    images: Sequence[str] = ()
    video: str = ""
    task: str = ""
    duration: int = 0
    aspect_ratio: str = ""
    resolution: str = ""
    conversation_id: str = ""
    save_to: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call brings back: the turn as it stands, whether an earlier call had made it, and
    the artifact that is named with it, for kinds that have one."""

    turn: Turn
    joined: bool = False
    artifact: Artifact | None = None


@dataclass(frozen=True, slots=True)
class ResearchStatus:
    """How a research stands: its newest turn, and what is known of a run that goes on."""

    handle: Artifact
    turn: Turn
    elapsed: str
    doing: str = ""
    charts: Sequence[Artifact] = ()
    note: str = ""
    joined: bool = False
    has_plan: bool = False
    """Whether there is a plan that could be run, once more, after a turn that ended badly."""
