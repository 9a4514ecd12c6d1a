"""Types of tools that the Interactions API knows, as one table. Others pass as they are."""

from __future__ import annotations

from enum import StrEnum


class ToolType(StrEnum):
    """`has_name`: it may be asked for by its name alone. `mixes`: Gemini takes it in one turn with
    functions. `in_research`: Deep Research takes it."""

    has_name: bool
    mixes: bool
    in_research: bool

    GOOGLE_SEARCH = "google_search", True, False, True
    URL_CONTEXT = "url_context", True, False, True
    CODE_EXECUTION = "code_execution", True, False, True
    GOOGLE_MAPS = "google_maps", True, False, False
    FILE_SEARCH = "file_search", False, False, True
    MCP_SERVER = "mcp_server", False, True, True
    COMPUTER_USE = "computer_use", False, True, False
    FUNCTION = "function", False, True, False

    def __new__(cls, value: str, has_name: bool, mixes: bool, in_research: bool) -> ToolType:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.has_name, kind.mixes, kind.in_research = has_name, mixes, in_research
        return kind


NAMED = tuple(kind.value for kind in ToolType if kind.has_name)
NOT_WITH_FUNCTIONS = frozenset(kind.value for kind in ToolType if not kind.mixes)
NOT_FOR_RESEARCH = frozenset(kind.value for kind in ToolType if not kind.in_research)
