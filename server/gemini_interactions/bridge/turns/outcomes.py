"""What became of a turn: Google's nine statuses (and any new one) as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...domain.errors import NotKept, UpstreamError
from ...domain.quoted_text import quoted
from ...domain.status import Status
from ...domain.types import (
    CONTINUATION_LIMIT,
    NOT_CONTINUED,
    Interaction,
    Problem,
    Step,
    Turn,
    Usage,
)
from ...interactions import answer_text
from . import function_calls

_ENDED = frozenset(
    {"completed", "requires_action", "incomplete", "budget_exceeded", "failed", "cancelled"}
    # It waits for a request that nobody sends any more: what goes on does so while it streams.
    | {"requires_continuation"}
)

DAMAGED = "A picture came damaged, and could not be kept."

_GO_ON = "Call gemini_continue with prompt"
GO_ON = f'{_GO_ON} "Go on." for the rest.'

STOPPED_EARLY = f"The answer stops early: Gemini wanted to go on, and was not asked to. {GO_ON}"
UNREADABLE_CALL = (
    "Gemini waits for a function to be run, but its call could not be read: nothing says which. "
    "Its raw steps are kept. Ask again in a new turn from an earlier one (`turn`)."
)

_BLOCKED = frozenset(
    {
        "safety",
        "recitation",
        "language",
        "prohibited_content",
        "spii",
        "blocklist",
        "image_safety",
        "image_prohibited_content",
        "image_recitation",
        "image_other",
        "content_blocked",
    }
)


def naming(note: str, conversation_id: str) -> str:
    """A note for callers without a session, to whom it must name the conversation."""
    named = f'Call gemini_continue with conversation_id "{conversation_id}", prompt'
    return note.replace(_GO_ON, named)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended, ready for the store.

    `error` is ``{"kind", "message"}`` for failed turns, where `message` is what a model reads.
    `targets` says where the redirects among its sources lead.
    """

    status: Status
    steps: tuple[Step, ...] = ()
    usage: Usage | None = None
    model: str = ""
    text: str = ""
    notes: tuple[str, ...] = ()
    error: dict[str, str] | None = None
    interaction_id: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    """What of the answer this version failed to read; its raw steps are kept for a later one."""

    @property
    def remarks(self) -> dict[str, Any]:
        """What it adds to the turn's `extra`."""
        remarks = dict(self.extra)
        if self.targets:
            remarks["targets"] = dict(self.targets)
        if self.unread:
            remarks["unread"] = list(self.unread)
        return remarks

    def without_words(self) -> Outcome:
        """What is kept of it where transcripts are off."""
        error = self.error
        if error and error["kind"] == "Unfit":  # which quotes the answer
            error = {**error, "message": "Gemini's answer did not fit response_schema."}
        return replace(self, steps=(), text="", targets={}, error=error)


def is_over(interaction: Interaction) -> bool:
    """Whether Google is done with it; an unknown status counts as unfinished until a deadline."""
    return interaction.status in _ENDED


def of(interaction: Interaction, targets: Mapping[str, str] | None = None) -> Outcome:
    """The outcome of an interaction Google is done with; `targets` as in `answers.read`."""
    answer = answer_text.read(interaction.steps, targets=targets)
    status, error, notes = _judge(interaction, answer)
    return Outcome(
        status=status,
        steps=answer_text.strip_media(interaction.steps),
        usage=interaction.usage,
        model=interaction.model,
        text=answer.text,
        notes=notes,
        error=error,
        interaction_id=interaction.id,
        extra=_told_by_google(interaction),
        targets=targets or {},
        unread=answer.unread,
    )


def _told_by_google(interaction: Interaction) -> dict[str, Any]:
    told = {
        "service_tier": interaction.service_tier,
        "api_version": interaction.api_version,
        "environment_id": interaction.environment_id,
    }
    return {name: value for name, value in told.items() if value}


def unread_note(unread: Sequence[str]) -> str:
    """What to say of an answer that could not be read in full."""
    return (
        f"This version of the server could not read all of this answer: {', '.join(unread)}. "
        "What it could is above; everything Google sent is kept, and a newer version reads it "
        "again."
    )


def read_again(turn: Turn) -> Turn:
    """The turn as this version reads the steps of which an earlier one could not read all."""
    if not turn.extra.get("unread") or not turn.steps:
        return turn
    targets = turn.extra.get("targets")
    answer = answer_text.read(turn.steps, targets=targets if isinstance(targets, dict) else None)
    text = turn.text if answer.unread and turn.text else answer.text
    return replace(turn, text=text, extra={**turn.extra, "unread": list(answer.unread)})


def joined(earlier: Interaction, said: Sequence[Step], later: Interaction) -> Interaction:
    """Two interactions that make one turn: all steps in order, the later one's end."""
    used = [each.usage for each in (earlier, later) if each.usage is not None]
    usage = sum(used[1:], used[0]) if used else None
    return replace(later, steps=(*earlier.steps, *said, *later.steps), usage=usage)


def failed(problem: UpstreamError, partial: Interaction | None = None) -> Outcome:
    """A turn that Google, or the way to Google, did not finish; what had arrived is kept."""
    return _partial("failed", partial, {"kind": problem.kind, "message": problem.message})


def apply(turn: Turn, outcome: Outcome, now: float) -> Turn:
    """The turn with its outcome, as the store will have it."""
    return replace(
        turn,
        status=outcome.status,
        finished=now,
        steps=outcome.steps,
        usage=outcome.usage,
        model=outcome.model,
        text=outcome.text,
        notes=(*turn.notes, *(note for note in outcome.notes if note not in turn.notes)),
        error=outcome.error,
        interaction_id=outcome.interaction_id or turn.interaction_id,
        extra={**turn.extra, **outcome.remarks},
    )


def refused(kind: str, message: str) -> Outcome:
    """A turn that could not be sent once its predecessor was known."""
    return Outcome(status="failed", error={"kind": kind, "message": message})


def cancelled(partial: Interaction) -> Outcome:
    return _partial("cancelled", partial, None)


def interrupted(partial: Interaction | None = None) -> Outcome:
    return _partial("interrupted", partial, None)


def unkept(interaction: Interaction, problem: NotKept) -> Outcome:
    """An image that Google made and still has: a later look may find room for it here."""
    error = {"kind": type(problem).__name__, "message": str(problem)}
    return _partial("interrupted" if interaction.id else "failed", interaction, error)


def failed_inside(partial: Interaction) -> Outcome:
    """A fault of our own while a turn was made; what had arrived is kept."""
    error = {"kind": "Internal", "message": "This server failed while making the turn."}
    return _partial("failed", partial, error)


def _partial(status: Status, partial: Interaction | None, error: dict[str, str] | None) -> Outcome:
    if partial is None:
        return Outcome(status=status, error=error)
    return Outcome(
        status=status,
        steps=answer_text.strip_media(partial.steps),
        usage=partial.usage,
        model=partial.model or partial.agent,
        text=(answer := answer_text.read(partial.steps)).text,
        error=error,
        interaction_id=partial.id,
        extra=_told_by_google(partial),
        unread=answer.unread,
    )


def misread(interaction: Interaction) -> Outcome:
    """An answer that is paid for and over, after a fault of our own in making a result of it:
    the plainest reading there is, and a later version may do better."""
    status: Status = "failed" if interaction.status == "failed" else "completed"
    if interaction.status in ("incomplete", "budget_exceeded", "requires_continuation"):
        status = "incomplete"
    outcome = _partial(status, interaction, None)
    unread = outcome.unread or ("how it was to be presented",)
    if interaction.status == "cancelled" or outcome.text:
        return replace(outcome, unread=unread)
    error = {"kind": "Unread", "message": unread_note(unread).replace(" above", " kept")}
    return replace(outcome, status="failed", unread=unread, error=error)


def _judge(
    interaction: Interaction, answer: answer_text.Answer
) -> tuple[Status, dict[str, str] | None, tuple[str, ...]]:
    problem = answer.problem
    if problem is None or problem.code == "no_output":  # which only says what everybody sees
        problem = next(iter(interaction.errors), None)
    match interaction.status:
        case "failed":
            return "failed", _said("Gemini could not finish this", problem), ()
        case "requires_continuation":
            return "incomplete", None, (STOPPED_EARLY,)
        case "incomplete" if problem and problem.code == CONTINUATION_LIMIT:
            note = f"The answer stops early: {problem.message}, which is the most that is done by "
            return "incomplete", None, (f"{note}itself (GEMINI_MCP_MAX_CONTINUATIONS). {GO_ON}",)
        case "incomplete" if problem and problem.code == NOT_CONTINUED:
            return "incomplete", None, (f"The answer stops early: {problem.message}. {GO_ON}",)
        case "cancelled":
            return "cancelled", None, ()
        case "incomplete" | "budget_exceeded":
            limit = "token budget" if interaction.status == "budget_exceeded" else "output limit"
            if answer.is_empty:
                return "incomplete", None, (_unspoken(interaction.status),)
            return "incomplete", None, (f"The answer stops early: Gemini reached its {limit}.",)
        case _ if function_calls.theirs(answer.function_calls):
            return "requires_action", None, ()
        case _ if not answer.is_empty:
            return "completed", None, _remarked(problem)
        case _ if answer.function_calls:
            return "requires_action", None, ()
        case "requires_action":
            return "failed", {"kind": "Unreadable", "message": UNREADABLE_CALL}, ()
        case _:
            return "failed", _said("Gemini finished without an answer", problem), ()


def _unspoken(status: str) -> str:
    """An answer cut before its first word: what has to change before it is asked again."""
    if status == "budget_exceeded":
        return (
            "Nothing was said yet when Gemini reached its token budget: raise `max_total_tokens`, "
            "or ask for less."
        )
    return (
        "Nothing was said yet: Gemini reached its output limit while it was still thinking. Ask "
        "again with a lower `thinking`, which leaves more room for the answer, or ask for less."
    )


def _remarked(problem: Problem | None) -> tuple[str, ...]:
    """What Google says went wrong with an answer that is there all the same."""
    if problem is None:
        return ()
    return (f"The answer may not be whole: {_why(problem)}.",)


def _why(problem: Problem) -> str:
    if problem.code in _BLOCKED:
        return f"it was blocked ({problem.code})"
    why = quoted(problem.message).removesuffix(".")
    sentence = f': "{why}"' if why else ""
    return f"Gemini reports {problem.code or 'a problem'}{sentence}"


def _said(what: str, problem: Problem | None) -> dict[str, str]:
    if problem is None:
        return {
            "kind": "Empty",
            "message": f"{what} and gave no reason. Rephrase the prompt or use another model.",
        }
    if problem.code in _BLOCKED:
        return {
            "kind": "Blocked",
            "message": f"{what}: it was blocked ({problem.code}). Rephrase the prompt.",
        }
    why = quoted(problem.message).removesuffix(".")
    sentence = f': "{why}"' if why else ""
    return {
        "kind": "Failed",
        "message": f"{what} ({problem.code or 'no code'}){sentence}. "
        "Try again, or ask differently.",
    }
