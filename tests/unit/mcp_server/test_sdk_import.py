"""Over stdio the MCP SDK is imported without its high-level server."""

from __future__ import annotations

import subprocess
import sys

LEAN = """
import sys
from gemini_interactions.mcp_server.transports import sdk_import
{change}
sdk_import.import_sdk()
from gemini_interactions.mcp_server.transports import stdio
print(*sorted({{"cryptography", "uvicorn", "mcp.server.mcpserver"}} & set(sys.modules)))
from mcp.server.mcpserver import MCPServer
print(MCPServer("name").name)
"""


def imported(change: str = "") -> str:
    code = LEAN.format(change=change)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_high_level_server_and_its_cryptography_are_left_out_and_can_come_later() -> None:
    assert imported() == "\nname\n"


def test_an_sdk_that_needs_more_of_it_is_imported_whole() -> None:
    without_the_class = "sdk_import.stand_in = lambda: type(sys)(sdk_import.UNUSED)"

    assert imported(without_the_class) == "cryptography mcp.server.mcpserver\nname\n"
