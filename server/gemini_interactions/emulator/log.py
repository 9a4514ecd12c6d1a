"""One line of the emulator's log: a request, as it arrived and as it ended."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from .answers import Json


@dataclass(eq=False)
class Request:
    """A request the emulator saw; it changes until the request has ended."""

    method: str
    path: str
    kind: str  # create, get, cancel, delete, models, agents, other
    at: datetime
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)  # never the key
    query: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    status: int | None = None  # None until answered
    interaction_id: str | None = None
    closed_early: bool = False  # the client left before the answer was complete
    ended: bool = False

    def public(self) -> Json:
        return {**asdict(self), "at": self.at.isoformat()}
