"""The same house as for the product."""

from __future__ import annotations

from tests.end_to_end.product.conftest import clock, emulator, guest, house

__all__ = ["clock", "emulator", "guest", "house"]
