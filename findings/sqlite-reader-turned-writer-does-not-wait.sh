#!/usr/bin/env bash
# Guess: `timeout=30` makes a writer of the standard library wait its turn, up to 30 seconds.
# Seen with SQLite 3.40.1 (CPython's sqlite3), on 2026-12-01: in WAL mode a transaction that has read, and wants
# to write after another one wrote, fails at once with SQLITE_BUSY_SNAPSHOT; `timeout` does not count.
# Here: every transaction that writes begins with BEGIN IMMEDIATE (store/sqlite.py).
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -W ignore - <<'END'
import sqlite3, tempfile, pathlib, time
with tempfile.TemporaryDirectory() as name:
    path = pathlib.Path(name) / "a.db"
    one, two = (sqlite3.connect(path, timeout=30, isolation_level=None) for _ in range(2))
    one.execute("pragma journal_mode=wal"); one.execute("create table t(x)")
    one.execute("begin"); one.execute("select count(*) from t").fetchall()
    two.execute("insert into t values (1)")
    began = time.monotonic()
    try:
        one.execute("insert into t values (2)"); seen = "written"
    except sqlite3.OperationalError as error: seen = f"{error} ({error.sqlite_errorname})"
    waited = time.monotonic() - began
    print(sqlite3.sqlite_version, seen, f"after {waited:.1f} s, with nobody else in a transaction")
    assert "SNAPSHOT" in seen and waited < 10
END
