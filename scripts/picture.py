"""`python -m scripts.picture` runs the demo and draws its terminal: docs/pictures/demo.svg."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

from .stage import Names

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "demo.svg"
COLUMNS = 100

_SPAN = re.compile(r"\x1b\[([\d;]*)m")
_CELL, _LINE, _MARGIN = 7.8, 18, 24
_COLOURS = {"31": "#e5534b", "32": "#57ab5a", "33": "#c69026", "36": "#39c5cf"}
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="13"
     font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">
<rect width="100%" height="100%" rx="8" fill="#1c2128"/>
<circle cx="20" cy="18" r="5" fill="#e5534b"/><circle cx="38" cy="18" r="5" fill="#c69026"/>
<circle cx="56" cy="18" r="5" fill="#57ab5a"/>
"""


def drawn(said: str) -> str:
    """A terminal with this in it, as SVG; colours and weights as the escapes say."""
    lines = said.rstrip("\n").split("\n")
    width = round(COLUMNS * _CELL + 2 * _MARGIN)
    height = len(lines) * _LINE + 2 * _MARGIN + 16
    shown = [_line(line, _MARGIN + 28 + number * _LINE) for number, line in enumerate(lines)]
    return _HEAD.format(width=width, height=height) + "".join(shown) + "</svg>\n"


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
    """What the demo says on a terminal, with ids and folders that are the same every time."""
    done = subprocess.run(  # our own demo
        [sys.executable, "-m", "gemini_interactions", "demo"],
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.sub(r"\S*/gemini-demo-[^/]+/", "/tmp/demo/", done.stdout)  # noqa: S108
    said = re.sub(r"killed process \d+", "killed process 4711", said)
    return Names("demo").shown(said)


def main() -> int:
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(drawn(demo()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
