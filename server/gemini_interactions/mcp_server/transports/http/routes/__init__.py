"""Routes beside MCP: files, pages and metrics, and who may see them."""
