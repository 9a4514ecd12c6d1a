"""The whole product, for the tests of what it says of itself."""

from tests.end_to_end.product.conftest import client, clock, emulator, harness

__all__ = ["client", "clock", "emulator", "harness"]
