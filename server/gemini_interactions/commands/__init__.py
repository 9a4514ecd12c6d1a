"""The commands people run in a terminal, each in a module of its own.

They read the same store as the servers do, side by side with them, and know nothing of MCP.
"""
