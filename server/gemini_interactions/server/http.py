"""Serving many clients of both protocol eras over Streamable HTTP, on one address."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import signal
import socket
import sys
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..app import App
from ..errors import Refused
from ..settings import BadSetting, Config
from .door import build
from .gate import Gate, Hosts
from .tokens import Tokens

PATH = "/mcp"

GRACE = 5.0
"""Seconds that running calls have to finish in once we are told to stop."""
LAST_WORDS = 3.0
"""Seconds that are then left for their answers to go out."""
HEAD_SECONDS = 10.0
"""How long a new request's head may take to arrive."""
READ_SECONDS = 60.0
"""How long a client may leave unread what was sent to it."""
IDLE_SECONDS = 65
"""How long a connection without a request is kept: longer than the usual proxy keeps its own."""
CONNECTIONS = 1000

_TALKATIVE = ("mcp", "sse_starlette", "uvicorn.access")
"""Loggers that say, at one level or another, what is in a message or whose session it is."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, as said on the command line; port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Address:
        told = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", text.strip())
        if not told or int(told[3]) > 65_535:
            raise Refused("--http must be HOST:PORT, such as 127.0.0.1:8000.")
        return cls(told[1] or told[2], int(told[3]))

    def listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
            return socket.create_server(place[:2], family=family, backlog=2048)
        except OSError as trouble:
            raise Refused(
                f"The address given as --http cannot be listened on ({trouble.strerror})."
            ) from None


def serve_http(config: Config, address: str) -> int:
    """Serve until a signal says stop; refuses an address others can reach without tokens."""
    where = Address.read(address)
    with where.listen() as listener:
        tokens = _tokens(config, listener)
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        house = House(App(config), where.host, listener, tokens)
        print(f"gemini-interactions-mcp: serving {house.url}{PATH}", file=sys.stderr, flush=True)
        anyio.run(house.serve)
    return 0
