"""The MCP server: one for every client, over stdio and over HTTP.

Nothing is imported here: the handshake on stdio is answered before the SDK is.
"""
