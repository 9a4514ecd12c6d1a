"""A research as a model reads it: how it stands, what it is doing, and in the end its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

import mcp_types as types

from ...bridge.requests import ResearchStatus
from ...bridge.research import report
from ...bridge.turns import function_calls, outcomes
from ...domain.errors import NEEDS_PAID_KEY
from ...domain.types import FunctionCall, Turn
from . import result
from .result import ClientLimits

CHECK = "check_research with research_id"
MOST_LINKS = 20
"""Links are long, and the report is what the text is for."""


async def render(
    stands: ResearchStatus, limits: ClientLimits, offset: int = 0, reader: str = CHECK
) -> types.CallToolResult:
    """The report or plan where there is one; else how the run stands and what to do next."""
    turn = outcomes.read_again(stands.turn)
    id = stands.handle.id
    calls = function_calls.pending(turn)
    said, next_step = _state(stands, calls, limits)
    if stands.note and turn.text:
        next_step = f'Read it with {CHECK} "{id}".'
    notes = [*turn.notes, *result.unread(turn), *_charts(stands, limits)]
    if stands.joined:
        notes.append("An identical earlier call had started this; nothing was sent twice.")
    path = turn.extra.get("path") if limits.keep_whole is not None else None
    if path:
        notes.append(f"The report as a file: {path}")
    notes += limits.page_line(id)
    facts = {**result.facts_of(turn), "id": id, "research_id": id, "path": path}
    text = turn.text if turn.is_final and not stands.note else ""
    text, said = result.in_pieces(text, [stands.note] if stands.note else said, calls, limits)
    told = result.ResultParts(
        text,
        id,
        facts,
        f"research {id} · {result.footer(turn)}",
        said,
        notes,
        next_step,
        is_error=turn.status == "failed",
        calls=calls,
        turn=turn,
        reader=reader,
    )
    # A report that is a file already needs no second one for being long.
    return await result.present(told, limits.without_files() if path else limits, offset)


def _state(
    stands: ResearchStatus, calls: Sequence[FunctionCall], limits: ClientLimits
) -> tuple[list[str], str]:
    """What to say of a research beside its text, and the next step."""
    turn, id = stands.turn, stands.handle.id
    check = f'{CHECK} "{id}"'
    match turn.status:
        case "running":
            what = "The plan is being made" if turn.extra.get("plan") else "The research is running"
            doing = f": {stands.doing}" if stands.doing else ""
            return (
                [f"{what} ({stands.elapsed} so far){doing}."],
                f"Do other work, then call {check} in a minute or more.",
            )
        case "plan_ready":
            return (
                [],
                "Show this plan to the user. Then call approve_research_plan with research_id "
                f'"{id}" to run it, or with `changes` to have it revised.',
            )
        case "incomplete" if not turn.text:
            return [f"The research took {stands.elapsed}."], ""
        case "completed" | "incomplete":
            return [f"The research took {stands.elapsed}."], (
                f'Ask about it with gemini_continue and conversation_id "{id}".'
            )
        case "stalled":
            return (
                [
                    f"Google has not finished this research in {stands.elapsed}: it counts as "
                    "stalled, and is looked at only when you ask."
                ],
                f"Call {check} to look once more, or cancel_research to give it up.",
            )
        case "interrupted" if turn.interaction_id:
            return (
                ["This server failed while it followed this research, which Google still has."],
                f"Call {check} to look again, or cancel_research to give it up.",
            )
        case "interrupted":
            return _interrupted(turn), _start_again(stands)
        case "cancelled":
            kept = "what it had is above" if turn.text else "it had written nothing yet"
            return [f"This research was cancelled after {stands.elapsed}; {kept}."], ""
        case "failed":
            is_vain = (turn.error or {}).get("kind") == NEEDS_PAID_KEY
            return result.state(turn, (), limits)[0], "" if is_vain else _start_again(stands)
        case "requires_action":
            said, next_step = result.state(turn, calls, replace(limits, has_session=True))
            return said, f'{next_step} Its conversation_id is "{id}".'
        case unknown:
            assert_never(unknown)


def _interrupted(turn: Turn) -> list[str]:
    """What is known of a research whose process ended before Google's answer was here."""
    if turn.sent is None:
        what = "was interrupted before it was sent to Google: nothing runs there"
    else:
        what = (
            "was interrupted before Google confirmed it. It may have been sent and be running "
            "there, and was not sent again by itself"
        )
    lines = [f"This research {what}. This server's process had ended."]
    # A plan that is approved says no more than that.
    asked = report.question(turn) if turn.prompt == report.APPROVED else turn.prompt
    if asked:
        lines.append(f"What was asked is kept: {result.excerpt(asked)}")
    return lines


def _start_again(stands: ResearchStatus) -> str:
    if stands.has_plan:
        return (
            f'Call approve_research_plan with research_id "{stands.handle.id}" again if its plan '
            "is still wanted."
        )
    return "Start it again with start_deep_research if it is still wanted."


def _charts(stands: ResearchStatus, limits: ClientLimits) -> list[str]:
    """The charts by their ids, and where they are for this client."""
    if not stands.charts:
        return []
    if limits.keep_whole is not None:
        return [f"Charts, beside the report: {', '.join(each.id for each in stands.charts)}."]
    if limits.link is None:
        return [f"Charts: {', '.join(each.id for each in stands.charts)}."]
    links = [f"{each.id}: {limits.link(each.id)}" for each in stands.charts[:MOST_LINKS]]
    more = len(stands.charts) - len(links)
    others = [f'And {more} more: gemini_history with kind "images" lists them.'] if more else []
    return ["Charts (links valid for 24 hours):", *links, *others]
