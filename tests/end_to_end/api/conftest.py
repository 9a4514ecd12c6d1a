"""The harness of the product tests."""

from __future__ import annotations

from tests.end_to_end.product.conftest import client, clock, emulator, harness

__all__ = ["client", "clock", "emulator", "harness"]
