"""Metrics for Prometheus, on an address of their own: they are the operator's, not the callers'."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .....app import App
from .....telemetry.metrics import registry
from ..transport_security import AllowedHosts

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Serves /metrics on a socket that listens already."""

    def __init__(self, app: App, listener: socket.socket, name: str) -> None:
        number, port = listener.getsockname()[:2]
        self.url = f"http://[{number}]:{port}" if ":" in number else f"http://{number}:{port}"
        self._app = app
        self._listener = listener
        # On loopback a page could read it under a name of its own.
        self._hosts = None if app.config.metrics_open else AllowedHosts(app.config, name, number)
        config = uvicorn.Config(
            Starlette(routes=[Route("/metrics", self._serve)]),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=20,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    async def serve(self) -> None:
        # uvicorn's own would take the signals that the gateway listens for.
        with self._listener:
            await self._server._serve(sockets=[self._listener])

    async def _serve(self, request: Request) -> Response:
        if self._hosts is not None and not self._hosts.include(request.headers.get("host", "")):
            return PlainTextResponse("This server does not go by that host name.\n", 421)
        return Response(registry.text(self._app.gauges()), media_type=TYPE)
