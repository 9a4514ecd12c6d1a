"""One line of the emulator's log: a request, as it arrived and as it ended."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from .json_types import Json


@dataclass(eq=False)
class Request:
    """A request the emulator saw; it changes until the request has ended."""

    method: str
    path: str
    # create, get, cancel, delete, models, agents, other; of files: upload (its start), chunk (and
    # query, finalize), file, files, delete_file, download
    kind: str
    at: datetime
    body: Any = None  # large media in it are replaced by their size
    headers: dict[str, str] = field(default_factory=dict)  # never the key
    query: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    status: int | None = None  # None until answered
    interaction_id: str | None = None
    closed_early: bool = False  # the client left before the answer was complete
    ended: bool = False
    bytes: int = 0  # of the body
    attachments: list[Json] = field(default_factory=list)  # of a create: bytes, sha256, uri …

    def public(self) -> Json:
        return {**asdict(self), "at": self.at.isoformat()}
