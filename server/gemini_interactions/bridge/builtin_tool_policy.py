"""What Gemini may use in a turn: built-in tools by name, or full Interactions tool objects.

Objects pass as they are. What is refused here is what Google is known to refuse, and what
would let a model that was talked into it send data to a stranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..domain.errors import BadArgument
from ..domain.types import Tool
from ..interactions.builtin_tools import NAMED, NOT_WITH_FUNCTIONS

CLEAR = "none"


class BuiltinToolPolicy:
    """Checks tools and keeps the headers of remote servers, in memory only."""

    def __init__(self, remote_hosts: Iterable[str] = (), *, may_name_stores: bool = True) -> None:
        self._remote_hosts = frozenset(host.lower() for host in remote_hosts)
        self._may_name_stores = may_name_stores
        self._headers: dict[tuple[str, str], dict[str, str]] = {}
        self._addresses: dict[tuple[str, str], str] = {}

    def read(
        self,
        given: Sequence[str | Mapping[str, Any]],
        stores: Mapping[str, str] | None = None,
    ) -> list[Tool]:
        """The tool objects meant; [] for `["none"]`. Raises BadArgument.

        `stores` are those that the owner may search, by short and full names.
        """
        if CLEAR in given:
            if len(given) > 1:
                raise BadArgument('`tools`: "none" clears them all, so it stands alone.')
            return []
        tools = [self._tool(each, stores or {}) for each in given]
        kinds = {tool["type"] for tool in tools}
        if "function" in kinds and kinds & NOT_WITH_FUNCTIONS:
            mixed = ", ".join(sorted(kinds & NOT_WITH_FUNCTIONS))
            raise BadArgument(
                f"`tools`: Gemini does not take functions together with built-in tools ({mixed}) "
                "in one turn. Use functions in one turn and built-in tools in another."
            )
        return [tool for place, tool in enumerate(tools) if tool not in tools[:place]]

    def without_headers(self, owner: str, tools: Iterable[Tool]) -> list[Tool]:
        """The tools as they may be written down; their headers stay here."""
        kept = []
        for tool in tools:
            if tool.get("type") == "mcp_server":
                bare, query = _without_query(tool["url"])
                if tool.get("headers"):
                    self._headers[owner, bare] = tool["headers"]
                    tool = {**tool, "headers": sorted(tool["headers"])}
                if query:
                    self._addresses[owner, bare] = tool["url"]
                tool = {**tool, "url": bare}
            kept.append(tool)
        return kept

    def check_hosts(self, tools: Iterable[Tool]) -> None:
        """Refuse servers that are not allowed, perhaps not any more."""
        for tool in tools:
            if tool.get("type") == "mcp_server":
                self._check_host(tool)

    def with_headers(self, owner: str, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools as they are sent; refuses, by name, those whose headers are gone, and
        servers that are not allowed any more."""
        self.check_hosts(tools)
        whole = []
        for tool in tools:
            if tool.get("type") == "mcp_server" and isinstance(tool.get("headers"), list):
                headers = self._headers.get((owner, tool["url"]))
                if headers is None:
                    raise BadArgument(
                        f"The MCP server '{tool.get('name') or tool['url']}' needs its headers "
                        f"again ({', '.join(tool['headers'])}): they are kept in memory only. "
                        "Pass `tools` with them."
                    )
                tool = {**tool, "headers": headers}
            if tool.get("type") == "mcp_server" and _HIDDEN in tool["url"]:
                address = self._addresses.get((owner, tool["url"]))
                if address is None:
                    name = tool.get("name") or tool["url"].partition("?")[0]
                    raise BadArgument(
                        f"The MCP server '{name}' needs its address "
                        "again: what follows the ? in it may be a secret and is kept in memory "
                        "only. Pass `tools` with it."
                    )
                tool = {**tool, "url": address}
            whole.append(tool)
        return tuple(whole)

    def _tool(self, given: str | Mapping[str, Any], stores: Mapping[str, str]) -> Tool:
        if isinstance(given, str):
            name = given.strip()
            if name not in NAMED:
                raise BadArgument(
                    f"`tools`: '{name[:40]}' is not a tool by name. Names are "
                    f"{', '.join(NAMED)} and {CLEAR}; anything else is a full tool object."
                )
            return {"type": name}
        tool = dict(given)
        kind = tool.get("type")
        if not isinstance(kind, str) or not kind:
            raise BadArgument(
                '`tools`: a tool object needs its `type`, such as "function" or "file_search".'
            )
        if kind == "function" and not (isinstance(tool.get("name"), str) and tool["name"]):
            raise BadArgument("`tools`: a function needs a `name`.")
        if _is_remote(kind):
            tool["type"] = "mcp_server"
            self._check_remote(tool)
        if kind == "file_search" and "file_search_store_names" in tool:
            tool = self._with_full_names(tool, stores)
        elif not self._may_name_stores and _names_stores(tool):
            raise BadArgument(
                "`tools`: stores of files or data are not available here: with authentication on, "
                "only what was created through this server can be named."
            )
        return tool

    def _with_full_names(self, tool: Tool, stores: Mapping[str, str]) -> Tool:
        """A search of files by Google's names of its stores; among several owners only in those
        that were given to this one."""
        given = tool["file_search_store_names"]
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise BadArgument("`tools`: `file_search_store_names` is a list of names of stores.")
        full = []
        for name in names:
            may_pass = self._may_name_stores and name.startswith("fileSearchStores/")
            found = stores.get(name) or (name if may_pass else "")
            if not found:
                known = sorted(each for each in stores if "/" not in each)
                there = f"There are: {', '.join(known)}." if known else "There are none."
                raise BadArgument(
                    f"`tools`: there is no store '{name[:60]}' here. {there} Whoever runs this "
                    "server makes them with the command `stores`."
                )
            full.append(found)
        bare = {key: value for key, value in tool.items() if key != "file_search_store_names"}
        if not self._may_name_stores and "filesearchstore" in str(bare).lower().replace("_", ""):
            raise BadArgument("`tools`: stores are named in `file_search_store_names` alone.")
        return {**bare, "file_search_store_names": full}

    def _check_remote(self, tool: Tool) -> None:
        self._check_host(tool)
        headers = tool.get("headers")
        if headers is not None and not (
            isinstance(headers, dict) and all(isinstance(each, str) for each in headers.values())
        ):
            raise BadArgument("`tools`: the `headers` of an mcp_server are an object of texts.")

    def _check_host(self, tool: Tool) -> None:
        parts = _address(tool.get("url"))
        if parts is None:
            raise BadArgument("`tools`: an mcp_server needs a `url` that begins with https://.")
        if "@" in parts.netloc:
            raise BadArgument(
                "`tools`: the `url` of an mcp_server holds a name or password. Pass `headers`, "
                "which are kept in memory only."
            )
        host = (parts.hostname or "").lower()
        if host not in self._remote_hosts:
            raise BadArgument(
                f"`tools`: the MCP server at {host} is not allowed here. Whoever runs "
                "this server can allow its host in GEMINI_MCP_REMOTE_TOOLS."
            )


_HIDDEN = "?…"


def _without_query(url: str) -> tuple[str, str]:
    """An address as it may be written down, and what was left out of it."""
    bare, mark, query = url.partition("?")
    bare = bare.partition("#")[0]
    # A mark of its own each time: the same server may be named with another secret elsewhere.
    return (f"{bare}{_HIDDEN}{token_hex(4)}", query) if mark and query else (bare, "")


def _is_remote(kind: str) -> bool:
    """Whether Google might read this type as `mcp_server`, however it is written."""
    return "".join(filter(str.isalpha, kind.lower())) == "mcpserver"


def _address(url: object) -> SplitResult | None:
    """An https address that every reader of addresses takes apart in the same way."""
    # Some take a backslash for a slash, some pass over blanks and line breaks: each would go to
    # another host than the one looked at here.
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    is_plain = parts.scheme == "https" and bool(parts.hostname) and "\\" not in parts.netloc
    return parts if is_plain else None


def _names_stores(tool: Tool) -> bool:
    """Whether a tool searches in what somebody has put at Google, under whichever name."""
    is_search = tool["type"] in ("file_search", "retrieval")
    return is_search or "filesearchstore" in str(tool).lower().replace("_", "")
