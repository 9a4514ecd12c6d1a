#!/usr/bin/env bash
# Guess: an argument that is a string and is declared as `str | None` arrives as that string.
# Seen with mcp 2.3.0, on 2026-12-01: the string "null" arrives as None, "[1]" is refused as a list, and an
# argument whose name is misspelt is dropped without an error. "7" and "" stay strings.
# Here: our own reading of arguments, tests/end_to_end/api/test_wrong_shapes.py.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check mcp==2.3.0
"$here/env/bin/python" -W ignore - <<'END'
import anyio
from importlib.metadata import version
from mcp.server import MCPServer
from mcp.client import Client
server = MCPServer("lab")
@server.tool()
def note(text: str | None = None) -> str:
    return repr(text)
async def main():
    seen = {}
    async with Client(server) as client:
        for text in ("null", "", "plain", "7", "[1]"):
            said = await client.call_tool("note", {"text": text})
            seen[text] = said.content[0].text
        extra = await client.call_tool("note", {"txet": "misspelt"})
        print(version("mcp"), seen, "| misspelt name:", extra.is_error, extra.content[0].text)
    assert seen["null"] == "None" and seen["plain"] == "'plain'" and "valid string" in seen["[1]"] and not extra.is_error, seen
anyio.run(main)
END
