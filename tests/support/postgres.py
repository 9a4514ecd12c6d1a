"""A throw-away PostgreSQL for tests: one server a run, a fresh database a test.

Import the fixtures into a `conftest.py`:

    from tests.postgres import postgres, postgres_server, postgres_url
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

__all__ = ["Postgres", "postgres", "postgres_server", "postgres_url"]

_numbers = itertools.count(1)

NEW = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
FAST = [
    *("-c", "listen_addresses="),  # the unix socket is enough
    *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
    *("-c", "autovacuum=off"),
]


class Postgres:
    """One server, in a folder of its own."""

    def __init__(self, programs: Path) -> None:
        # Not pytest's own folder: a socket's path must be short, and the server's user gets in.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._programs = programs
        self._log = self.folder / "log"
        self._process: subprocess.Popen[Any] | None = None
        user = _server_user()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._as_user: dict[str, Any] = (
            {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        )

    def make(self) -> None:
        with self._log.open("wb") as output:
            made = subprocess.run(
                [self._programs / "initdb", "-D", self.folder / "data", *NEW],
                **self._where(output),
            )
        if made.returncode:
            _cannot_start(self._log.read_text(errors="replace"))

    def start(self) -> None:
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        command += ["-k", str(self.folder), *FAST]
        with self._log.open("ab") as output:
            server = subprocess.Popen(command, **self._where(output))
        self._process = server
        if not _answers(server, self.folder):
            _cannot_start(self._log.read_text(errors="replace"))

    def stop(self) -> None:
        """Cuts off whoever is connected, as a restart of the machine would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def url(self, name: str) -> str:
        return _url(str(self.folder), name)

    def _where(self, output: IO[bytes]) -> dict[str, Any]:
        return {"cwd": self.folder, "stdout": output, "stderr": output, **self._as_user}


@contextmanager
def running() -> Iterator[Postgres | None]:
    """A server of its own in a temporary folder; None where PostgreSQL is not installed."""
    found = programs()
    if found is None:
        yield None
        return
    server = Postgres(found)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server; a test that stops it starts it again."""
    with running() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed here (no initdb found)")
        yield server


@pytest.fixture(scope="session")
def postgres_server(postgres: Postgres) -> str:
    """The folder of a running server's unix socket."""
    return str(postgres.folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database, gone after the test."""
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(_url(postgres_server, "postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    yield _url(postgres_server, name)
    with psycopg.connect(_url(postgres_server, "postgres"), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _url(folder: str, name: str) -> str:
    return f"postgresql://postgres@/{name}?host={folder}"


def programs() -> Path | None:
    """The folder that holds initdb and postgres; Debian keeps it off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: int(at.parts[-2]))
    places = [*reversed(versions)]
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True)
        places.append(Path(asked.stdout.strip()))
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    return next((at for at in places if (at / "initdb").exists()), None)


def _server_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _answers(server: subprocess.Popen[Any], folder: Path) -> bool:
    import psycopg

    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(_url(str(folder), "postgres")).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return True
    return False


def _cannot_start(log: str) -> NoReturn:
    reason = f"PostgreSQL is installed, but could not be started here:\n{log[-2000:]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
