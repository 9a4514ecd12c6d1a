"""A data folder with something in it, and the commands as a terminal runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import pytest

from gemini_interactions.cli.command_line import main
from tests.end_to_end.product.conftest import clock, emulator, guest, house
from tests.support.app_harness import AppHarness

__all__ = ["clock", "emulator", "guest", "house"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Ended]]


@pytest.fixture
def run(house: AppHarness, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in the house's environment, while its servers live."""

    async def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = await anyio.to_thread.run_sync(main, arguments)
        return Ended(code, *capsys.readouterr())

    return run
