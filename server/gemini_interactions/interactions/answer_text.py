"""What a model reads of an interaction: its text, with citations, code, searches and sources.

Steps come as the API speaks them, in any order and state of repair; nothing here raises for
what it does not know. The text is laid out as: what was said and the code that ran, in their
order; then what was done for it, a line each; then the numbered sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from gemini_interactions.domain.types import CONTENTS, FunctionCall, Problem, Step
from gemini_interactions.interactions.text_pages import (
    characters_at,
    fenced,
    places_for,
    put_in,
    stacked,
)

Json = Mapping[str, Any]

MEDIA = CONTENTS - {"text"}


@dataclass(frozen=True, slots=True)
class Source:
    """A line of the source list. `url` is empty where a redirect could not be resolved."""

    number: int
    title: str
    url: str = ""

    def __str__(self) -> str:
        shown = " — ".join(part for part in (self.title, self.url) if part)
        return f"{self.number}. {shown or 'a source without a name'}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One interaction's answer.

    `text` is all a model reads, source list included. `images` are the content objects
    (``{"type": "image", "mime_type", "data" or "uri"}``) that `[image 1]`, `[image 2]` stand
    for, and `media` the audio and videos. `function_calls` wait for a result. `thoughts` are
    summaries for progress, never part of the text. `problem` is what Google said went wrong, or
    `no_output` when there is nothing to show. It `is_empty` where nothing was said: what was done
    on the way is no answer.
    """

    text: str
    sources: tuple[Source, ...] = ()
    function_calls: tuple[FunctionCall, ...] = ()
    thoughts: str = ""
    images: tuple[dict[str, Any], ...] = ()
    media: tuple[dict[str, Any], ...] = ()
    problem: Problem | None = None
    is_empty: bool = False


def read(steps: Iterable[Json], *, targets: Mapping[str, str] | None = None) -> Answer:
    """What these steps answer to the last user input.

    `targets` says where Google's redirects lead: URL → target, or "" where that failed.
    """
    reply = _reply(steps)
    sources = _Sources(targets or {})
    body = _Body(sources)
    for step in reply:
        body.add(step)
    calls = _pending(reply)
    text = sources.unredirected(body.text())
    listed = "\n".join(["Sources:", *map(str, sources.listed())]) if sources.listed() else ""
    parts = (text, "\n".join(_deeds(reply, sources)), listed)
    return Answer(
        text=stacked(part for part in parts if part),
        sources=sources.listed(),
        function_calls=calls,
        thoughts="\n\n".join(_thoughts(reply)),
        images=tuple(body.images),
        media=tuple(body.media),
        problem=_problem(reply, is_empty=not text.strip() and not calls),
        is_empty=not text.strip(),
    )


def redirects(steps: Iterable[Json]) -> tuple[str, ...]:
    """Google's redirect URLs in these steps' answer, each once, in order."""
    urls: list[str] = []
    for step in _reply(steps):
        for content in _contents(step.get("content")):
            urls += (_str(note.get("url")) for note in _objects(content.get("annotations")))
            urls += _REDIRECT.findall(_str(content.get("text")))
        for result in _objects(step.get("result")):
            urls += (_str(page.get("url")) for page in (result, *_objects(result.get("places"))))
        urls += _strings(_arguments(step).get("urls"))
    return tuple(dict.fromkeys(url.strip() for url in urls if _REDIRECT.match(url.strip())))


def strip_media(steps: Iterable[Json]) -> tuple[Step, ...]:
    """The steps to keep: media lose their `data` and say how many `bytes` it had.

    Everything else stays as it came, signatures included: Google wants them back.
    """
    return tuple(
        {key: _without_data(key, value, step.get("type")) for key, value in step.items()}
        for step in steps
        if isinstance(step, Mapping)
    )


def _without_data(key: str, value: Any, step: Any = None) -> Any:
    # What somebody called a function with is theirs, and so is the object that came of it.
    is_theirs = step == "function_result" and key == "result" and isinstance(value, Mapping)
    if key == "arguments" or is_theirs:
        return value
    if isinstance(value, list | tuple):
        return [_without_data("", item) for item in value]
    if not isinstance(value, Mapping):
        return value
    is_media = value.get("type") in MEDIA or "mime_type" in value
    if is_media and isinstance(value.get("data"), str):
        kept = {name: item for name, item in value.items() if name != "data"}
        # Base64 says three bytes with four letters.
        return kept | {"bytes": len(value["data"].rstrip("=")) * 3 // 4}
    return {name: _without_data(name, item) for name, item in value.items()}


# ------------------------------------------------------------------------- reading JSON gently


def _reply(steps: Iterable[Json]) -> list[Json]:
    """The steps after the last user input."""
    given = [step for step in steps if isinstance(step, Mapping)]
    asked = [place for place, step in enumerate(given) if step.get("type") == "user_input"]
    return given[asked[-1] + 1 :] if asked else given


def _objects(value: object) -> list[Json]:
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, Mapping)]
    return []


def _contents(value: object) -> list[Json]:
    """Content objects; a bare string, or one without a type, is text."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    return _objects(value)


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [item for item in values if isinstance(item, str) and item.strip()]


def _arguments(step: Json) -> dict[str, Any]:
    """A call's arguments: they may be missing, null, or JSON still in a string."""
    value = step.get("arguments")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}


def _line(value: object, most: int = 200) -> str:
    """Somebody's words as one line of bounded length."""
    line = " ".join(_str(value).split())
    return line if len(line) <= most else line[: most - 1] + "…"


# ------------------------------------------------------------- what was said, and code that ran


class _Body:
    """The answer itself, block by block, in the order of the steps."""

    def __init__(self, sources: _Sources) -> None:
        self._sources = sources
        self._blocks: list[str] = []
        self._can_continue = False
        self.images: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []

    def add(self, step: Json) -> None:
        match step.get("type"):
            case "model_output":
                self._output(_contents(step.get("content")))
            case "code_execution_call":
                arguments = _arguments(step)
                if code := _str(arguments.get("code")):
                    self._block(fenced(code, _str(arguments.get("language"))))
            case "code_execution_result":
                self._ran(step)

    def text(self) -> str:
        return stacked(self._blocks)

    def _output(self, contents: Sequence[Json]) -> None:
        texts: list[Json] = []
        for content in contents:
            if "text" in content and content.get("type", "text") == "text":
                texts.append(content)
                continue
            self._said(texts)
            texts = []
            self._shown(content)
        self._said(texts)

    def _said(self, texts: Sequence[Json]) -> None:
        """Pieces of text side by side are one text: nothing comes between them."""
        text = self._sources.marked(texts)
        if not text:
            return
        before = self._blocks[-1] if self._can_continue else ""
        # A step may go on in the middle of the sentence the one before it began.
        if before and (before[-1] in " \t" or text[0] in " \t"):
            self._blocks[-1] += text
        else:
            self._blocks.append(text)
        self._can_continue = True

    def _block(self, block: str) -> None:
        self._blocks.append(block)
        self._can_continue = False

    def _shown(self, content: Json) -> None:
        kind = _line(content.get("type"), 60)
        if kind == "image":
            self.images.append(dict(content))
            self._block(f"[image {len(self.images)}]")
        elif kind in MEDIA:
            if kind in ("audio", "video"):
                self.media.append(dict(content))
            self._block(f"[{kind}]")
        elif kind and kind != "text":
            self._block(f"[content of a kind this version does not know: {kind}]")

    def _ran(self, step: Json) -> None:
        contents = _contents(step.get("result"))
        output = "".join(_str(content.get("text")) for content in contents)
        title = "Output (an error):" if step.get("is_error") else "Output:"
        self._block(f"{title}\n{fenced(output, 'text')}" if output.strip() else f"{title} none")
        for content in contents:
            if content.get("type") in MEDIA:
                self._shown(content)


# ---------------------------------------------------------------------------- sources and marks

_REDIRECT_HOST = r"https?://vertexaisearch\.cloud\.google\.com/grounding-api-redirect"
_REDIRECT = re.compile(rf"(?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?")
_REDIRECT_LINK = re.compile(
    rf"(?<!!)\[([^\[\]\n]*)\]\(<?((?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?)>?\)"
)


class _Sources:
    """The sources of an answer, numbered by their first mark in the text."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._found: dict[tuple[str, str], Source] = {}

    def listed(self) -> tuple[Source, ...]:
        return tuple(self._found.values())

    def marked(self, texts: Sequence[Json]) -> str:
        """These pieces as one text, with a mark such as `[1]` behind everything cited."""
        text = "".join(_str(content.get("text")) for content in texts)
        cited: list[tuple[int, Json]] = []
        start = 0
        for content in texts:
            piece = _str(content.get("text"))
            size = len(piece.encode("utf-8", "surrogatepass"))
            notes = [note for note in _objects(content.get("annotations")) if _is_citation(note)]
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
        if "grounding-api-redirect" not in text:
            return text
        text = _REDIRECT_LINK.sub(
            lambda found: f"[{found[1]}]({url})" if (url := self.url(found[2])) else found[1], text
        )
        return _REDIRECT.sub(lambda found: self.url(found[0]) or _UNRESOLVED, text)

    def url(self, url: str) -> str:
        """This URL as it may be shown: a redirect's target, or "" where that is not known."""
        shown = re.sub(r"\s+", "%20", url.strip())
        if _REDIRECT.match(shown):
            shown = re.sub(r"\s+", "%20", self._targets.get(url.strip(), "").strip())
        return "" if _REDIRECT.match(shown) else shown

    def _number(self, note: Json) -> int:
        title, url = self._name(note)
        # One line, one number: two pages that would be listed with the same words are one source.
        key = ("", url) if url else (title, "")
        if key not in self._found:
            self._found[key] = Source(len(self._found) + 1, title, url)
        return self._found[key].number

    def _name(self, note: Json) -> tuple[str, str]:
        """Title and URL of what is cited."""
        if note.get("type") == "file_citation":
            return _file_title(note), ""
        url = self.url(_str(note.get("url")))
        title = _line(note.get("title") or note.get("name"))
        return ("" if title == url else title), url


def _is_citation(note: Json) -> bool:
    return note.get("type") in ("url_citation", "file_citation", "place_citation")


def _file_title(note: Json) -> str:
    document = _str(note.get("document_uri")).rstrip("/").rsplit("/", 1)[-1]
    name = _line(note.get("file_name") or document or note.get("source")) or "a file"
    page = note.get("page_number")
    return f"{name}, page {page}" if isinstance(page, int) and page > 0 else name


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


# ------------------------------------------------------------------------------ what was done

_MOST_DEEDS = 20
_UNRESOLVED = "(a link that could not be resolved)"

# Steps told by their queries, all of a kind in one line.
_QUERIES = {
    "google_search_call": "Searched",
    "google_maps_call": "Searched Google Maps",
    "retrieval_call": "Retrieved",
}
# Steps that say no more than that they happened.
_PLAIN = {
    "file_search_call": "Searched the files.",
    "processing_call": "Looked through the media.",
    "tool_search_call": "Looked for functions.",
}
# Steps that are told elsewhere, or through their call.
_SILENT = frozenset(
    {"user_input", "model_output", "thought", "code_execution_call", "code_execution_result"}
    | {"google_search_result", "retrieval_result", "mcp_server_tool_result", "function_result"}
    | {"file_search_result", "processing_result", "tool_search_result", "function_call"}
)


def _deeds(reply: Sequence[Json], sources: _Sources) -> list[str]:
    """One line for each thing done on the way: searches, pages read, tools called."""
    done: dict[str, dict[str, None]] = {}
    results = {_str(step.get("call_id")): step for step in reply if step.get("call_id")}
    pages = list(_pages_read(reply, sources))
    for step in reply:
        kind = _str(step.get("type"))
        if kind in _QUERIES:
            told = [(_QUERIES[kind], query) for query in _queries(step)]
        elif kind in ("url_context_call", "url_context_result"):
            told = [("Read", line) for line in pages]
        elif kind == "google_maps_result":
            told = [("Places", line) for line in _places_found(step, sources)]
        elif kind in ("mcp_server_tool_call", "function_call"):
            told = [("Called", line) for line in _called(step, results.get(_str(step.get("id"))))]
        elif kind in _PLAIN:
            told = [(kind, _PLAIN[kind])]
        elif kind not in _SILENT:
            name = _line(kind, 60) or "no name"
            told = [("Unknown", f"[step of a kind this version does not know: {name}]")]
        else:
            continue
        for group, line in told:
            done.setdefault(group, {})[line] = None
    return [line for group, lines in done.items() for line in _told(group, list(lines))]


def _told(group: str, lines: list[str]) -> Iterator[str]:
    shown = lines[:_MOST_DEEDS]
    more = len(lines) - len(shown)
    if group in _QUERIES.values():
        yield f"{group}: {', '.join(shown)}{f' and {more} more' if more else ''}"
        return
    yield from shown
    if more:
        yield f"{group}: {more} more"


def _queries(step: Json) -> list[str]:
    queries = _strings(_arguments(step).get("queries"))
    return [json.dumps(_line(query), ensure_ascii=False) for query in queries]


def _pages_read(reply: Sequence[Json], sources: _Sources) -> Iterator[str]:
    """Every page asked for or read in the whole answer, with what came of it."""
    outcomes: dict[str, str] = {}
    for step in reply:
        if step.get("type") == "url_context_call":
            for url in _strings(_arguments(step).get("urls")):
                outcomes.setdefault(url, "no result")
        if step.get("type") == "url_context_result":
            for page in _objects(step.get("result")):
                outcomes[_str(page.get("url"))] = _line(page.get("status"), 40)
    for url, outcome in outcomes.items():
        word = "ok" if outcome == "success" else outcome or "no result"
        yield f"Read: {sources.url(url) or _UNRESOLVED} ({word})"


def _places_found(step: Json, sources: _Sources) -> Iterator[str]:
    for result in _objects(step.get("result")):
        for place in _objects(result.get("places")):
            parts = (_line(place.get("name")), sources.url(_str(place.get("url"))))
            if shown := " — ".join(part for part in parts if part):
                yield f"Place: {shown}"


def _called(call: Json, result: Json | None) -> Iterator[str]:
    """A tool called on the way; a function without a result still waits for the caller."""
    if result is None and call.get("type") == "function_call":
        return
    names = (_line(call.get("server_name"), 60), _line(call.get("name"), 60))
    arguments = _arguments(call)
    given = _line(json.dumps(arguments, ensure_ascii=False)) if arguments else ""
    contents = _contents(result.get("result")) if result else []
    said = _line(" ".join(_str(content.get("text")) for content in contents))
    failed = " (an error)" if result and result.get("is_error") else ""
    outcome = f" → {said}" if said else ""
    yield f"Called {': '.join(filter(None, names))}({given}){failed}{outcome}"


# --------------------------------------------------------- calls waiting, thoughts and problems


def _pending(reply: Sequence[Json]) -> tuple[FunctionCall, ...]:
    """The function calls nobody answered yet; one without an id is named by its position.

    An agent answers its own calls in its sandbox: those have their result behind them.
    """
    pending: dict[str, FunctionCall] = {}
    count = 0
    for step in reply:
        if step.get("type") == "function_call":
            count += 1
            call_id = _str(step.get("id")) or f"call_{count}"
            pending[call_id] = FunctionCall(call_id, _str(step.get("name")), _arguments(step))
        elif step.get("type") == "function_result":
            _answer(pending, step)
    return tuple(pending.values())


def _answer(pending: dict[str, FunctionCall], result: Json) -> None:
    """Take the call this result belongs to off the list; without an id, the first of its name."""
    if call_id := _str(result.get("call_id")):
        pending.pop(call_id, None)
        return
    name = _str(result.get("name"))
    nameless = [key for key, call in pending.items() if name in ("", call.name)]
    pending.pop(next((key for key in nameless if key.startswith("call_")), ""), None)


def _thoughts(reply: Sequence[Json]) -> Iterator[str]:
    """Summaries of thoughts; drafts of images among them are nobody's business."""
    for step in reply:
        if step.get("type") == "thought":
            # Google leaves out the type here at times: what has a text is text.
            for content in _contents(step.get("summary")):
                if text := _str(content.get("text")).strip():
                    yield text


def _problem(reply: Sequence[Json], is_empty: bool) -> Problem | None:
    for step in reply:
        error = step.get("error") if step.get("type") == "model_output" else None
        if isinstance(error, Mapping) and (error.get("code") or error.get("message")):
            return Problem(str(error.get("code") or "unknown"), _str(error.get("message")))
    return Problem("no_output") if is_empty else None
