"""The MCP Apps extension (`io.modelcontextprotocol/ui`, SEP-1865): which views there are, which
tools they belong to, and what a client that declares the extension gets in addition."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import mcp_types as types

from .. import declared_extensions
from ..declared_extensions import Context

EXTENSION = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"


@dataclass(frozen=True, slots=True)
class View:
    """One view: `scripts` follow the common one in its page, `tools` show it with their results,
    `data_tool` feeds it and is visible to views alone."""

    name: str
    title: str
    description: str
    toolset: str
    scripts: tuple[str, ...]
    tools: tuple[str, ...]
    data_tool: str

    @property
    def uri(self) -> str:
        return f"ui://gemini/{self.name}"

    @property
    def listed(self) -> types.Resource:
        return types.Resource(
            uri=self.uri,
            name=self.name,
            title=self.title,
            description=self.description,
            mime_type=MIME_TYPE,
        )


VIEWS: tuple[View, ...] = (
    View(
        "research",
        "Deep Research",
        "The plan with approve and change, live progress, the report, cancel.",
        "research",
        ("markdown.js", "research.js"),
        ("start_deep_research", "approve_research_plan", "check_research"),
        "gemini_view_research",
    ),
    View(
        "gallery",
        "Pictures",
        "A picture, its versions side by side, and a box to edit it.",
        "images",
        ("gallery.js",),
        ("gemini_generate_image",),
        "gemini_view_images",
    ),
    View(
        "usage",
        "Gemini usage",
        "Turns, tokens and estimated cost of a conversation and of the day.",
        "",
        ("usage.js",),
        ("gemini_history",),
        "gemini_view_usage",
    ),
)


def is_declared(context: Context) -> bool:
    """Whether the client shows views: it declares the extension and the type of their pages."""
    settings = declared_extensions.settings(context, EXTENSION)
    mime_types = settings.get("mimeTypes") if settings is not None else None
    return isinstance(mime_types, list | tuple) and MIME_TYPE in mime_types


def with_views(listed: Iterable[types.Tool]) -> list[types.Tool]:
    """The tools as a declaring client sees them: each with the view it shows, or feeds."""
    shown = {tool: {"resourceUri": view.uri} for view in VIEWS for tool in view.tools}
    fed = {view.data_tool: {"resourceUri": view.uri, "visibility": ["app"]} for view in VIEWS}
    uis = {**shown, **fed}
    return [
        each.model_copy(update={"meta": {**(each.meta or {}), "ui": uis[each.name]}})
        if each.name in uis
        else each
        for each in listed
    ]


def views(toolsets: Iterable[str]) -> tuple[View, ...]:
    chosen = {"", *toolsets}
    return tuple(view for view in VIEWS if view.toolset in chosen)


def view_at(uri: str) -> View | None:
    return next((view for view in VIEWS if view.uri == uri), None)


def contents(view: View) -> types.TextResourceContents:
    """The page of a view, which asks its host for no place on the network and no permission."""
    return types.TextResourceContents(
        uri=view.uri, mime_type=MIME_TYPE, text=page(view), _meta={"ui": {"prefersBorder": True}}
    )


@cache
def page(view: View) -> str:
    """The view as one HTML file that needs nothing else."""
    return _assembled(view, "", "")


def public_page(view: View, data: Mapping[str, Any], nonce: str) -> str:
    """The view as a page of its own that shows `data` and can do nothing; `nonce` is the only
    style and script that its content security policy lets run."""
    # `<` never stands in it as it is, so no text ends the element it is in.
    embedded = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    element = f'<script type="application/json" id="data" nonce="{nonce}">{embedded}</script>\n'
    return _assembled(view, element, f' nonce="{nonce}"')


def _assembled(view: View, data: str, nonce: str) -> str:
    folder = files(__package__).joinpath("views")

    def part(name: str) -> str:
        return folder.joinpath(name).read_text("utf-8").strip()

    before, _, rest = part("frame.html").replace("{title}", view.title).partition("{data}")
    before = before.replace("{style}", part("style.css"))
    rest = rest.replace("{script}", "\n".join(part(each) for each in ("host.js", *view.scripts)))
    # Data goes in last: nothing in it is a place to put something.
    return before.replace("{nonce}", nonce) + data + rest.replace("{nonce}", nonce) + "\n"
