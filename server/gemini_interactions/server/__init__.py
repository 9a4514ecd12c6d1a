"""The MCP server: one door for every client, over stdio and over HTTP."""

from .door import build
from .stdio import serve_stdio

__all__ = ["build", "serve_stdio"]
