"""The harness of the product tests, started in a working folder of its own, and its commands."""

from __future__ import annotations

from tests.end_to_end.commands.conftest import run as command
from tests.end_to_end.http.conftest import gateways
from tests.end_to_end.product.conftest import client, clock, emulator, harness, start
from tests.support.working_folder import work

__all__ = [
    "client",
    "clock",
    "command",
    "emulator",
    "gateways",
    "harness",
    "start",
    "work",
]
