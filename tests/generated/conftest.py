"""The whole product, for the tests of what it says of itself."""

from tests.end_to_end.product.conftest import clock, emulator, guest, house

__all__ = ["clock", "emulator", "guest", "house"]
