"""The cluster of gateways (`Cluster`), its emulator and its database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gemini_emulator import Emulator, EmulatorControl
from tests.support.cluster_harness import Cluster, Replica
from tests.support.fork_server import ForkServer
from tests.support.postgres import postgres, postgres_server, postgres_url

__all__ = ["postgres", "postgres_server", "postgres_url"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("postgres")
            item.add_marker("processes")


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(control=EmulatorControl(clock=time.time)) as emulator:
        yield emulator


@pytest.fixture
async def cluster(
    postgres_url: str,
    emulator: Emulator,
    fork_server: ForkServer,
    tmp_path: Path,
) -> AsyncIterator[Cluster]:
    # Real time, as in the servers, which are processes of their own.
    control = emulator.control = EmulatorControl(clock=time.time)
    cluster = Cluster(
        control,
        tmp_path,
        fork_server,
        GEMINI_MCP_DATABASE_URL=postgres_url,
        GOOGLE_GEMINI_BASE_URL=emulator.url,
        GEMINI_MCP_RESEARCH_POLL_SECONDS="0.2",
        GEMINI_MCP_LEASE_SECONDS="2",
    )
    yield cluster
    control.let_go()
    await cluster.close()


@pytest.fixture
async def pair(cluster: Cluster) -> tuple[Replica, Replica]:
    """Two replicas."""
    one, other = await cluster.open(2)
    return one, other
