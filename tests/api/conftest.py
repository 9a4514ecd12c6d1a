"""The same house as for the product."""

from __future__ import annotations

from tests.product.conftest import clock, emulator, guest, house

__all__ = ["clock", "emulator", "guest", "house"]
