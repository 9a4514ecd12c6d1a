"""The harness of the product tests, started in a working folder of its own."""

from __future__ import annotations

from tests.end_to_end.product.conftest import client, clock, emulator, harness
from tests.support.working_folder import work

__all__ = ["client", "clock", "emulator", "harness", "work"]
