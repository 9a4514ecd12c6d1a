"""Serving one client over stdin and stdout."""

from __future__ import annotations

import logging
import os
import signal
import sys

import anyio
from mcp.server.stdio import stdio_server

from ..app import App
from ..settings import Config
from .door import build


def serve_stdio(config: Config) -> int:
    """Serve one client over stdin and stdout until stdin ends or a signal says stop."""
    anyio.run(_stdio, App(config))
    _leave()
    return 0  # pragma: no cover  (never reached)


async def _stdio(app: App) -> None:
    server = build(app)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_when_told, app)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()


async def _stop_when_told(app: App) -> None:
    """On a signal: commit what there is, then leave without waiting for stdin's next line."""
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            await app.close()
            _leave()


def _leave() -> None:
    """End at once: everything is committed, and a thread that still imports must not hold us."""
    logging.shutdown()
    os._exit(0)
