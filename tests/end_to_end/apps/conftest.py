"""The product's harness, with clients that show MCP Apps."""

from tests.end_to_end.product.conftest import client, clock, emulator, harness

__all__ = ["client", "clock", "emulator", "harness"]
