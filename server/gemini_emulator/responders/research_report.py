"""The emulated research report: Markdown in two parts around its charts, with cited sources."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..json_types import Json
from ..media_writers import png_chart as charts
from .builtin_tools import REDIRECT
from .scripted_answer import words

# The titles of grounding sources are domains; the addresses behind them are redirects.
SOURCES = ("example.com", "example.org", "stats.example.net", "münchen.example", "例え.example")
_TITLE = 100  # characters of the question a heading repeats
_ASPECTS = ("Where things stand", "What drives it — “why now?”", "Zürich, 東京 and elsewhere")
_FILLER = (
    "Several sources describe the same trend from different sides – the naïve reading, that "
    "everything changes at once, finds little support. Where the figures differ, they differ by "
    "less than a tenth, and the direction is the same in São Paulo, Kraków and 大阪."
)


@dataclass(frozen=True)
class Brief:
    """What a report is to be about, and how large."""

    question: str
    plan: Sequence[str] = ()  # the items of an approved plan
    context: Sequence[str] = ()  # what the user said before in the conversation
    earlier: str = ""  # the title of an earlier report in the chain
    attached: Sequence[str] = ()  # what came with the question, described
    stores: Sequence[str] = ()  # file search stores that were read
    charts: int = 1
    size: int | None = None  # bytes of text, about; None: as long as it gets

    @property
    def title(self) -> str:
        return shortened(self.question, _TITLE)


class Part:
    """One text of the report as it is written: its citations count UTF-8 bytes from its start."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.annotations: list[Json] = []
        self.size = 0

    def write(self, text: str) -> None:
        self._pieces.append(text)
        self.size += len(text.encode())

    def cite(self, sentence: str, source: Json) -> None:
        start = self.size
        self.write(sentence)
        self.annotations.append({**source, "start_index": start, "end_index": self.size})

    def content(self) -> Json:
        text = "".join(self._pieces)
        return {"type": "text", "text": text, "annotations": self.annotations}


def write(brief: Brief) -> list[Json]:
    """The model_output steps of the finished report."""
    room = None if brief.size is None else brief.size // 2
    first = _findings(brief, room)
    parts = [_outlook(brief, room)]
    images = [_chart(brief, number) for number in range(1, brief.charts + 1)]
    for number in range(2, brief.charts + 1):
        parts.append(_chart_notes(brief, number))
    closing = [parts[0].content()]
    for image, part in zip(images[1:], parts[1:], strict=True):
        closing += [image, part.content()]
    return [
        {"type": "model_output", "content": [first.content(), *images[:1]]},
        {"type": "model_output", "content": closing},
    ]


def key_finding(question: str) -> str:
    """The one sentence of a report that a follow-up asks for."""
    share = charts.values(question)[0]
    return f"The answer to “{shortened(question, _TITLE)}” is {share} percent"


def source(question: str, number: int) -> Json:
    """The annotation of a source, without its place in the text."""
    name = SOURCES[number % len(SOURCES)]
    token = hashlib.sha256(f"{question}:{name}".encode()).hexdigest()[:40]
    return {"type": "url_citation", "url": f"{REDIRECT}{token}", "title": name}


def shortened(text: str, most: int) -> str:
    """The text on one line, and no longer than this."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _findings(brief: Brief, room: int | None) -> Part:
    part = Part()
    part.write(f"# {brief.title}\n\n**Question:** {' '.join(brief.question.split())}\n\n")
    part.write("## Summary\n\n")
    part.cite(f"{key_finding(brief.question)}.", source(brief.question, 0))
    part.write(" It is not a simple story – “it depends” is part of the answer.\n\n")
    _write_background(brief, part)
    part.write("## Findings\n\n")
    for number, aspect in enumerate(brief.plan or _ASPECTS, 1):
        part.write(f"### {number}. {aspect}\n\n{_FILLER} ")
        said = source(brief.question, number)
        figure = charts.values(f"{brief.question}{number}")[0]
        part.cite(f"According to {said['title']}, {figure} of 100 cases follow it.", said)
        part.write("\n\n")
    _fill(brief, part, room, "Details")
    return part


def _write_background(brief: Brief, part: Part) -> None:
    if brief.context:
        said = "\n".join(f"- “{shortened(text, 200)}”" for text in brief.context)
        part.write(f"## What you said before\n\n{said}\n\n")
    if brief.earlier:
        part.write(f"This builds on the earlier report “{brief.earlier}”.\n\n")
    if brief.attached:
        items = "\n".join(f"- {each}" for each in brief.attached)
        part.write(f"## What was attached\n\n{items}\n\n")
    if brief.stores:
        part.write("## From your own documents\n\n")
        for store in brief.stores:
            citation = {
                "type": "file_citation",
                "file_name": "handbook.pdf",
                "document_uri": f"{store}/documents/d",
                "page_number": 3,
            }
            part.cite("The handbook says the same.", citation)
            part.write("\n\n")


def _outlook(brief: Brief, room: int | None) -> Part:
    part = Part()
    part.write("## Outlook\n\n")
    part.cite("Nothing suggests that this will change before 2027.", source(brief.question, 3))
    part.write(f" {_FILLER}\n\n## Open questions\n\n")
    part.write("- Whether the figures hold in smaller places – Ærø, for example.\n")
    part.write("- Who pays for it; the sources are silent on that.\n\n")
    _fill(brief, part, room, "Appendix")
    return part


def _fill(brief: Brief, part: Part, room: int | None, heading: str) -> None:
    """Paragraph after paragraph, until the part is as long as was wished for."""
    number = 0
    while room is not None and part.size < room:
        number += 1
        if number % 20 == 1:
            part.write(f"## {heading} {number // 20 + 1}\n\n")
        part.write(f"{number}. {_FILLER} ")
        if number % 10 == 1:
            said = source(brief.question, number)
            part.cite(f"So says {said['title']}.", said)
        part.write("\n\n")


def _chart(brief: Brief, number: int) -> Json:
    subject = f"{brief.question} {number}"
    return {"type": "image", "mime_type": "image/png", "data": charts.png(subject)}


def _chart_notes(brief: Brief, number: int) -> Part:
    part = Part()
    shown = ", ".join(map(str, charts.values(f"{brief.question} {number}")))
    part.write(f"\n\n*Chart {number}: {shown}.*\n\n")
    part.cite("The bars are of one scale.", source(brief.question, number))
    part.write("\n\n")
    return part


# What a later turn can find in a report, written here or by anybody else.

PLAN_TITLE = "Research plan:"
_HEADING = re.compile(r"^#{1,3} +(\S.*)$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{4,}")


def newest(steps: Sequence[Json]) -> tuple[str, str] | None:
    """Title and text of the last report among these steps; one without a heading is none."""
    found, text = None, ""
    for step in [*steps, {"type": "user_input"}]:
        if step.get("type") == "model_output":
            text += words(step)
        elif step.get("type") == "user_input":
            heading = _HEADING.search(text)
            if heading and not heading[1].startswith(PLAN_TITLE):
                found = (heading[1].strip(), text)
            text = ""
    return found


def sentence_about(text: str, prompt: str) -> str:
    """The sentence that shares most words with the prompt; the first one when none does."""
    wanted = {word.lower() for word in _WORD.findall(prompt)}
    best, most = "", -1
    for sentence in _sentences(text):
        shared = len(wanted & {word.lower() for word in _WORD.findall(sentence)})
        if shared > most:
            best, most = sentence, shared
    return best


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line and not line.startswith(("#", "**Question")):
            yield from (each.strip() for each in _SENTENCE.findall(line) if each.strip())
