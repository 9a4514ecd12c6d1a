"""A tool: a function, how it is listed, and the context that it is called with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import mcp_types as types

from .arguments import Arguments

if TYPE_CHECKING:
    # Tools are listed before anybody uses one: what carries them out is imported later.
    from ..bridge.facade import Bridge
    from ..bridge.requests import Caller
    from .rendering.result import ClientLimits


@dataclass(frozen=True, slots=True)
class ToolContext:
    """One call of a tool: who calls, what with, and how much its client can take."""

    caller: Caller
    bridge: Bridge
    limits: ClientLimits


Run = Callable[..., Awaitable[types.CallToolResult]]


@dataclass(frozen=True)
class Tool:
    """A tool as clients see it; its docstring is its description."""

    name: str
    title: str
    toolset: str
    run: Run
    read_only: bool
    destructive: bool
    is_for_views: bool = False
    may_be_task: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.run)

    @cached_property
    def listed(self) -> types.Tool:
        return types.Tool(
            name=self.name,
            title=self.title,
            description=" ".join((self.run.__doc__ or "").split()),
            input_schema=self.arguments.schema,
            annotations=types.ToolAnnotations(
                read_only_hint=self.read_only,
                destructive_hint=self.destructive,
                open_world_hint=True,
            ),
            _meta=self.meta or None,
        )

    @cached_property
    def listed_plainly(self) -> types.Tool:
        """The same for clients that take no list of texts or objects: objects go as JSON text."""
        schema = dict(self.arguments.schema)
        schema["properties"] = {
            name: _with_text_items(each) for name, each in schema["properties"].items()
        }
        return self.listed.model_copy(update={"input_schema": schema})


def _with_text_items(parameter: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" not in parameter.get("items", {}):
        return parameter
    description = f"{parameter.get('description', '')} Objects as JSON text."
    return {**parameter, "items": {"type": "string"}, "description": description.strip()}


REGISTERED: dict[str, Tool] = {}
"""Every tool whose module was imported, by name."""


def tool(
    title: str,
    *,
    toolset: str,
    read_only: bool,
    destructive: bool = False,
    is_for_views: bool = False,
    may_be_task: bool = False,
    meta: dict[str, Any] | None = None,
) -> Callable[[Run], Run]:
    """Registers a function as a tool of `toolset` ("" is always there).

    One that `is_for_views` is seen and called by views of MCP Apps alone. Where one that
    `may_be_task` would answer "running", a client that takes tasks gets a task instead.
    """

    def register(run: Run) -> Run:
        REGISTERED[run.__name__] = Tool(
            run.__name__,
            title,
            toolset,
            run,
            read_only,
            destructive,
            is_for_views,
            may_be_task,
            meta or {},
        )
        return run

    return register
