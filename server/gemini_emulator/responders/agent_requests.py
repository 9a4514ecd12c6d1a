"""What agents refuse in a request, whichever agent it is."""

from collections.abc import Collection
from typing import Any

from ..api_errors import invalid
from ..json_types import Json


def check_fields(body: Json, refused: Collection[str]) -> None:
    """Refuse a request that sets one of these fields."""
    for name in refused:
        if body.get(name) is not None:
            raise invalid(f"'{name}' is not supported for the agent '{body['agent']}'.")


def tools(body: Json, supported: Collection[str]) -> list[tuple[int, dict[str, Any]]]:
    """The tools of a request with their index; refuses one whose type is not supported."""
    found = list(enumerate(body.get("tools") or []))
    for i, tool in found:
        if tool["type"] not in supported:
            raise invalid(
                f"The tool '{tool['type']}' at 'tools[{i}]' is not supported for the agent "
                f"'{body['agent']}'."
            )
    return found
