"""The tools there are: each a function in its noun's file, found here by name."""

from __future__ import annotations

from collections.abc import Iterable

from . import agents, app_views, conversations, images, media, research  # noqa: F401  they register their tools on import
from .tool_definition import REGISTERED, Tool

# The tools that are there by default come first, those for views alone last.
_PLACES = {"conversations": 0, "images": 1, "research": 2, "app_views": 9}
_IN_BETWEEN = 5


def tools(toolsets: Iterable[str]) -> dict[str, Tool]:
    """The tools of the chosen toolsets, by name: in one order, whatever was imported first, since
    hosts keep the list as part of a cached prompt."""
    chosen = {"", *toolsets}
    found = [tool for tool in REGISTERED.values() if tool.toolset in chosen]
    found.sort(key=lambda tool: _PLACES.get(tool.run.__module__.rpartition(".")[2], _IN_BETWEEN))
    return {tool.name: tool for tool in found}
