"""Network rules: which hosts an agent may reach from its sandbox.

An agent reads pages that anybody may have written. One that was given local files must not be
talked into sending them away: for it the network is closed, unless somebody names it open, and
then it is open to the hosts alone that whoever runs this server has chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ...domain.errors import BadArgument
from ...domain.types import Tool

Network = Literal["", "on", "off"]
CLOSED = "disabled"
SETTING = "GEMINI_MCP_AGENT_NETWORK_HOSTS"


def rules(wanted: Network, hosts: Sequence[str], *, has_files: bool) -> Any:
    """The rules to send: None lets it reach everything, "disabled" nothing."""
    if wanted == "off" or (has_files and not wanted):
        return CLOSED
    if not has_files:
        return None
    if not hosts:
        raise BadArgument(
            "`network` cannot be on for an agent that was given local files: whoever runs this "
            f"server has named no hosts for that in {SETTING}. Leave `network` out, or start "
            "without the files in a new conversation."
        )
    return {"allowlist": [{"domain": host} for host in hosts]}


def tools(given: Sequence[Tool], network: Any) -> tuple[Tool, ...]:
    """The tools to send. Where the network is closed, an agent fetches no pages by Google's own
    tool either: without tools named it would have that."""
    if network is None:
        return tuple(given)
    if any(tool.get("type") == "url_context" for tool in given):
        raise BadArgument(
            "`tools`: url_context fetches any address, and this agent's network is closed or "
            "limited to some hosts. Leave it out."
        )
    return tuple(given) or ({"type": "code_execution"},)
