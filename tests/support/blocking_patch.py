"""A step in some thread that takes as long as a test likes."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import anyio
import pytest


class BlockingPatch:
    """Holds back what one function of a module does, such as one kind of transaction."""

    def __init__(self, module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._begun, self._released = threading.Event(), threading.Event()
        does = getattr(module, name)

        def slowly(*args: Any, **kwargs: Any) -> Any:
            self._begun.set()
            assert self._released.wait(10)
            return does(*args, **kwargs)

        monkeypatch.setattr(module, name, slowly)

    async def begun(self) -> None:
        assert await anyio.to_thread.run_sync(self._begun.wait, 10)

    def go_on(self) -> None:
        self._released.set()
