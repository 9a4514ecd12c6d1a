"""The command line: `gemini-interactions-mcp` and its subcommands, each in a module of its own.

They read the same store as the servers do, side by side with them, and know nothing of MCP.
"""

from .command_line import main

__all__ = ["main"]
