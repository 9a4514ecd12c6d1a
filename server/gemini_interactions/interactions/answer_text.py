"""What a model reads of an interaction: its text, with citations, code, searches and sources.

Steps come as the API speaks them, in any order and state of repair; nothing here raises for
what it does not know. The text is laid out as: what was said and the code that ran, in their
order; then what was done for it, a line each; then the numbered sources.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gemini_interactions.domain.types import FunctionCall, Problem, Step
from gemini_interactions.interactions.citation_marks import (
    REDIRECT,
    REDIRECT_PATH,
    Source,
    Sources,
)
from gemini_interactions.interactions.json_values import (
    MEDIA,
    Json,
    as_text,
    contents_in,
    is_media,
    objects_in,
    one_line,
    strings_in,
    type_of,
)
from gemini_interactions.interactions.text_pages import fenced, stacked

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """One interaction's answer.

    `text` is all a model reads, source list included. `images` are the content objects
    (``{"type": "image", "mime_type", "data" or "uri"}``) that `[image 1]`, `[image 2]` stand
    for, and `media` the audio and videos. `function_calls` wait for a result. `thoughts` are
    summaries for progress, never part of the text. `problem` is what Google said went wrong, or
    `no_output` when there is nothing to show. It `is_empty` where nothing was said: what was done
    on the way is no answer. `unread` names the steps that this version failed to read.
    """

    text: str
    sources: tuple[Source, ...] = ()
    function_calls: tuple[FunctionCall, ...] = ()
    thoughts: str = ""
    images: tuple[dict[str, Any], ...] = ()
    media: tuple[dict[str, Any], ...] = ()
    problem: Problem | None = None
    is_empty: bool = False
    unread: tuple[str, ...] = ()


def read(steps: Iterable[Json], *, targets: Mapping[str, str] | None = None) -> Answer:
    """What these steps answer to the last user input.

    `targets` says where Google's redirects lead: URL → target, or "" where that failed.
    """
    reply = _reply(steps)
    try:
        return _read(reply, targets or {})
    except Exception:  # a fault of ours must not cost the rest of an answer that is paid for
        log.exception("a step of an answer could not be read")
    good, unread = _readable(reply)
    if not good and not unread:  # each alone can be read, and together they cannot
        return Answer(_plain_text(reply), unread=("the whole",), is_empty=not _plain_text(reply))
    return replace(_read(good, targets or {}), unread=unread)


def _readable(reply: Sequence[Json]) -> tuple[list[Json], tuple[str, ...]]:
    """The steps that can be read, and those that cannot, by place and type."""
    good: list[Json] = []
    unread: list[str] = []
    for place, step in enumerate(reply, 1):
        try:
            _read([step], {})
        except Exception:
            unread.append(f"step {place} ({one_line(step.get('type'), 60) or 'no type'})")
        else:
            good.append(step)
    return (good, tuple(unread)) if unread else ([], ())


def _plain_text(reply: Sequence[Json]) -> str:
    """The bare words of an answer."""
    said = [contents_in(step.get("content")) for step in reply if type_of(step) == "model_output"]
    return "".join(as_text(content.get("text")) for each in said for content in each)


def _read(reply: Sequence[Json], targets: Mapping[str, str]) -> Answer:
    sources = Sources(targets)
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


def spoken(steps: Iterable[Json]) -> str:
    """The words of an answer alone, as somebody would read them aloud: no marks, no sources."""
    said = [
        contents_in(step.get("content"))
        for step in _reply(steps)
        if type_of(step) == "model_output"
    ]
    texts = ("".join(as_text(content.get("text")) for content in each) for each in said)
    return "\n\n".join(text.strip() for text in texts if text.strip())


def redirects(steps: Iterable[Json]) -> tuple[str, ...]:
    """Google's redirect URLs in these steps' answer, each once, in order."""
    urls: list[str] = []
    for step in _reply(steps):
        for content in contents_in(step.get("content")):
            urls += (as_text(note.get("url")) for note in objects_in(content.get("annotations")))
            text = as_text(content.get("text"))
            # The expression tries every character, which takes twenty times as long.
            urls += REDIRECT.findall(text) if REDIRECT_PATH in text else ()
        for result in objects_in(step.get("result")):
            urls += (
                as_text(page.get("url")) for page in (result, *objects_in(result.get("places")))
            )
        urls += strings_in(_arguments(step).get("urls"))
    return tuple(dict.fromkeys(url.strip() for url in urls if REDIRECT.match(url.strip())))


def has_media(steps: Iterable[Json]) -> bool:
    """Whether anything in these steps' answer is no text: a picture, a sound, a video."""
    return any(
        is_media(content)
        for step in _reply(steps)
        for name in ("content", "result")
        for content in contents_in(step.get(name))
    )


def strip_media(steps: Iterable[Json]) -> tuple[Step, ...]:
    """The steps to keep: media lose their `data` and say how many `bytes` it had.

    Everything else stays as it came, signatures included: Google wants them back.
    """
    return tuple(_kept(step) for step in steps if isinstance(step, Mapping))


def _kept(step: Json) -> Step:
    try:
        return {key: _without_data(key, value, type_of(step)) for key, value in step.items()}
    except Exception:  # better too much is kept than nothing
        log.exception("the media of a step could not be left out")
        return dict(step)


def _without_data(key: str, value: Any, step: str = "") -> Any:
    # What somebody called a function with is theirs, and so is the object that came of it.
    is_theirs = step == "function_result" and key == "result" and isinstance(value, Mapping)
    if key == "arguments" or is_theirs:
        return value
    if isinstance(value, list | tuple):
        return [_without_data("", item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if (is_media(value) or "mime_type" in value) and isinstance(value.get("data"), str):
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


def _arguments(step: Json) -> dict[str, Any]:
    """A call's arguments: they may be missing, null, or JSON still in a string."""
    value = step.get("arguments")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}


# ------------------------------------------------------------- what was said, and code that ran


class _Body:
    """The answer itself, block by block, in the order of the steps."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._blocks: list[str] = []
        self._can_continue = False
        self.images: list[dict[str, Any]] = []
        self.media: list[dict[str, Any]] = []

    def add(self, step: Json) -> None:
        match step.get("type"):
            case "model_output":
                self._output(contents_in(step.get("content")))
            case "code_execution_call":
                arguments = _arguments(step)
                if code := as_text(arguments.get("code")):
                    self._block(fenced(code, as_text(arguments.get("language"))))
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
        kind = one_line(content.get("type"), 60)
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
        contents = contents_in(step.get("result"))
        output = "".join(as_text(content.get("text")) for content in contents)
        title = "Output (an error):" if step.get("is_error") else "Output:"
        self._block(f"{title}\n{fenced(output, 'text')}" if output.strip() else f"{title} none")
        for content in contents:
            if is_media(content):
                self._shown(content)


# ------------------------------------------------------------------------------ what was done

_MOST_DEEDS = 20

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


def _deeds(reply: Sequence[Json], sources: Sources) -> list[str]:
    """One line for each thing done on the way: searches, pages read, tools called."""
    done: dict[str, dict[str, None]] = {}
    results: dict[str, list[Json]] = {}
    for step in reply:
        if call_id := as_text(step.get("call_id")):
            results.setdefault(call_id, []).append(step)
    pages = list(_pages_read(reply, sources))
    for step in reply:
        kind = as_text(step.get("type"))
        if kind in _QUERIES:
            told = [(_QUERIES[kind], query) for query in _queries(step)]
        elif kind in ("url_context_call", "url_context_result"):
            told = [("Read", line) for line in pages]
        elif kind == "google_maps_result":
            told = [("Places", line) for line in _places_found(step, sources)]
        elif kind in ("mcp_server_tool_call", "function_call"):
            own = results.get(as_text(step.get("id")))
            told = [("Called", line) for line in _called(step, own.pop(0) if own else None)]
        elif kind in _PLAIN:
            told = [(kind, _PLAIN[kind])]
        elif kind not in _SILENT:
            name = one_line(kind, 60) or "no name"
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
    queries = strings_in(_arguments(step).get("queries"))
    return [json.dumps(one_line(query), ensure_ascii=False) for query in queries]


def _pages_read(reply: Sequence[Json], sources: Sources) -> Iterator[str]:
    """Every page asked for or read in the whole answer, with what came of it."""
    outcomes: dict[str, str] = {}
    for step in reply:
        if step.get("type") == "url_context_call":
            for url in strings_in(_arguments(step).get("urls")):
                outcomes.setdefault(url, "no result")
        if step.get("type") == "url_context_result":
            for page in objects_in(step.get("result")):
                outcomes[as_text(page.get("url"))] = one_line(page.get("status"), 40)
    for url, outcome in outcomes.items():
        word = "ok" if outcome == "success" else outcome or "no result"
        yield f"Read: {sources.shown(url)} ({word})"


def _places_found(step: Json, sources: Sources) -> Iterator[str]:
    for result in objects_in(step.get("result")):
        for place in objects_in(result.get("places")):
            parts = (one_line(place.get("name")), sources.url(as_text(place.get("url"))))
            if shown := " — ".join(part for part in parts if part):
                yield f"Place: {shown}"


def _called(call: Json, result: Json | None) -> Iterator[str]:
    """A tool called on the way; a function without a result still waits for the caller."""
    if result is None and call.get("type") == "function_call":
        return
    names = (one_line(call.get("server_name"), 60), one_line(call.get("name"), 60))
    arguments = _arguments(call)
    given = one_line(json.dumps(arguments, ensure_ascii=False)) if arguments else ""
    contents = contents_in(result.get("result")) if result else []
    said = one_line(" ".join(as_text(content.get("text")) for content in contents))
    failed = " (an error)" if result and result.get("is_error") else ""
    outcome = f" → {said}" if said else ""
    yield f"Called {': '.join(filter(None, names))}({given}){failed}{outcome}"


# --------------------------------------------------------- calls waiting, thoughts and problems


def _pending(reply: Sequence[Json]) -> tuple[FunctionCall, ...]:
    """The function calls nobody answered yet; one without an id is named by its position, one
    whose id an earlier one has by that and a number.

    An agent answers its own calls in its sandbox: those have their result behind them.
    """
    pending: dict[str, FunctionCall] = {}
    theirs = {as_text(step.get("id")) for step in reply if step.get("type") == "function_call"}
    count = 0
    for step in reply:
        if step.get("type") == "function_call":
            count += 1
            id = as_text(step.get("id"))
            call_id = id if id and id not in pending else _call_id(id, count, {*pending, *theirs})
            call = FunctionCall(call_id, as_text(step.get("name")), _arguments(step), id)
            pending[call_id] = call
        elif step.get("type") == "function_result":
            _answer(pending, step)
    return tuple(pending.values())


def _call_id(id: str, count: int, taken: Collection[str]) -> str:
    """A name for the `count`-th call, whose own id is empty or taken."""
    numbers = itertools.count(2 if id else count)
    return next(name for number in numbers if (name := f"{id or 'call'}_{number}") not in taken)


def _answer(pending: dict[str, FunctionCall], result: Json) -> None:
    """Take the call this result belongs to off the list: the first with its id, or without one
    the first without one of its name."""
    id, name = as_text(result.get("call_id")), as_text(result.get("name"))
    for key, call in pending.items():
        if call.upstream_id == id and (id or name in ("", call.name)):
            del pending[key]
            return


def _thoughts(reply: Sequence[Json]) -> Iterator[str]:
    """Summaries of thoughts; drafts of images among them are nobody's business."""
    for step in reply:
        if step.get("type") == "thought":
            # Google leaves out the type here at times: what has a text is text.
            for content in contents_in(step.get("summary")):
                if text := as_text(content.get("text")).strip():
                    yield text


def _problem(reply: Sequence[Json], is_empty: bool) -> Problem | None:
    for step in reply:
        error = step.get("error") if step.get("type") == "model_output" else None
        if isinstance(error, Mapping) and (error.get("code") or error.get("message")):
            return Problem(str(error.get("code") or "unknown"), as_text(error.get("message")))
    return Problem("no_output") if is_empty else None
