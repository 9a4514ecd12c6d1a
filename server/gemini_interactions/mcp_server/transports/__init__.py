"""Transports: stdio and Streamable HTTP."""
