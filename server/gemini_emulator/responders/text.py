"""The emulated text model: it remembers what it was told in the conversation, and says so."""

import json
import re

from ..json_types import Json
from ..media_writers import jpeg_writer
from ..requests import attachments
from ..requests.schema_sample import instance
from . import builtin_tools, computer_use, function_calls, image, research_report
from .scripted_answer import Answer, Turn, text_step, words

_QUOTE = 200  # characters of the prompt an answer repeats
_NAMED = re.compile(r"\bmy name is ([^\W\d_][\w\u2019'-]*)", re.IGNORECASE)
_REMEMBER = re.compile(
    r"\bremember(?: that)?(?: (?:the|this|my|a))?"
    r"(?: ?\b(?P<noun>(?:secret |magic |code ?)?(?:word|number|colou?r|code|phrase|name))\b)?"
    r"(?: is)?:? [\"“'\u2018]?(?P<what>[^\s\"”'\u2019.,;!?]+)",
    re.IGNORECASE,
)
_FACT = re.compile(r"\b(?P<of>my|the) (?P<noun>\w[\w ]*?) (?:is|was) (?P<what>[^.,;!?\n]+)", re.I)
_ASKED = re.compile(
    r"\b(?:what(?:['\u2019]s| is| was| were)(?: again)?|do you (?:still )?(?:remember|recall|know))"
    r" (?P<of>my|the)"
    r" (?P<noun>\w[\w ]*?)(?: again| I (?:told|gave|said).*)?\s*[?.!]*$",
    re.IGNORECASE,
)
_ASKED_WHAT = re.compile(r"\bwhat did i (?:ask|tell) you to remember", re.IGNORECASE)
_LOOK = re.compile(
    r"\b(?:image|picture|photo|drawing|illustration|colou?r|describe|look|see|shows?)\b", re.I
)
_MANY_WORDS = re.compile(r"\b(?:write|say|give me) (?P<count>\d{1,6}) words\b", re.IGNORECASE)
_KEPT = ("word", "number", "color", "colour", "code", "phrase")
_LOREM = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]


class TextResponder:
    """Answers any text model's turn when nobody scripted it."""

    def check(self, body: Json) -> None:
        """Text models have no rules beyond those of rules.py."""

    def answer(self, turn: Turn) -> Answer:
        given = computer_use.act(turn) or function_calls.report(turn) or function_calls.call(turn)
        if given:
            return given
        wanted = _json_format(turn)
        if wanted is not None:
            said = text_step(json.dumps(instance(wanted), ensure_ascii=False))
            return Answer(steps=[thought(turn), said])
        text = reply(turn)
        used = builtin_tools.steps(turn)
        said = text_step(*builtin_tools.cite(turn, text)) if used else text_step(text)
        if turn.name.startswith("gemini-2.5"):
            # Seen on the wire: the 2.5 models tell of their searches after the text.
            return Answer(steps=[thought(turn), said, *used])
        return Answer(steps=[thought(turn), *used, said])


def thought(turn: Turn) -> Json:
    """A thought step: a summary when asked for, a signature always."""
    step: Json = {"type": "thought"}
    if turn.config.get("thinking_summaries") == "auto":
        about = turn.prompt[:40] or "the input"
        text = f"**Considering the question**\n\nI think about “{about}”."
        step["summary"] = [{"type": "text", "text": text}]
    step["signature"] = turn.signature()
    return step


def reply(turn: Turn) -> str:
    """The words of the answer."""
    prompt = turn.prompt
    said = [words(s) for s in turn.steps if s.get("type") == "user_input"]
    asked = _ASKED.search(prompt)
    if asked:
        before = [*said[:-1], prompt[: asked.start()]]
        recalled = _recall(asked["of"].lower(), asked["noun"].lower(), before)
        if recalled is not None:
            return recalled
    if _ASKED_WHAT.search(prompt):
        kept = [m for text in said[:-1] for m in _REMEMBER.finditer(text)]
        return f"You asked me to remember {kept[-1]['what']}." if kept else _unknown("that")
    named = _NAMED.search(prompt)
    if named:
        return f"Nice to meet you, {named[1]}. I will remember your name."
    kept_now = _REMEMBER.search(prompt)
    if kept_now:
        noun = f"the {kept_now['noun']} " if kept_now["noun"] else ""
        return f"OK, I will remember {noun}{kept_now['what']}."
    many = _MANY_WORDS.search(prompt)
    if many:
        return " ".join(_LOREM[i % len(_LOREM)] for i in range(int(many["count"])))
    quoted = prompt if len(prompt) <= _QUOTE else prompt[:_QUOTE] + "…"
    turns = f"This is turn {turn.number} of our conversation."
    return f'You said: "{quoted}"{_attached(turn)}.{_shown(turn)}{_reported(turn)} {turns}'


def _recall(of: str, noun: str, said: list[str]) -> str | None:
    """What was said about this, or that nothing was; None when it is no matter of memory."""
    whose = "your" if of == "my" else "the"
    for text in reversed(said):
        if of == "my" and noun == "name" and (named := _NAMED.findall(text)):
            return f"Your name is {named[-1]}."
        for kept in _REMEMBER.finditer(text):
            kind = (kept["noun"] or "").lower()
            if kind and (noun == kind or noun.endswith(" " + kind) or kind.endswith(" " + noun)):
                return f"{whose.capitalize()} {noun} is {kept['what']}."
        for fact in _FACT.finditer(text):
            if fact["noun"].lower() == noun and fact["of"].lower() == of:
                return f"{whose.capitalize()} {noun} is {fact['what'].strip()}."
    is_memory = of == "my" or noun.split()[-1] in _KEPT
    return _unknown(f"{whose} {noun}") if is_memory else None


def _unknown(what: str) -> str:
    return f"I do not know {what}: you have not told me in this conversation."


def _attached(turn: Turn) -> str:
    names = attachments.described(turn.input)
    return f" with {', '.join(names)}" if names else ""


def _shown(turn: Turn) -> str:
    """What the images that came along show, and the one painted before when it is asked about."""
    parts = [part for part in attachments.of(turn.input) if part["type"] == "image"]
    painted = image.last_image(turn.steps)
    if painted is not None and _LOOK.search(turn.prompt):
        parts.append(painted)
    known = [jpeg_writer.read(part["data"]) for part in parts if part.get("data")]
    return "".join(f" The picture shows {each.described()}." for each in known if each)


def _reported(turn: Turn) -> str:
    """What the newest report in the conversation says about the prompt."""
    report = research_report.newest(turn.steps)
    if report is None:
        return ""
    title, text = report
    found = research_report.sentence_about(text, turn.prompt).rstrip(".")
    return f" From the report “{title}”: {found}."


def _json_format(turn: Turn) -> Json | None:
    formats = turn.body.get("response_format") or []
    for wanted in formats if isinstance(formats, list) else [formats]:
        if wanted.get("schema") is not None or wanted.get("mime_type") == "application/json":
            return wanted.get("schema") or {"type": "object"}
    return None
