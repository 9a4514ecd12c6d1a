from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemini_interactions.store import Store
from tests.support.postgres import postgres, postgres_server, postgres_url

__all__ = ["postgres", "postgres_server", "postgres_url"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; every contract holds for both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gemini.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await Store.open(url)
    # The clock of these tests is their own: PostgreSQL's has tests apart.
    store._database.judges_by_own_clock = False  # type: ignore[attr-defined]  # of Postgres only
    yield store
    await store.close()
