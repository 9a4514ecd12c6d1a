"""The harness of the product tests, started in a working folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.product.conftest import client, clock, emulator, harness

__all__ = ["client", "clock", "emulator", "harness"]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder the server is started in."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
