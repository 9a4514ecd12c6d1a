"""A data folder with something in it, and the commands as a terminal runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import pytest

from gemini_interactions.cli.command_line import main
from tests.end_to_end.product.conftest import client, clock, emulator, harness
from tests.support.app_harness import AppHarness

__all__ = ["client", "clock", "emulator", "harness"]


@dataclass(frozen=True)
class CommandResult:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[CommandResult]]


@pytest.fixture
def run(harness: AppHarness, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in the environment of the harness, while its servers live."""

    async def run(*arguments: str) -> CommandResult:
        capsys.readouterr()
        code = await anyio.to_thread.run_sync(main, arguments)
        return CommandResult(code, *capsys.readouterr())

    return run
