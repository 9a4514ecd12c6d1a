"""`python -m docs.generator.terminal_svg` draws the pictures of the README, each from something
that ran: the demo's terminal, an image that came back, a research on its way."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio

from docs.generator.example_runner import PATIENCE, ExampleRunner, Names, stages
from gemini_interactions.demo.processes import Answer
from gemini_interactions.demo.terminal import Terminal

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 100
TERMINAL = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}

QUESTION = "Why do some cities have cleaner air than others?"
MINUTES = 10
LOOKS = (  # seconds later, in words, and what the research does by then
    (80, "other work, for a minute or so", "Generating research plan"),
    (130, "two minutes more", "Searching"),
    (170, "three minutes more", "Reading pages"),
)

_SPAN = re.compile(r"\x1b\[([\d;]*)m")
_CELL, _LINE, _MARGIN, _SIDE = 7.8, 18, 24, 256
_COLOURS = {"31": "#e5534b", "32": "#57ab5a", "33": "#c69026", "36": "#39c5cf"}
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13"
     font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">
<rect width="100%" height="100%" rx="8" fill="#1c2128"/>
<circle cx="20" cy="18" r="5" fill="#e5534b"/><circle cx="38" cy="18" r="5" fill="#c69026"/>
<circle cx="56" cy="18" r="5" fill="#57ab5a"/>
"""


def drawn(said: str, jpeg: bytes = b"") -> str:
    """A terminal with this in it, as SVG; colours and weights as the escapes say. What came
    back as an image stands below."""
    lines = said.rstrip("\n").split("\n")
    width = round(COLUMNS * _CELL + 2 * _MARGIN)
    height = len(lines) * _LINE + 2 * _MARGIN + 16
    shown = [_line(line, _MARGIN + 28 + number * _LINE) for number, line in enumerate(lines)]
    if jpeg:
        shown.append(_image(jpeg, height))
        height += _SIDE + _MARGIN
    return _HEAD.format(width=width, height=height) + "".join(shown) + "</svg>\n"


def _image(jpeg: bytes, y: int) -> str:
    data = base64.b64encode(jpeg).decode()
    return (
        f'<image x="{_MARGIN}" y="{y}" width="{_SIDE}" height="{_SIDE}" '
        f'href="data:image/jpeg;base64,{data}"/>\n'
    )


def _line(line: str, y: int) -> str:
    first, *styled = _SPAN.split(line)
    spans = [_span(first, "")]
    spans += [_span(text, style) for style, text in zip(styled[::2], styled[1::2], strict=True)]
    body = "".join(spans)
    return f'<text x="{_MARGIN}" y="{y}" xml:space="preserve">{body}</text>\n' if body else ""


def _span(text: str, style: str) -> str:
    if not text:
        return ""
    codes = style.split(";")
    colour = next((_COLOURS[code] for code in codes if code in _COLOURS), "#adbac7")
    if "2" in codes:
        colour = "#768390"
    weight = ' font-weight="bold"' if "1" in codes else ""
    return f'<tspan fill="{colour}"{weight}>{escape(text)}</tspan>'


def demo() -> str:
    """The demo, with ids and folders that are the same every time."""
    done = subprocess.run(  # our own demo
        [sys.executable, "-m", "gemini_interactions", "demo"],
        env={**os.environ, **TERMINAL},
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.sub(r"\S*/gemini-demo-[^/]+/", "/tmp/demo/", done.stdout)  # noqa: S108
    said = re.sub(r"killed process \d+", "killed process 4711", said)
    return drawn(Names("demo").shown(said))


def research() -> str:
    """A research on its way: started, and looked at while it runs."""

    async def play(show: Shown, stage: ExampleRunner, screen: Terminal) -> None:
        stage.steer({"do": "set", "args": {"research_seconds": 60 * MINUTES}})
        await show("start_deep_research", question=QUESTION)
        for seconds, later, doing in LOOKS:
            stage.steer({"wait": seconds})
            await _until(doing, stage)
            screen.note(later)
            await show("check_research")

    said, _ = _played("research", play)
    return drawn(said)


async def _until(doing: str, stage: ExampleRunner) -> None:
    """The server has seen the research do this. While somebody waits, it looks often."""
    told = ""
    while doing not in told:
        raw = await stage.call("check_research", {"wait_seconds": 1})
        told = Answer(raw).text


def image() -> str:
    """An image that came back: where it is, and the preview a model sees."""

    async def play(show: Shown, stage: ExampleRunner, screen: Terminal) -> None:
        made = await show("gemini_generate_image", prompt="A lighthouse at dusk")
        await show(
            "gemini_generate_image", prompt="Make it snow", conversation_id=made.facts["image_id"]
        )

    return drawn(*_played("image", play))


Shown = Callable[..., Awaitable[Answer]]
Play = Callable[[Shown, ExampleRunner, Terminal], Awaitable[None]]


def _played(name: str, play: Play) -> tuple[str, bytes]:
    """What a terminal shows of a few calls, and the last preview that came with them."""
    previews = [b""]

    async def run(stage: ExampleRunner, screen: Terminal) -> None:
        async def show(tool: str, **arguments: Any) -> Answer:
            raw = await stage.call(tool, arguments)
            previews.extend(base64.b64decode(b.data) for b in raw.content if b.type == "image")
            answer = Answer(raw)
            shown = {key: stage.shown(value) for key, value in arguments.items()}
            screen.call(tool, shown)
            screen.answer(stage.shown(answer.text), [stage.shown(each) for each in answer.tail])
            return answer

        with anyio.fail_after(PATIENCE):
            async with stage:
                await play(show, stage, screen)

    with stages() as make, _terminal() as (screen, said):
        anyio.run(run, make(name), screen)
    return said.getvalue(), previews[-1]


@contextmanager
def _terminal() -> Iterator[tuple[Terminal, io.StringIO]]:
    """A terminal in colours, as wide as the pictures."""
    said = io.StringIO()
    with patch.dict(os.environ, TERMINAL), redirect_stdout(said):
        yield Terminal(), said


DRAWN = {"demo": demo, "research": research, "image": image}


def picture(name: str) -> Path:
    """Where the picture of this name is."""
    return PICTURES / f"{name}.svg"


def main() -> int:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or DRAWN:
        picture(name).write_text(DRAWN[name](), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
