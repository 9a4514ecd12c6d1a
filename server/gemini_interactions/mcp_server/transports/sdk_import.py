"""Importing the MCP SDK for stdio: without its high-level server, which nothing here uses.

`mcp.server` imports `MCPServer` for whoever wants it, and that a cryptography library: 8.5 MB of
memory and a tenth of the import. An empty module stands in its place meanwhile, and goes
afterwards, so that the real one can still be imported. uvicorn, which sse-starlette looks for to
patch it, is another 3 MB. (Seen in mcp 2.3.)
"""

from __future__ import annotations

import sys
from contextlib import suppress
from types import ModuleType

from ... import lean_import

UNUSED = "mcp.server.mcpserver"


def import_sdk() -> None:
    """Import `mcp.server`; as it is, where it does not take the empty module."""
    if "mcp" in sys.modules:
        return
    sys.modules[UNUSED] = stand_in()
    try:
        with lean_import.hidden("uvicorn"):
            import mcp.server  # noqa: F401
    except Exception:  # another SDK: whatever it minded, it is imported whole by whoever needs it
        for name in [each for each in sys.modules if each.partition(".")[0] == "mcp"]:
            del sys.modules[name]
    finally:
        with suppress(KeyError):
            del sys.modules[UNUSED]


def stand_in() -> ModuleType:
    """What is found in the place of the high-level server: a class that nothing is made of."""
    module = ModuleType(UNUSED)
    module.__dict__["MCPServer"] = type("MCPServer", (), {})
    return module
