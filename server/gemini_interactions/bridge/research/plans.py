"""Research plans: which plan waits for approval, and how a research stands."""

from __future__ import annotations

from ...domain.errors import BadArgument
from ...domain.status import STATUSES
from ...domain.types import Artifact, Turn
from ..ports import Store


async def turns_of(store: Store, research: Artifact) -> list[Turn]:
    """The turns of a research in order: plan, revisions, run. ``r_…/n`` is the n-th of these."""
    found: list[Turn] = []
    for n in range(research.n, 0, -1):
        turn = await store.turn(research.owner, research.conversation_id, n)
        if turn is None:
            continue
        goes_on = turn.extra.get("research") == research.id
        if goes_on or not found or turn.n == found[-1].parent:
            found.append(turn)
            if not goes_on:  # what all of it began with
                break
    return found[::-1]


async def nth_turn(store: Store, research: Artifact, number: int) -> Turn | None:
    """The turn that ``r_…/number`` names."""
    turns = await turns_of(store, research)
    return turns[number - 1] if number <= len(turns) else None


async def waiting_plan(store: Store, research: Artifact, newest: Turn) -> Turn | None:
    """The plan that waits for approval: the newest turn, or the one it was to follow where it
    ended badly."""
    found: Turn | None = newest
    while found is not None and STATUSES[found.status].ended_badly:
        if found.parent is None or found.extra.get("research") != research.id:
            return None
        found = await store.turn(found.owner, found.conversation_id, found.parent)
    return found if found is not None and found.status == "plan_ready" else None


def no_plan(research: Artifact, newest: Turn) -> BadArgument:
    """Why there is nothing to approve."""
    is_coming = newest.extra.get("plan") and not newest.is_final
    problem = (
        f"The plan of {research.id} is not ready"
        if is_coming
        else f"{research.id} has no plan to approve"
    )
    return BadArgument(f"{problem}: it {state(newest)}. {how_to_check(research)}")


def how_to_check(research: Artifact) -> str:
    return f'Call check_research with research_id "{research.id}".'


def state(turn: Turn) -> str:
    """How a research stands, as the end of a sentence."""
    return STATUSES[turn.status].standing
