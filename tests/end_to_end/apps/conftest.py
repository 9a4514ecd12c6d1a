"""The product's harness, with clients that show MCP Apps."""

from tests.end_to_end.product.conftest import clock, emulator, guest, house

__all__ = ["clock", "emulator", "guest", "house"]
