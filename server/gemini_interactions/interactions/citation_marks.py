"""Citations: byte offsets become marks at the right character, and a numbered source list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from gemini_interactions.interactions.json_values import (
    Json,
    as_text,
    objects_in,
    one_line,
    printable,
    type_of,
)
from gemini_interactions.interactions.text_pages import characters_at, places_for, put_in

UNRESOLVED = "(a link that could not be resolved)"

REDIRECT_PATH = "grounding-api-redirect"
_REDIRECT_HOST = rf"https?://vertexaisearch\.cloud\.google\.com/{REDIRECT_PATH}"
REDIRECT = re.compile(rf"(?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?")
_REDIRECT_LINK = re.compile(
    rf"(?<!!)\[([^\[\]\n]*)\]\(<?((?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?)>?\)"
)
_WEB = re.compile(r"https?://[^/\s]", re.I)


@dataclass(frozen=True, slots=True)
class Source:
    """A line of the source list. `url` is empty where a redirect could not be resolved, and
    where the address leads to no page of the web: `elsewhere` then shows it as text."""

    number: int
    title: str
    url: str = ""
    elsewhere: str = ""

    def __str__(self) -> str:
        shown = " — ".join(part for part in (self.title, self.url, self.elsewhere) if part)
        return f"{self.number}. {shown or 'a source without a name'}"


class Sources:
    """The sources of an answer, numbered by their first mark in the text."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._found: dict[tuple[str, str], Source] = {}

    def listed(self) -> tuple[Source, ...]:
        return tuple(self._found.values())

    def marked(self, texts: Sequence[Json]) -> str:
        """These pieces as one text, with a mark such as `[1]` behind everything cited."""
        text = "".join(as_text(content.get("text")) for content in texts)
        cited: list[tuple[int, Json]] = []
        start = 0
        for content in texts:
            piece = as_text(content.get("text"))
            notes = [note for note in objects_in(content.get("annotations")) if _is_citation(note)]
            if notes:
                size = len(piece.encode("utf-8", "surrogatepass"))
                ends = characters_at(piece, [_byte_end(note, size) for note in notes])
                cited += [(start + end, note) for end, note in zip(ends, notes, strict=True)]
            start += len(piece)
        if not cited:
            return text
        # Both sorts keep the order in which citations of one place came.
        cited.sort(key=lambda item: item[0])
        places = places_for(text, [end for end, _ in cited])
        numbers: dict[int, set[int]] = {}
        for place, (_, note) in sorted(zip(places, cited, strict=True), key=lambda item: item[0]):
            numbers.setdefault(place, set()).add(self._number(note))
        marks = {at: "".join(f"[{n}]" for n in sorted(here)) for at, here in numbers.items()}
        return put_in(text, marks) if text.strip() else text

    def unredirected(self, text: str) -> str:
        """The text with redirects replaced by their targets, or by the words that linked them."""
        if REDIRECT_PATH not in text:
            return text
        text = _REDIRECT_LINK.sub(
            lambda found: f"[{found[1]}]({url})" if (url := self.url(found[2])) else found[1], text
        )
        return REDIRECT.sub(lambda found: self.url(found[0]) or UNRESOLVED, text)

    def url(self, url: str) -> str:
        """This URL as it may be shown: a redirect's target, or "" where that is not known, or
        where it leads to no page of the web."""
        shown = _address(url)
        if REDIRECT.match(shown):
            shown = _address(as_text(self._targets.get(url.strip())))
        return shown if _WEB.match(shown) and not REDIRECT.match(shown) else ""

    def shown(self, url: str) -> str:
        """A URL in a line of text: as an address only where it is one of the web."""
        return self.url(url) or elsewhere(url) or UNRESOLVED

    def _number(self, note: Json) -> int:
        title, url = self._name(note)
        other = "" if url or type_of(note) == "file_citation" else elsewhere(note.get("url"))
        # One line, one number: two pages that would be listed with the same words are one source.
        key = ("", url) if url else (title, other)
        if key not in self._found:
            self._found[key] = Source(len(self._found) + 1, title, url, other)
        return self._found[key].number

    def _name(self, note: Json) -> tuple[str, str]:
        """Title and URL of what is cited."""
        if type_of(note) == "file_citation":
            return _file_title(note), ""
        url = self.url(as_text(note.get("url")))
        title = one_line(note.get("title") or note.get("name"))
        return ("" if title == url else title), url


def elsewhere(url: object) -> str:
    """An address that is none of the web, quoted so that nothing takes it for a link; else ""."""
    line = one_line(url).replace("`", "'")
    return "" if not line or _WEB.match(line) else f"`{line}` (no web address)"


def _address(url: str) -> str:
    return re.sub(r"\s+", "%20", printable(url).strip())


def _is_citation(note: Json) -> bool:
    return type_of(note) in ("url_citation", "file_citation", "place_citation")


def _file_title(note: Json) -> str:
    document = as_text(note.get("document_uri")).rstrip("/").rsplit("/", 1)[-1]
    name = one_line(note.get("file_name") or document or note.get("source")) or "a file"
    page = note.get("page_number")
    return f"{name}, page {page}" if _is_count(page) and 0 < page < 10**6 else name


def _byte_end(note: Json, size: int) -> int:
    """Where a citation ends, in bytes; one that makes no sense ends where the text does."""
    start, end = note.get("start_index"), note.get("end_index")
    # JSON leaves out a zero: a missing start is the beginning, a missing end is no span at all.
    if not _is_count(end) or not 0 < end <= size:
        return size
    if start is not None and (not _is_count(start) or not 0 <= start < end):
        return size
    return end


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
