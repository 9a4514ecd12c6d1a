"""What belongs to agents that work in a sandbox of Google's: environments, their files, runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """A sandbox that runs of one conversation share.

    It `has_files` once it was given local files, which stays so. Google keeps it for seven days
    after its last use.
    """

    id: str
    owner: str
    conversation_id: str
    created: float
    used: float
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class AgentRun:
    """One line of the list of runs: the turn, and where it works."""

    conversation_id: str
    n: int
    created: float
    prompt: str
    status: str
    agent: str
    environment_id: str

    @property
    def id(self) -> str:
        return f"{self.conversation_id}/{self.n}"


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """A file or folder of an environment, as Google lists it: any text may be in its path."""

    path: str
    type: str = "file"
    bytes: int = 0
    mime_type: str = ""

    @property
    def is_file(self) -> bool:
        return self.type == "file"


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """An agent of the key, as a list shows it."""

    id: str
    description: str = ""
    base_agent: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A local file that goes into an environment: where it is put there, and its bytes."""

    target: str
    data: bytes
