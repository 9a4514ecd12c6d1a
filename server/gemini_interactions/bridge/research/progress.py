"""Progress of a research: its thoughts, its searches, the pages it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ...domain.types import Interaction
from ...interactions.stream_accumulator import InteractionAccumulator


class ResearchProgress:
    """What a run has told so far, from a look at it or from its events."""

    def __init__(self, draft: InteractionAccumulator | None = None) -> None:
        self._draft = draft or InteractionAccumulator()
        self._thoughts = 0
        # By the number of the step: a stream starts a call and names its queries later.
        self._searches: dict[int, int] = {}
        self._pages: dict[int, int] = {}

    @classmethod
    def of(cls, interaction: Interaction) -> Self:
        """What one look at a run shows."""
        doings = cls(InteractionAccumulator.of(interaction))
        for number, step in enumerate(interaction.steps):
            doings._count(number, step)
        return doings

    def add(self, event: Mapping[str, Any]) -> None:
        """One more event of its stream."""
        self._draft.add(event)
        said, number = event.get("step") or event.get("delta"), event.get("index")
        if isinstance(said, Mapping) and isinstance(number, int):
            self._count(number, said)

    @property
    def is_over(self) -> bool:
        """Whether the stream has said so."""
        return self._draft.finished

    @property
    def known(self) -> int:
        """How much was told: a stream replays a run from its start, a look may come late."""
        return self._thoughts + sum(self._searches.values()) + sum(self._pages.values())

    @property
    def line(self) -> str:
        """What it is doing and what it has done, in a line; "" where it lets know nothing."""
        if self._draft.status == "queued":
            return "Waiting in Google's queue"
        doing = self._draft.doing or ("Waiting for Gemini" if self.counted else "")
        return f"{doing} ({self.counted})" if self.counted else doing

    @property
    def counted(self) -> str:
        """What it has done, in numbers only."""
        searches, pages = sum(self._searches.values()), sum(self._pages.values())
        return ", ".join(
            f"{number} {one if number == 1 else many}"
            for number, one, many in ((searches, "search", "searches"), (pages, "page", "pages"))
            if number
        )

    def _count(self, number: int, said: Mapping[str, Any]) -> None:
        arguments = said.get("arguments")
        given: Mapping[str, Any] = arguments if isinstance(arguments, Mapping) else {}
        match said.get("type"):
            case "thought":
                self._thoughts += _size(said.get("summary"))
            case "thought_summary":
                self._thoughts += 1
            case "google_search_call":
                self._searches[number] = max(
                    self._searches.get(number, 0), _size(given.get("queries"))
                )
            case "url_context_call":
                self._pages[number] = max(self._pages.get(number, 0), _size(given.get("urls")))


def _size(value: object) -> int:
    return len(value) if isinstance(value, list) else 0
