"""The pictures of the README: terminals, drawn."""

from __future__ import annotations

import base64
import io
from functools import cache
from xml.etree import ElementTree

import pytest
from PIL import Image

from docs.generator.terminal_svg import DRAWN, drawn, picture

SVG = "{http://www.w3.org/2000/svg}"


def committed_text(name: str) -> str:
    return picture(name).read_text("utf-8")


@cache
def drawn_now(name: str) -> str:
    return DRAWN[name]()


def text_lines(svg: str) -> list[str]:
    lines = ElementTree.fromstring(svg).iter(f"{SVG}text")  # noqa: S314  # drawn by us
    return ["".join(line.itertext()) for line in lines]


def images(svg: str) -> list[Image.Image]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}image")  # noqa: S314  # drawn by us
    return [
        Image.open(io.BytesIO(base64.b64decode(each.attrib["href"].partition(",")[2])))
        for each in found
    ]


def test_every_line_is_drawn_as_it_was_said() -> None:
    svg = drawn('\x1b[1mA title\x1b[0m\n\n> ask(prompt="<b> & co")\n')

    assert text_lines(svg) == ["A title", '> ask(prompt="<b> & co")']


def test_colours_and_weights_are_kept() -> None:
    svg = drawn("\x1b[1;36m1. Ask\x1b[0m plain")

    assert '<tspan fill="#39c5cf" font-weight="bold">1. Ask</tspan>' in svg


def test_the_picture_of_the_demo_is_of_one_that_ended_well() -> None:
    said = text_lines(committed_text("demo"))

    assert said[0].startswith("A real MCP client")
    assert said[-1].startswith("All of it happened")


@pytest.mark.processes
@pytest.mark.parametrize("name", ["research", "image"])
def test_a_picture_shows_what_the_product_says_now(name: str) -> None:
    assert text_lines(committed_text(name)) == text_lines(drawn_now(name)), "run `make pictures`"


def test_the_research_in_the_picture_is_on_its_way() -> None:
    said = "\n".join(text_lines(committed_text("research")))

    assert said.index("Generating research plan") < said.index("Searching: ")
    assert said.index("Searching: ") < said.index("(6 min 20 s so far)")


@pytest.mark.processes
def test_the_image_in_the_picture_is_the_preview_that_came_back() -> None:
    (shown,), (now,) = images(committed_text("image")), images(drawn_now("image"))

    assert shown.size == now.size == (512, 512)
    assert shown.convert("RGB").getpixel((9, 9)) == now.convert("RGB").getpixel((9, 9))


def test_every_picture_is_shown_on_the_front_page() -> None:
    front = (picture("demo").parents[2] / "README.md").read_text("utf-8")

    assert [name for name in DRAWN if f"](docs/pictures/{name}.svg)" not in front] == []
