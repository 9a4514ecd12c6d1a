"""A throw-away PgBouncer in transaction mode; Debian's package `pgbouncer`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import _server_user


@contextmanager
def pgbouncer(server: str, connections: int) -> Iterator[Path]:
    """The folder of a pooler's socket, which has so many connections to the server in `server`."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("pgbouncer is not installed: apt-get install pgbouncer")
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="pb-", dir="/tmp"))
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        "[databases]\n"
        f"* = host={server} user=postgres\n"
        "[pgbouncer]\n"
        "listen_addr =\n"
        f"unix_socket_dir = {folder}\n"
        "auth_type = trust\n"
        f"auth_file = {folder}/users\n"
        "pool_mode = transaction\n"
        f"default_pool_size = {connections}\n"
        f"logfile = {folder}/log\n"
    )
    user = _server_user()
    if user is not None:
        for each in (folder, *folder.iterdir()):
            os.chown(each, user.pw_uid, user.pw_gid)
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    process = subprocess.Popen(
        [program, "-q", str(folder / "ini")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **who,  # type: ignore[call-overload]  # as for the server itself
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / ".s.PGSQL.6432").exists():
            assert time.monotonic() < deadline, (folder / "log").read_text()
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)
        yield folder
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def url_through(folder: Path, url: str) -> str:
    """The URL of the same database, through the pooler."""
    told = psycopg.conninfo.conninfo_to_dict(url)
    return f"postgresql://postgres@/{told['dbname']}?host={folder}&port=6432"
