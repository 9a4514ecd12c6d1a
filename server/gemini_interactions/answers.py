"""What a model reads of an interaction: its text, with citations, code, searches and sources.

Steps come as the API speaks them, in any order and state of repair; nothing here raises for
what it does not know. The text is laid out as: what was said and the code that ran, in their
order; then what was done for it, a line each; then the numbered sources.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from gemini_interactions.interactions import FunctionCall, Problem, Step
from gemini_interactions.paging import fences, joined, leads

Json = Mapping[str, Any]

MEDIA = frozenset({"image", "audio", "video", "document"})


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
    for. `function_calls` wait for a result. `thoughts` are summaries for progress, never part
    of the text. `problem` is what Google said went wrong, or `no_output` when there is nothing
    to show.
    """

    text: str
    sources: tuple[Source, ...] = ()
    function_calls: tuple[FunctionCall, ...] = ()
    thoughts: str = ""
    images: tuple[dict[str, Any], ...] = ()
    problem: Problem | None = None


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
    said = sources.unredirected(body.text())
    listed = "\n".join(["Sources:", *map(str, sources.listed())]) if sources.listed() else ""
    parts = (said, "\n".join(_deeds(reply, sources)), listed)
    return Answer(
        text=_joined_blocks(part for part in parts if part),
        sources=sources.listed(),
        function_calls=calls,
        thoughts="\n\n".join(_thoughts(reply)),
        images=tuple(body.images),
        problem=_problem(reply, is_empty=not said.strip() and not calls),
    )


def redirects(steps: Iterable[Json]) -> tuple[str, ...]:
    """Google's redirect URLs in these steps' answer, each once, in order."""
    found: dict[str, None] = {}
    for step in _reply(steps):
        for content in _contents(step.get("content")):
            for note in _objects(content.get("annotations")):
                found |= dict.fromkeys(_redirect(note.get("url")))
            found |= dict.fromkeys(_REDIRECT.findall(_str(content.get("text"))))
        for result in _objects(step.get("result")):
            for page in (result, *_objects(result.get("places"))):
                found |= dict.fromkeys(_redirect(page.get("url")))
        for url in _strings(_arguments(step).get("urls")):
            found |= dict.fromkeys(_redirect(url))
    return tuple(found)


def strip_media(steps: Iterable[Json]) -> tuple[Step, ...]:
    """The steps to keep: media lose their `data` and say how many `bytes` it had.

    Everything else stays as it came, signatures included: Google wants them back.
    """
    return tuple(
        {key: _without_data(key, value) for key, value in step.items()}
        for step in steps
        if isinstance(step, Mapping)
    )


def _without_data(key: str, value: Any) -> Any:
    # What somebody called a function with is theirs, whatever it looks like.
    if key == "arguments":
        return value
    if isinstance(value, list | tuple):
        return [_without_data("", item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if isinstance(value.get("data"), str | bytes) and _is_media(value):
        kept = {name: item for name, item in value.items() if name != "data"}
        return kept | {"bytes": _size(value["data"])}
    return {name: _without_data(name, item) for name, item in value.items()}


def _is_media(content: Json) -> bool:
    return content.get("type") in MEDIA or "mime_type" in content


def _size(data: str | bytes) -> int:
    """How many bytes base64 text stands for."""
    if isinstance(data, bytes):
        return len(data)
    return len(data.rstrip("=")) * 3 // 4


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

    def add(self, step: Json) -> None:
        match step.get("type"):
            case "model_output":
                self._output(_contents(step.get("content")))
            case "code_execution_call":
                arguments = _arguments(step)
                if code := _str(arguments.get("code")):
                    self._block(_fenced(code, _str(arguments.get("language"))))
            case "code_execution_result":
                self._ran(step)

    def text(self) -> str:
        return _joined_blocks(self._blocks)

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
        if self._can_continue and _continues(self._blocks[-1], text):
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
            self._block(f"[{kind}]")
        elif kind and kind != "text":
            self._block(f"[content of a kind this version does not know: {kind}]")

    def _ran(self, step: Json) -> None:
        contents = _contents(step.get("result"))
        output = "".join(_str(content.get("text")) for content in contents)
        title = "Output (an error):" if step.get("is_error") else "Output:"
        self._block(f"{title}\n{_fenced(output, 'text')}" if output.strip() else f"{title} none")
        for content in contents:
            if content.get("type") in MEDIA:
                self._shown(content)


def _continues(before: str, after: str) -> bool:
    """Whether a step goes on in the middle of the sentence the one before it began."""
    return before[-1] in " \t" or after[0] in " \t"


def _joined_blocks(blocks: Iterable[str]) -> str:
    """Blocks with at least one blank line between them, themselves unaltered."""
    parts: list[str] = []
    for block in blocks:
        if parts:
            before = len(parts[-1]) - len(parts[-1].rstrip("\n"))
            after = len(block) - len(block.lstrip("\n"))
            parts.append("\n" * max(0, 2 - before - after))
        parts.append(block)
    return "".join(parts)


def _fenced(code: str, language: str = "") -> str:
    """Code as a block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    tag = language if re.fullmatch(r"[\w+#.-]{1,20}", language) else ""
    return f"{fence}{tag}\n{code.rstrip(chr(10))}\n{fence}"


# ---------------------------------------------------------------------------- sources and marks

_REDIRECT_HOST = r"https?://vertexaisearch\.cloud\.google\.com/grounding-api-redirect"
_REDIRECT = re.compile(rf"(?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?")
_REDIRECT_LINK = re.compile(
    rf"(?<!!)\[([^\[\]\n]*)\]\(<?((?ai:{_REDIRECT_HOST})(?a:/[\w=%~-]*)?)>?\)"
)


def _redirect(url: object) -> list[str]:
    address = _str(url).strip()
    return [address] if _REDIRECT.match(address) else []


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
            notes = [note for note in _objects(content.get("annotations")) if _is_citation(note)]
            ends = _char_ends(piece, notes)
            cited += [(start + end, note) for end, note in zip(ends, notes, strict=True)]
            start += len(piece)
        if not cited:
            return text
        # Both sorts keep the order in which citations of one place came.
        cited.sort(key=lambda item: item[0])
        places = _places(text, [end for end, _ in cited])
        marks: dict[int, set[int]] = {}
        for place, (_, note) in sorted(zip(places, cited, strict=True), key=lambda item: item[0]):
            marks.setdefault(place, set()).add(self._number(note))
        return _with_marks(text, marks) if text.strip() else text

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


def _char_ends(text: str, notes: Sequence[Json]) -> list[int]:
    """Where each citation ends, in characters; the API counts UTF-8 bytes.

    An end inside a character moves behind it; one that makes no sense is the end of the text.
    """
    if not notes:
        return []
    data = text.encode("utf-8", "surrogatepass")
    ends = [_byte_end(note, len(data)) for note in notes]
    if len(data) == len(text):
        return ends
    # Each stretch between two ends is counted once, so many citations cost what one does.
    counted: dict[int, int] = {}
    place = characters = 0
    for end in sorted(set(ends)):
        characters += leads(data[place:end])
        place = end
        counted[end] = characters
    return [counted[end] for end in ends]


def _byte_end(note: Json, size: int) -> int:
    start, end = note.get("start_index"), note.get("end_index")
    # JSON leaves out a zero: a missing start is the beginning, a missing end is no span at all.
    if not _is_count(end) or not 0 < end <= size:
        return size
    if start is not None and (not _is_count(start) or not 0 <= start < end):
        return size
    return end


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _places(text: str, ends: Sequence[int]) -> list[int]:
    """Where the marks of these ends (ascending) go, so that they break nothing.

    Beyond the text means nowhere: behind a code block nobody closed.
    """
    closed = _unbreakable(text)
    starts = [span.start for span in closed]
    places: list[int] = []
    begun = whole = -1
    for end in ends:
        # Ends within one long cluster share the walk to its end.
        if not begun <= end <= whole:
            begun, whole = end, _whole_character(text, end)
        places.append(_place(text, whole, closed, bisect_left(starts, whole) - 1))
    return places


def _place(text: str, end: int, closed: Sequence[_Unbreakable], before: int) -> int:
    """The place for a mark at `end`; `before` is the last unbreakable that begins before it."""
    span = closed[before] if before >= 0 else _Unbreakable(0, 0)
    # A fence's closing line takes no mark either: with one it would close nothing.
    if end < span.end or (end == span.end and span.is_code_block):
        return _whole_character(text, span.end) if span.is_closed else len(text) + 1
    if end and text[end - 1] == "\n":
        return _end_of_line(text, end, span.end)
    return end


def _end_of_line(text: str, end: int, lowest: int) -> int:
    """The place before the line break: at the start of a heading or list a mark breaks it."""
    place = end
    while place > lowest and text[place - 1].isspace():
        place -= 1
    return min(_whole_character(text, place), end)


def _whole_character(text: str, place: int) -> int:
    while joined(text, place):
        place += 1
    return place


_CLOSING_LINE = re.compile(r"(?:\A|\n)[ \t>]*(?:`{3,}|~{3,})[ \t\r]*\Z")


def _with_marks(text: str, marks: Mapping[int, Iterable[int]]) -> str:
    parts: list[str] = []
    done = 0
    for place in sorted(marks):
        if place > len(text):
            break
        parts.append(text[done:place])
        if place == len(text) and _CLOSING_LINE.search(text[-200:]):
            parts.append("\n")
        done = place
        parts.extend(f"[{number}]" for number in sorted(marks[place]))
    parts.append(text[done:])
    return "".join(parts)


class _Unbreakable(NamedTuple):
    """A stretch of Markdown that a mark inside would break."""

    start: int
    end: int
    is_code_block: bool = False
    is_closed: bool = True


# One level of brackets inside is enough for images that link. No quantifier gives back what
# it took, so a hostile text costs no more than its length.
_LINK = re.compile(
    r"!?\[(?:[^\[\]\n]++|\[[^\[\]\n]*+\](?:\([^()\s]*+\))?)*+\]"
    r"\((?:[^()\s]++|\([^()\s]*+\))*+(?:[ \t]++(?:\"[^\"\n]*+\"|'[^'\n]*+'))?\)"
)
_ADDRESS = re.compile(r"(?a:<https?://[^\s<>]*>|https?://[\w/=&#%~+.,;:!?@$*()-]*[\w/=&#%~+-])")
_BACKTICKS = re.compile(r"`+")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def _unbreakable(text: str) -> list[_Unbreakable]:
    """Code blocks, inline code, links and addresses, in order and not overlapping."""
    blocks = [_Unbreakable(start, end, True, closed) for start, end, closed in fences(text)]
    found = [*blocks, *_inline_code(text, blocks)]
    if "](" in text:
        found += [_Unbreakable(*match.span()) for match in _LINK.finditer(text)]
    if "://" in text:
        found += [_Unbreakable(*match.span()) for match in _ADDRESS.finditer(text)]
    spans: list[_Unbreakable] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if spans and span.start < spans[-1].end:
            # What overlaps is one stretch; a code block says what it is.
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, span.end))
        else:
            spans.append(span)
    return spans


def _inline_code(text: str, blocks: Sequence[_Unbreakable]) -> Iterator[_Unbreakable]:
    """Stretches between two equal runs of backticks within one paragraph."""
    if "`" not in text:
        return
    breaks = sorted(
        [match.start() for match in _BLANK_LINE.finditer(text)]
        + [edge for block in blocks for edge in (block.start, block.end)]
    )
    block_starts = [block.start for block in blocks]

    def is_outside(place: int) -> bool:
        at = bisect_right(block_starts, place) - 1
        return at < 0 or place >= blocks[at].end

    runs = [match.span() for match in _BACKTICKS.finditer(text) if is_outside(match.start())]
    partner = _partners([end - start for start, end in runs])
    at = 0
    while at < len(runs):
        start, end = runs[at]
        other = partner[at]
        if other and bisect_right(breaks, end) == bisect_right(breaks, runs[other][0]):
            yield _Unbreakable(start, runs[other][1])
            at = other
        at += 1


def _partners(lengths: Sequence[int]) -> list[int]:
    """For each run of backticks the next one of the same length; 0 where there is none."""
    upcoming: dict[int, int] = {}
    partners = [0] * len(lengths)
    for at in range(len(lengths) - 1, -1, -1):
        partners[at] = upcoming.get(lengths[at], 0)
        upcoming[lengths[at]] = at
    return partners


# ------------------------------------------------------------------------------ what was done

_MOST_DEEDS = 20
_UNRESOLVED = "(a link that could not be resolved)"


def _deeds(reply: Sequence[Json], sources: _Sources) -> list[str]:
    """One line for each thing done on the way: searches, pages read, tools called."""
    done: dict[str, dict[str, None]] = {}
    read: dict[str, str] = {}
    results = {_str(step.get("call_id")): step for step in reply if step.get("call_id")}
    for step in reply:
        for url, status in _pages_read(step):
            done.setdefault("Read", {})
            read[url] = status or read.get(url, "")
        for group, deed in _deed(step, results, sources):
            done.setdefault(group, {})[deed] = None
    for url, status in read.items():
        line = f"Read: {sources.url(url) or _UNRESOLVED} ({_OUTCOMES.get(status, status)})"
        done["Read"][line] = None
    return [line for group, deeds in done.items() for line in _told(group, list(deeds))]


_OUTCOMES = {"": "no result", "success": "ok"}
# Groups told as one line of quoted words.
_QUOTED = frozenset({"Searched", "Searched Google Maps", "Retrieved"})


def _told(group: str, deeds: list[str]) -> Iterator[str]:
    shown = deeds[:_MOST_DEEDS]
    more = len(deeds) - len(shown)
    if group in _QUOTED:
        yield f"{group}: {', '.join(shown)}{f' and {more} more' if more else ''}"
        return
    yield from shown
    if more:
        yield f"{group}: {more} more"


def _pages_read(step: Json) -> Iterator[tuple[str, str]]:
    if step.get("type") == "url_context_call":
        yield from ((url, "") for url in _strings(_arguments(step).get("urls")))
    if step.get("type") == "url_context_result":
        for result in _objects(step.get("result")):
            if url := _str(result.get("url")):
                yield url, _line(result.get("status"), 40)


_SILENT = frozenset(
    {
        "user_input",
        "model_output",
        "thought",
        "function_result",
        "code_execution_call",
        "code_execution_result",
        "google_search_result",
        "url_context_call",
        "url_context_result",
        "file_search_result",
        "mcp_server_tool_result",
        "retrieval_result",
        "processing_result",
        "tool_search_result",
    }
)


def _deed(step: Json, results: Mapping[str, Json], sources: _Sources) -> Iterator[tuple[str, str]]:
    """What this step did: the group it is told in, and its words."""
    arguments = _arguments(step)
    result = results.get(_str(step.get("id")))
    match step.get("type"):
        case "google_search_call":
            yield from _quoted("Searched", arguments)
        case "google_maps_call":
            yield from _quoted("Searched Google Maps", arguments)
        case "google_maps_result":
            yield from (("Places", line) for line in _places_found(step, sources))
        case "retrieval_call":
            yield from _quoted("Retrieved", arguments)
        case "file_search_call":
            yield "File search", "Searched the files."
        case "processing_call":
            yield "Processing", "Looked through the media."
        case "tool_search_call":
            yield "Tool search", "Looked for functions."
        case "mcp_server_tool_call":
            name = f"{_line(step.get('server_name'), 60)}: {_line(step.get('name'), 60)}"
            yield "Called", f"Called {name}{_called_with(arguments)}{_outcome(result)}"
        case "function_call" if result is not None:
            name = _line(step.get("name"), 60)
            yield "Called", f"Called {name}{_called_with(arguments)}{_outcome(result)}"
        case "function_call":
            pass
        case kind if kind not in _SILENT:
            name = _line(kind, 60) or "no name"
            yield "Unknown", f"[step of a kind this version does not know: {name}]"


def _quoted(group: str, arguments: Json) -> Iterator[tuple[str, str]]:
    for query in _strings(arguments.get("queries")):
        yield group, json.dumps(_line(query), ensure_ascii=False)


def _places_found(step: Json, sources: _Sources) -> Iterator[str]:
    for result in _objects(step.get("result")):
        for place in _objects(result.get("places")):
            parts = (_line(place.get("name")), sources.url(_str(place.get("url"))))
            if shown := " — ".join(part for part in parts if part):
                yield f"Place: {shown}"


def _called_with(arguments: Json) -> str:
    return f"({_line(json.dumps(arguments, ensure_ascii=False))})" if arguments else "()"


def _outcome(result: Json | None) -> str:
    if result is None:
        return ""
    said = _line(" ".join(_str(content.get("text")) for content in _contents(result.get("result"))))
    failed = " (an error)" if result.get("is_error") else ""
    return f"{failed} → {said}" if said else failed


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
    name = result.get("name")
    nameless = (
        call_id
        for call_id, call in pending.items()
        if call_id.startswith("call_") and name in (None, "", call.name)
    )
    pending.pop(next(nameless, ""), None)


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
