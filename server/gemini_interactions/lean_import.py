"""Importing large packages without what is never used here: each saves memory, not behaviour."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec


@contextmanager
def models_built_at_first_use() -> Iterator[None]:
    """pydantic models that are defined within build their validators when they are first used,
    unless they say otherwise themselves."""
    import pydantic

    config = pydantic.BaseModel.model_config
    had = "defer_build" in config
    config.setdefault("defer_build", True)
    try:
        yield
    finally:
        if not had:
            config.pop("defer_build", None)


class _Hidden:
    """Says of some packages that they are not installed, to one thread."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Within, these packages cannot be imported by this thread, if they were not yet."""
    finder = _Hidden(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
