"""Serving over HTTP from the command line, in one process or in several."""

from __future__ import annotations

import logging
import signal
import sys

import anyio

from ....config.settings import Config
from .asgi_app import PATH, Address, Gateway, stop_on_signals, tokens_for
from .connection_limits import raise_file_limit

_TALKATIVE = ("mcp", "sse_starlette", "uvicorn.access")
"""Loggers that tell at some level what a message holds, or whose session it is."""


def serve_http(config: Config, address: str, workers: int = 1) -> int:
    """Serve until a signal says stop. Whoever else could reach the address needs a token."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    raise_file_limit()
    if workers > 1:
        from .workers import serve_workers

        return serve_workers(config, address, workers)
    where = Address.read(address)
    tokens = tokens_for(config, where)
    gateway = Gateway(config, where.listen(), name=where.name, tokens=tokens)
    sys.stderr.write(f"gemini-interactions-mcp serves {gateway.url}{PATH}\n")
    sys.stderr.flush()
    anyio.run(_serve_until_stopped, gateway)
    return 0


async def _serve_until_stopped(gateway: Gateway) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signals, gateway, (signal.SIGTERM, signal.SIGINT))
        await gateway.serve()
        tasks.cancel_scope.cancel()
