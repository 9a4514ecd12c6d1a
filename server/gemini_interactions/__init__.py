"""One MCP server that gives any assistant the Gemini Interactions API."""

__version__ = "0.1.0"
