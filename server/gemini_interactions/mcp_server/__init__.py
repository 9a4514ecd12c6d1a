"""The MCP server: one door for every client, over stdio and over HTTP."""

from .server import build
from .transports.stdio import serve_stdio

__all__ = ["build", "serve_stdio"]
