"""What every test has: one event loop (asyncio, as in production) and a clean environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# Whatever profile hypothesis has chosen (in CI a repeatable one), and nothing asserts elapsed time.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")

if TYPE_CHECKING:
    from tests.support.fork_server import ForkServer

OURS = ("GEMINI_", "GOOGLE_", "CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Where server processes come from."""
    from tests.support.fork_server import ForkServer

    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="session", autouse=True)
def no_settings_from_outside() -> None:
    """The developer's own key and settings are nobody's test data."""
    for name in [each for each in os.environ if each.startswith(OURS)]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def nothing_leaves_this_machine() -> Iterator[None]:
    """Whoever else a test reaches for is not there, with or without a network."""
    find, connect = socket.getaddrinfo, socket.socket.connect

    def find_here(host: Any, *more: Any, **named: Any) -> Any:
        if host not in (None, "", b"", "localhost", b"localhost") and not _is_here(host):
            raise socket.gaierror(socket.EAI_NONAME, "tests know no other machine")
        return find(host, *more, **named)

    def connect_here(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise ConnectionRefusedError("tests know no other machine")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", find_here)
        patch.setattr(socket.socket, "connect", connect_here)
        yield


def _is_here(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return name == "localhost"
    return address.is_loopback or address.is_unspecified
