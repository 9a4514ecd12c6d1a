"""Results as hosts deliver them best: one text with a footer, and facts for programs in `_meta`.

A result is a piece of text, a line `---`, then notes, the next step and a footer. Hosts
drop text beside structured data, cut long text and lose the error flag, so the text says
everything and fits the client's budget.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from .. import answers, paging
from ..bridge import costs
from ..bridge.history import Listing
from ..bridge.requests import Reply
from ..interactions import FunctionCall, Turn, Usage

META = "gemini-interactions-mcp/result"
META_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Room:
    """What one client takes: characters (and bytes) of text, and whether files mean anything to it.

    `keep_whole` writes a long text to a file for clients on this machine and returns its path.
    """

    budget: int
    keep_whole: Callable[[str, str], Awaitable[str]] | None = None


async def answer(reply: Reply, room: Room, offset: int = 0) -> types.CallToolResult:
    """A turn as it stands."""
    turn = reply.turn
    notes = list(turn.notes)
    if reply.joined:
        notes.append("An identical earlier call had started this; nothing was sent twice.")
    calls = _pending(turn)
    said, following = _state(turn, calls)
    text = turn.text if turn.is_final else ""
    shown = await _fit(text, room, offset, turn.id, [*said, *notes], following, _footer(turn))
    facts = {
        "status": turn.status,
        "id": turn.id,
        "conversation_id": turn.conversation_id,
        "turn": turn.n,
        "interaction_id": turn.interaction_id or None,
        "model": turn.model or turn.settings.model or None,
        "usage": _usage(turn.usage),
        "path": shown.path or None,
        "next_offset": shown.next_offset,
    }
    return _result(shown.text, facts, calls, is_error=turn.status == "failed")


async def transcript(text: tuple[str, str], room: Room, offset: int) -> types.CallToolResult:
    """A conversation in Markdown, paged by characters."""
    conversation_id, markdown = text
    footer = f"conversation {conversation_id}"
    shown = await _fit(markdown, room, offset, conversation_id, [], "", footer, "gemini_history")
    facts = {"conversation_id": conversation_id, "next_offset": shown.next_offset}
    return _result(shown.text, facts)


def listing(found: Listing, room: Room) -> types.CallToolResult:
    """One line a conversation, newest first; as many as fit."""
    lines: list[str] = []
    size = 300
    for line in found.lines:
        size += len(line.encode()) + 1
        if size > room.budget and lines:
            break
        lines.append(line)
    reached = found.offset + len(lines)
    next_offset = reached if reached < found.total else None
    if not found.total:
        wanted = f' with "{found.query}" in it' if found.query else ""
        tail = f"There is no conversation{wanted} here. Start one with gemini_ask."
    elif not lines:
        tail = f"There are {found.total} conversations; offset {found.offset} is past the last."
    else:
        more = f" Call gemini_history with offset {next_offset} for more."
        following = more if next_offset else ""
        tail = (
            f"{found.offset + 1} to {reached} of {found.total} conversations.{following} "
            "Continue one with gemini_continue, read one with gemini_history and its id."
        )
    text = paging.layout("\n".join(lines), tail)
    return _result(text, {"next_offset": next_offset})


def refusal(message: str) -> types.CallToolResult:
    """Something we would not do: the sentence is all there is."""
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    text: str
    next_offset: int | None
    path: str


async def _fit(
    text: str,
    room: Room,
    offset: int,
    id: str,
    notes: Sequence[str],
    following: str,
    footer: str,
    reader: str = "gemini_result",
) -> _Shown:
    """The piece of `text` from `offset` that fits the client's budget together with its tail."""
    tail = _tail(notes, following, footer)
    path = ""
    page = paging.page(text, offset, _left(room, tail))
    if page.next_offset is not None or offset:
        if room.keep_whole is not None:
            path = await room.keep_whole(id, text)
        more = f'More follows: call {reader} with id "{id}" and offset {{}}.'
        whole = f"The whole text ({len(text):,} characters) is in {path}." if path else ""
        roomy = _tail([*notes, whole, more.format(len(text))], following, footer)
        page = paging.page(text, offset, _left(room, roomy))
        last = more.format(page.next_offset) if page.next_offset is not None else ""
        if not page.text and offset:
            last = f"The text has {len(text):,} characters; offset {offset} is past its end."
        tail = _tail([*notes, whole, last], following, footer)
    return _Shown(paging.layout(page.text, tail), page.next_offset, path)


def _left(room: Room, tail: str) -> int:
    return max(200, room.budget - len(paging.layout(".", tail).encode()))


def _tail(notes: Sequence[str], following: str, footer: str) -> str:
    return "\n".join(line for line in (*notes, following, footer) if line)


def _state(turn: Turn, calls: Sequence[FunctionCall]) -> tuple[list[str], str]:
    """What to say of a turn beside its text, and the next step."""
    match turn.status:
        case "running":
            return (
                ["Gemini is still working on this; the work goes on in the server."],
                f'Do other work, then call gemini_result with id "{turn.id}" and wait_seconds 40.',
            )
        case "requires_action":
            listed = [
                f"{call.name} (call_id {call.call_id}): {json.dumps(call.arguments)}"
                for call in calls
            ]
            return (
                ["Gemini waits for these functions:", *listed],
                "Run these and call gemini_continue with function_results.",
            )
        case "failed":
            message = (turn.error or {}).get("message", "Gemini could not finish this.")
            return [message], ""
        case "interrupted":
            return (
                [
                    "This turn was interrupted before its answer was complete: the server's "
                    "process ended. It was not sent again by itself.",
                    f"Its prompt is kept: {_excerpt(turn.prompt)}",
                ],
                "Send it again with gemini_continue if it is still wanted.",
            )
        case "cancelled":
            kept = "what had arrived is above" if turn.text else "nothing had arrived"
            return [f"This turn was cancelled; {kept}."], ""
        case _:
            return [], ""


def _pending(turn: Turn) -> tuple[FunctionCall, ...]:
    return answers.read(turn.steps).function_calls if turn.status == "requires_action" else ()


def _excerpt(text: str, size: int = 200) -> str:
    line = " ".join(text.split())
    return f'"{line if len(line) <= size else line[: size - 1] + "…"}"'


def _footer(turn: Turn) -> str:
    parts = [f"conversation {turn.conversation_id}", f"turn {turn.n}"]
    model = turn.model or turn.settings.model
    if model:
        parts.append(model)
    if turn.usage is not None:
        usage = turn.usage
        counted = [f"{usage.input:,} in", f"{usage.output:,} out"]
        if usage.thought:
            counted.append(f"{usage.thought:,} thinking")
        parts.append(f"{usage.total:,} tokens ({', '.join(counted)})")
        parts.append(costs.estimate(model, usage, turn.created))
    return " · ".join(part for part in parts if part)


def _usage(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "thought_tokens": usage.thought,
        "cached_tokens": usage.cached,
        "tool_use_tokens": usage.tool_use,
        "total_tokens": usage.total,
    }


def _result(
    text: str,
    facts: dict[str, Any],
    calls: Sequence[FunctionCall] = (),
    *,
    is_error: bool = False,
) -> types.CallToolResult:
    facts = {name: value for name, value in facts.items() if value is not None}
    if calls:
        listed = [
            {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
            for call in calls
        ]
        if len(json.dumps({**facts, "function_calls": listed}).encode()) <= META_BYTES:
            facts["function_calls"] = listed
    return types.CallToolResult(
        content=[types.TextContent(text=text)], is_error=is_error, _meta={META: facts}
    )
