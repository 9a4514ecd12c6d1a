"""Types of tools that the Interactions API knows, as one table. Others pass as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ToolType:
    """One type of tool, by the `type` of its object."""

    name: str
    has_name: bool
    """Whether it may be asked for by its name alone."""
    mixes: bool
    """Whether Gemini takes it in one turn with functions."""
    in_research: bool
    """Whether Deep Research takes it."""
    for_agents: bool
    """Whether agents take it."""


TOOL_TYPES = (
    ToolType("google_search", has_name=True, mixes=False, in_research=True, for_agents=True),
    ToolType("url_context", has_name=True, mixes=False, in_research=True, for_agents=True),
    ToolType("code_execution", has_name=True, mixes=False, in_research=True, for_agents=True),
    ToolType("google_maps", has_name=True, mixes=False, in_research=False, for_agents=False),
    ToolType("file_search", has_name=False, mixes=False, in_research=True, for_agents=False),
    ToolType("mcp_server", has_name=False, mixes=True, in_research=True, for_agents=True),
    ToolType("computer_use", has_name=False, mixes=True, in_research=False, for_agents=False),
    ToolType("function", has_name=False, mixes=True, in_research=False, for_agents=False),
)

NAMED = tuple(each.name for each in TOOL_TYPES if each.has_name)
NOT_WITH_FUNCTIONS = frozenset(each.name for each in TOOL_TYPES if not each.mixes)
NOT_FOR_RESEARCH = frozenset(each.name for each in TOOL_TYPES if not each.in_research)
NOT_FOR_AGENTS = frozenset(each.name for each in TOOL_TYPES if not each.for_agents)
