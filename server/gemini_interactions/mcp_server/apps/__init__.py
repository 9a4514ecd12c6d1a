"""MCP Apps: views that hosts show beside a result, for clients that declare the extension."""
