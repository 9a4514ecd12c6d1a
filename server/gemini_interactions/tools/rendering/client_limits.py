"""How much of a result a client takes, and what it can reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one client takes: characters (and bytes) of text, and whether files mean anything to it.

    `keep_whole` writes a long text to a file for clients on this machine and returns its path;
    `structured` adds structured content, for programs.
    """

    budget: int
    keep_whole: Callable[[str, str], Awaitable[str]] | None = None
    structured: bool = False
    link: Callable[[str], str] | None = None
    """Where a client elsewhere can fetch an image, by its id."""
    page: Callable[[str], str] | None = None
    """Where a browser shows a research, image or conversation, by its id."""
    wait: int = 40
    """For how many seconds a next step advises to wait."""
    previews: bool = True
    facts: bool = True
    """Whether `_meta` tells programs what the text tells a model."""
    has_session: bool = True
    """Whether a call that names no conversation has one to go on with."""

    def without_files(self) -> ClientLimits:
        """The same room for a text that is not to be written to a file."""
        return replace(self, keep_whole=None)

    def page_line(self, id: str) -> list[str]:
        """The line that names the public page of an id; none where there are no such pages."""
        return [f"Page: {self.page(id)}"] if self.page is not None else []
