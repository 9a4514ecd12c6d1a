"""The picture of the demo: a terminal, drawn."""

from __future__ import annotations

from xml.etree import ElementTree

from scripts.picture import PICTURE, drawn

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: str) -> list[str]:
    lines = ElementTree.fromstring(picture).iter(f"{SVG}text")  # noqa: S314  # drawn by us
    return ["".join(line.itertext()) for line in lines]


def test_every_line_is_drawn_as_it_was_said() -> None:
    picture = drawn('\x1b[1mA title\x1b[0m\n\n> ask(prompt="<b> & co")\n')

    assert words(picture) == ["A title", '> ask(prompt="<b> & co")']


def test_colours_and_weights_are_kept() -> None:
    picture = drawn("\x1b[1;36m1. Ask\x1b[0m plain")

    assert '<tspan fill="#39c5cf" font-weight="bold">1. Ask</tspan>' in picture


def test_the_picture_that_is_shown_is_of_a_demo_that_ended_well() -> None:
    said = words(PICTURE.read_text("utf-8"))

    assert said[0].startswith("A real MCP client")
    assert said[-1].startswith("All of it happened")
