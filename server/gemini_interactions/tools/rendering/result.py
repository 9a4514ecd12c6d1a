"""Results as hosts deliver them best: one text with a footer, and facts for programs in `_meta`.

A result is a piece of text, a line `---`, then notes, the next step and a footer. Hosts
drop text beside structured data, cut long text and lose the error flag, so the text says
everything and fits the client's budget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import mcp_types as types

from ...bridge.history import Listing
from ...bridge.requests import Reply
from ...bridge.turns import function_calls, outcomes
from ...bridge.usage import usage_budget
from ...domain.artifact import BY_LIST
from ...domain.types import FunctionCall, Turn, Usage
from ...interactions import answer_text, text_pages
from ...interactions.citation_marks import Source
from ...interactions.json_values import as_text, one_line
from . import listing_texts
from .client_limits import ClientLimits as ClientLimits

META = "gemini-interactions-mcp/result"
META_BYTES = 2048
MOST_CITED = 10
"""How many sources are named behind an answer whose text cannot list them."""


@dataclass(frozen=True, slots=True)
class ResultParts:
    """All there is to tell, before it is cut to a client's size.

    `text` is what is read in pieces, by calling `reader` (a tool "with" an argument). Behind it
    stand `said` (how it stands; in an error, what went wrong), `notes`, the next step and the
    footer. `facts` are for programs. `pictures` are previews for the model to see.
    """

    text: str
    id: str
    facts: Mapping[str, Any]
    footer: str
    said: Sequence[str] = ()
    notes: Sequence[str] = ()
    next_step: str = ""
    is_error: bool = False
    calls: Sequence[FunctionCall] = ()
    pictures: Sequence[types.ImageContent] = ()
    turn: Turn | None = None
    reader: str = "gemini_result with id"


async def present(told: ResultParts, limits: ClientLimits, offset: int = 0) -> types.CallToolResult:
    """What is told, from `offset` on, as much as the client takes."""
    before = [*told.said, *told.notes]
    shown = await fit(
        told.text, limits, offset, told.id, before, told.next_step, told.footer, told.reader
    )
    path = told.facts.get("path") or shown.path or None
    facts = {**told.facts, "path": path, "next_offset": shown.next_offset}
    result = made(shown.text, facts, told.calls, limits, is_error=told.is_error)
    if limits.structured:
        result.structured_content = _structured(told, shown, facts)
    elif limits.previews:
        # A host that is given both may drop the picture, and programs need no preview.
        result.content.extend(told.pictures)
    return result


async def answer(reply: Reply, limits: ClientLimits, offset: int = 0) -> types.CallToolResult:
    """A turn as it stands."""
    return await present(parts_of(reply, limits), limits, offset)


def parts_of(reply: Reply, limits: ClientLimits) -> ResultParts:
    """What there is to tell of a turn."""
    turn = outcomes.read_again(reply.turn)
    notes = [*turn.notes, *unread(turn)]
    if not limits.has_session:
        notes = [outcomes.naming(note, turn.conversation_id) for note in notes]
    if turn.extra.get("response_schema"):
        notes += _cited(turn)  # the text is JSON, and nothing but JSON
    if reply.joined:
        notes.append("An identical earlier call had started this; nothing was sent twice.")
    calls = function_calls.pending(turn)
    said, next_step = state(turn, calls, limits)
    text, said = in_pieces(turn.text if turn.is_final else "", said, calls, limits)
    return ResultParts(
        text,
        turn.id,
        facts_of(turn),
        footer(turn),
        said,
        notes,
        next_step,
        is_error=turn.status == "failed",
        calls=calls,
        turn=turn,
    )


def unread(turn: Turn) -> list[str]:
    """What to say where a part of the answer could not be read."""
    steps = turn.extra.get("unread")
    return [outcomes.unread_note(steps)] if steps and turn.error is None else []


def in_pieces(
    text: str, said: list[str], calls: Sequence[FunctionCall], limits: ClientLimits
) -> tuple[str, list[str]]:
    """The text, and what is said behind it. What a function is called with may be longer than a
    client takes: then it is text too."""
    if calls and len("\n".join(said).encode()) > limits.budget // 2:
        return text_pages.stacked(each for each in (text, "\n".join(said)) if each), []
    return text, said


def _cited(turn: Turn) -> list[str]:
    """The sources of an answer whose text does not list them, in one line."""
    sources = _sources(turn)
    more = f"; {len(sources) - MOST_CITED} more" if len(sources) > MOST_CITED else ""
    listed = "; ".join(map(str, sources[:MOST_CITED]))
    return [f"Sources: {listed}{more}"] if sources else []


def _sources(turn: Turn) -> Sequence[Source]:
    return answer_text.read(turn.steps, targets=turn.extra.get("targets")).sources


def facts_of(turn: Turn) -> dict[str, Any]:
    """What programs want to know of a turn; None for what does not apply."""
    return {
        "status": turn.status,
        "id": turn.id,
        "conversation_id": turn.conversation_id,
        "turn": turn.n,
        "interaction_id": turn.interaction_id or None,
        "environment_id": as_text(turn.extra.get("environment_id")) or None,
        "service_tier": turn.tier if turn.tier not in ("", "standard") else None,
        "model": _model(turn) or None,
        "usage": _usage(turn.usage),
    }


async def transcript(
    text: tuple[str, str], limits: ClientLimits, offset: int
) -> types.CallToolResult:
    """A conversation in Markdown, paged by characters."""
    id, markdown = text
    told = ResultParts(
        markdown,
        id,
        {"conversation_id": id},
        f"conversation {id}",
        notes=limits.page_line(id),
        reader="gemini_history with id",
    )
    return await present(told, limits, offset)


_FILES = {"speech": "audio", "music": "audio", "video": "video"}
"""What the file is called that a kind of turn makes; others make images."""


def listing(found: Listing, limits: ClientLimits) -> types.CallToolResult:
    """One line a conversation, newest first; as many as fit."""
    words = listing_texts.of(BY_LIST.get(found.kind))
    lines: list[str] = []
    left = limits.budget - 240  # which is more than the sentences below the line ever take
    for line in found.lines:
        left -= len(line.encode()) + 1
        if left < 0 and lines:
            break
        # A first line that is longer than all there is room for is better cut than left out.
        lines.append(
            line if left >= 0 else text_pages.page(line, 0, len(line.encode()) + left).text
        )
    reached = found.offset + len(lines)
    has_more = reached < found.total.number or found.total.has_more
    next_offset = reached if has_more else None
    if not found.total.number:
        wanted = f" with {excerpt(found.query, 60)} in it" if found.query else ""
        tail = f"There is no {words.one}{wanted} here. {words.start}"
    elif not lines:
        tail = f"There are {found.total} {words.many}; offset {found.offset} is past the last."
    else:
        more = f" Call gemini_history with offset {next_offset} for more."
        following = more if next_offset else ""
        tail = (
            f"{found.offset + 1} to {reached} of {found.total} {words.many}.{following} {words.use}"
        )
    text = "\n".join(lines)
    facts = {"next_offset": next_offset}
    result = made(text_pages.layout(text, tail), facts, (), limits)
    if limits.structured:
        entries = list(found.entries[: len(lines)])
        result.structured_content = _given(
            {**facts, "text": text, "entries": entries, "notes": [tail]}
        )
    return result


def refusal(message: str, limits: ClientLimits) -> types.CallToolResult:
    """Something we would not do: the sentence is all there is."""
    message = "".join(_fitting([message], limits.budget))
    result = types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)
    if limits.structured:
        result.structured_content = {"text": "", "error": message}
    return result


@dataclass(frozen=True, slots=True)
class ShownText:
    """What fits: the whole `text` of a result, its `piece`, and the `notes` on reading on."""

    text: str
    next_offset: int | None
    path: str
    piece: str
    notes: Sequence[str]


async def fit(
    text: str,
    limits: ClientLimits,
    offset: int,
    id: str,
    notes: Sequence[str],
    following: str,
    last_line: str,
    reader: str = "gemini_result with id",
) -> ShownText:
    """The piece of `text` from `offset` that fits the client's budget together with its tail."""
    fixed = len(_tail([], following, last_line).encode())
    notes = _fitting(notes, limits.budget - fixed - (limits.budget // 2 if text else 0))
    tail = _tail(notes, following, last_line)
    path = ""
    added: list[str] = []
    page = text_pages.page(text, offset, _left(limits, tail))
    if text and (page.next_offset is not None or offset):
        if limits.keep_whole is not None:
            path = await limits.keep_whole(id, text)
        more = f'More follows: call {reader} "{id}" and offset {{}}.'
        whole = f"The whole text ({len(text):,} characters) is in {path}." if path else ""
        if len(whole.encode()) > limits.budget // 4:
            whole = ""  # the text itself comes first; programs find the path in `_meta`
        roomy = _tail([*notes, whole, more.format(len(text))], following, last_line)
        page = text_pages.page(text, offset, _left(limits, roomy))
        last = more.format(page.next_offset) if page.next_offset is not None else ""
        if not page.text and offset:
            last = f"The text has {len(text):,} characters; offset {offset} is past its end."
        added = [line for line in (whole, last) if line]
        tail = _tail([*notes, *added], following, last_line)
    return ShownText(text_pages.layout(page.text, tail), page.next_offset, path, page.text, added)


def _left(limits: ClientLimits, tail: str) -> int:
    return max(1, limits.budget - len(text_pages.layout(".", tail).encode()) + 1)


def _fitting(notes: Sequence[str], limits: int) -> list[str]:
    """As many notes as have room, in bytes; the one that has not is cut, for its start says most.

    A thousand files that were left out, or a path of thousands of characters, must not crowd
    out the text and the footer.
    """
    kept: list[str] = []
    for note in filter(None, notes):
        size = len(note.encode("utf-8", "surrogatepass")) + 1
        if size > limits:
            start = text_pages.page(note, 0, max(1, limits - len("…\n".encode()))).text
            return [*kept, f"{start.rstrip()}…"] if limits > 20 else kept
        kept.append(note)
        limits -= size
    return kept


def _tail(notes: Sequence[str], following: str, last_line: str) -> str:
    return "\n".join(line for line in (*notes, following, last_line) if line)


def _sent(turn: Turn) -> str:
    """Whether an interrupted turn has reached Google, as far as anybody can tell."""
    if turn.interaction_id:
        return "Gemini had begun with it."
    if turn.sent is None:
        return "It had not been sent yet."
    return "It may have been sent, and may be billed, but no answer was seen."


def state(turn: Turn, calls: Sequence[FunctionCall], limits: ClientLimits) -> tuple[list[str], str]:
    """What to say of a turn beside its text, and the next step; where there is no session, it
    names the conversation."""
    named = "" if limits.has_session else f' and conversation_id "{turn.conversation_id}"'
    match turn.status:
        case "running":
            return (
                ["Gemini is still working on this; the work goes on in the server."],
                f'Do other work, then call gemini_result with id "{turn.id}" and wait_seconds '
                f"{limits.wait}.",
            )
        case "requires_action":
            known = function_calls.declared(turn)
            listed = [
                f"{function_calls.named(call, known)}: "
                f"{one_line(json.dumps(call.arguments, ensure_ascii=False), 10**9)}"
                for call in calls
            ]
            listed += function_calls.confirmations(calls)
            following = f"{function_calls.NEXT_STEP.rstrip('.')}{named}."
            return ["Gemini waits for these functions:", *listed], following
        case "failed":
            message = (turn.error or {}).get("message", "Gemini could not finish this.")
            return [message], ""
        case "interrupted" if (turn.error or {}).get("kind") == "NotAtGoogle":
            return (
                [turn.error["message"]] if turn.error else [],
                f'Call gemini_result with id "{turn.id}" in a minute. If it still is not there '
                "then, it is gone: Google deletes such files after some time.",
            )
        case "interrupted" if turn.error is not None and turn.interaction_id:
            return (
                [turn.error["message"]],
                f'Call gemini_result with id "{turn.id}" once it can be: Google still has the '
                f"{_FILES.get(turn.kind, 'image')}, and nothing is paid twice.",
            )
        case "interrupted":
            prompt = [f"Its prompt is kept: {excerpt(turn.prompt)}"] if turn.prompt else []
            return (
                [
                    "This turn was interrupted before its answer was complete: the server's "
                    f"process ended. {_sent(turn)} It was not sent again by itself.",
                    *prompt,
                ],
                f"Send it again with gemini_continue{named} if it is still wanted.",
            )
        case "cancelled":
            kept = "what had arrived is above" if turn.text else "nothing had arrived"
            return [f"This turn was cancelled; {kept}."], ""
        case "completed" | "incomplete" | "plan_ready" | "stalled":
            return [], ""
        case unknown:
            assert_never(unknown)


def short(text: str, size: int = 200) -> str:
    """Somebody's words as one line of bounded length."""
    return one_line(text, size)


def excerpt(text: str, size: int = 200) -> str:
    return f'"{short(text, size)}"'


def footer(turn: Turn) -> str:
    parts = [f"conversation {turn.conversation_id}", f"turn {turn.n}"]
    model = _model(turn)
    if model:
        parts.append(short(model))
    if turn.usage is not None:
        usage = turn.usage
        counted = [f"{usage.input:,} in", f"{usage.output:,} out"]
        if usage.thought:
            counted.append(f"{usage.thought:,} thinking")
        if usage.tool_use:
            counted.append(f"{usage.tool_use:,} tool use")
        other = usage.total - usage.input - usage.output - usage.thought - usage.tool_use
        if other > 0:
            counted.append(f"{other:,} other")
        itemized = f" ({', '.join(counted)})" if usage.is_itemized else ""
        if usage.total or not usage.pieces:  # some files are paid by the piece or the second
            parts.append(f"{usage.total:,} tokens{itemized}")
        parts.append(usage_budget.estimate(model, usage, turn.created, turn.tier))
    elif not turn.is_final and (most := turn.extra.get("most_usd")) is not None:
        parts.append(f"at most {usage_budget.dollars(most)}")
    if turn.tier not in ("", "standard"):
        parts.append(f"{turn.tier} tier")
    return " · ".join(part for part in parts if part)


def _model(turn: Turn) -> str:
    return turn.model or turn.settings.model


def _usage(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    rarer = {
        "thought_tokens": usage.thought,
        "cached_tokens": usage.cached,
        "tool_use_tokens": usage.tool_use,
    }
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        **{name: count for name, count in rarer.items() if count},
        "total_tokens": usage.total,
    }


def made(
    text: str,
    facts: Mapping[str, Any],
    calls: Sequence[FunctionCall],
    limits: ClientLimits,
    *,
    is_error: bool = False,
) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=text)]
    if not limits.facts:
        return types.CallToolResult(content=content, is_error=is_error)
    facts = {name: value for name, value in facts.items() if value is not None}
    if calls:
        facts["function_calls"] = _listed(calls)
    # What makes it too large is a path, a name somebody else chose, or the calls: never our ids.
    sizes = {name: len(json.dumps({name: value})) for name, value in facts.items()}
    while sum(sizes.values()) > META_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        del sizes[largest], facts[largest]
    return types.CallToolResult(content=content, is_error=is_error, _meta={META: facts})


def _structured(told: ResultParts, shown: ShownText, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the text says, for programs."""
    turn = told.turn
    # An error and pending calls have keys of their own.
    state = [] if told.is_error or told.calls else told.said
    cited = _sources(turn) if turn else ()
    return _given(
        {
            **facts,
            "text": shown.piece,
            "error": " ".join(told.said) if told.is_error else "",
            "cost_usd": usage_budget.price(_model(turn), turn.usage, turn.created, turn.tier)
            if turn
            else None,
            "sources": [
                _given({"number": source.number, "title": source.title, "url": source.url})
                for source in cited
            ],
            "function_calls": _listed(told.calls),
            "notes": [*state, *told.notes, *shown.notes],
            "next_step": told.next_step,
        }
    )


def _listed(calls: Sequence[FunctionCall]) -> list[dict[str, Any]]:
    return [{"call_id": c.call_id, "name": c.name, "arguments": c.arguments} for c in calls]


def _given(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what does not apply; the text is always there."""
    return {
        name: value
        for name, value in facts.items()
        if name == "text" or (value is not None and value not in ("", []))
    }
