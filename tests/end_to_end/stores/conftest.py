"""The house of the product tests, started in a working folder of its own, and its commands."""

from __future__ import annotations

from tests.end_to_end.agents.conftest import work
from tests.end_to_end.commands.conftest import run as command
from tests.end_to_end.http.conftest import site
from tests.end_to_end.product.conftest import clock, emulator, guest, house, nursery, start

__all__ = ["clock", "command", "emulator", "guest", "house", "nursery", "site", "start", "work"]
