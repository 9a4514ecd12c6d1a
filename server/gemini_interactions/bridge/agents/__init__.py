"""Agents that work in a sandbox of Google's: their runs, environments and files."""
