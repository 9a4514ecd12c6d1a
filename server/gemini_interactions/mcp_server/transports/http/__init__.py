"""Streamable HTTP: the ASGI application, its security, artifact downloads."""
