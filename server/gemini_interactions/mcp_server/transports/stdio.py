"""Serving one client over stdin and stdout."""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import replace

import anyio
from mcp.server.stdio import stdio_server

from ...app import App
from ...config.settings import Config
from ..server import build
from .line_reader import stdin

log = logging.getLogger(__name__)

LAST_WORDS = 0.2
"""Seconds that the last answers have to get out in, once everything is committed."""


def serve_stdio(config: Config) -> int:
    """Serve one client over stdin and stdout until stdin ends or a signal says stop."""
    # Nobody shows a token here, even where the environment is that of a gateway.
    anyio.run(_stdio, App(replace(config, tokens_file=None, oauth_issuer="", oauth_builtin=False)))
    return 0  # pragma: no cover  (never reached)


async def _stdio(app: App) -> None:
    server = build(app)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_when_told, app)
            tasks.start_soon(_leave_when_closed, app)
            async with stdio_server(stdin()) as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())
            # Not by returning: a look-up of a name may hold the loop's own threads for long.
            _leave()
    except* OSError:
        log.info("the client has closed its end")  # its answers have nobody to go to
        _leave()
    except* Exception:
        log.exception("the server failed")
        _leave(1)


async def _leave_when_closed(app: App) -> None:
    """Everything is committed: neither a client that does not read nor a stdin that never
    ends, whose line a thread waits for, may hold us."""
    await app.closed.wait()
    await anyio.sleep(LAST_WORDS)
    _leave()


async def _stop_when_told(app: App) -> None:
    """On a signal: commit what there is, then leave without waiting for stdin's next line."""
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            await app.close()
            _leave()


def _leave(code: int = 0) -> None:
    """End at once: everything is committed, and a thread that still imports must not hold us."""
    logging.shutdown()
    os._exit(code)
