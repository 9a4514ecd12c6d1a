"""A research as a model reads it: how it stands, what it is doing, and in the end its report."""

from __future__ import annotations

import mcp_types as types

from ..bridge.research import Progress
from . import result
from .result import Room


async def told(stands: Progress, room: Room, offset: int = 0) -> types.CallToolResult:
    """The report or plan where there is one; else how the run stands and what to do next."""
    turn = stands.turn
    id = stands.handle.id
    said, next_step = _state(stands)
    notes = [*turn.notes, *_files(stands, room)]
    if stands.note:
        said.insert(0, stands.note)
    if stands.joined:
        notes.append("An identical earlier call had started this; nothing was sent twice.")
    facts = {
        **result.facts_of(turn),
        "id": id,
        "research_id": id,
        "path": turn.extra.get("path") if room.keep_whole else None,
    }
    told = result.Told(
        turn.text if turn.is_final else "",
        id,
        facts,
        f"research {id} · {result.footer(turn)}",
        said,
        notes,
        next_step,
        is_error=turn.status == "failed",
        turn=turn,
        reader="check_research with research_id",
    )
    return await result.present(told, room, offset)


def _state(stands: Progress) -> tuple[list[str], str]:
    """What to say of a research beside its text, and the next step."""
    turn, id = stands.turn, stands.handle.id
    check = f'check_research with research_id "{id}"'
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
        case "completed" | "incomplete":
            return [f"The research took {stands.elapsed}."], (
                f'Ask about it with gemini_continue and conversation_id "{id}".'
            )
        case "stalled":
            return (
                [
                    f"Google has not finished this research in {stands.elapsed}: "
                    "it counts as stalled."
                ],
                f"Call {check} to look once more, or cancel_research to give it up.",
            )
        case "interrupted" if not turn.interaction_id:
            return (
                [
                    "This research was interrupted before Google confirmed it: the server's "
                    "process ended. It may or may not have been started, and was not sent again "
                    "by itself.",
                    f"Its question is kept: {result.excerpt(turn.prompt)}",
                ],
                "Start it again with start_deep_research if it is still wanted.",
            )
        case "cancelled":
            kept = "what it had is above" if turn.text else "there was no text yet"
            return [f"This research was cancelled after {stands.elapsed}; {kept}."], ""
        case _:
            said, following = result.state(turn, ())
            return said, following


def _files(stands: Progress, room: Room) -> list[str]:
    """Where the report and its charts are, for clients on this machine."""
    lines = []
    path = stands.turn.extra.get("path")
    if path and room.keep_whole is not None:
        lines.append(f"The report as a file: {path}")
    if stands.charts:
        names = ", ".join(chart.id for chart in stands.charts)
        lines.append(f"Charts: {names} (files beside the report).")
    return lines
