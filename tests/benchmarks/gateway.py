"""Workers: calls a second of `serve --http --workers` 1, 2 and 4, on SQLite and PostgreSQL.

The emulator is a process of its own and answers at once. Gateways of one database kind take turns
within one run. Clients, emulator, database and workers share this machine's cores: beyond as many
workers as there are cores to spare, more of them only show what sharing costs. PostgreSQL is a
server of its own with one database for each gateway; without it only SQLite is measured.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from statistics import median

from tests.benchmarks.cpu import AT_ONCE, Side
from tests.benchmarks.report import Measurement
from tests.benchmarks.store import new_database
from tests.support import postgres
from tests.support.listening_process import EMULATOR, GATEWAY, listening

WORKERS = (1, 2, 4)
ROUNDS = 4
CALLS = 320
ANY = inf  # a figure to read, without a budget


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-", dir="/tmp")))
        google = stack.enter_context(listening(EMULATOR, clean))
        server = stack.enter_context(postgres.running())
        rows: list[Measurement] = []
        for kind in ("SQLite", "PostgreSQL") if server else ("SQLite",):
            with ExitStack() as gateways:
                sides = {}
                for number in WORKERS:
                    environ = clean | {
                        "GEMINI_API_KEY": "benchmark",
                        "GOOGLE_GEMINI_BASE_URL": google.url,
                        "GEMINI_MCP_DATA_DIR": f"{folder}/{kind}-{number}",
                        "GEMINI_MCP_MAX_CONCURRENT": str(AT_ONCE),
                    }
                    if server and kind == "PostgreSQL":
                        url = new_database(server, f"workers_{number}")
                        environ["GEMINI_MCP_DATABASE_URL"] = url
                    serve = [*GATEWAY, "--workers", str(number)]
                    gateway = gateways.enter_context(listening(serve, environ))
                    sides[number] = Side(gateway, "gemini_ask")
                _take_turns(sides)
                rows += _rows(kind, sides)
        return rows


def _take_turns(sides: dict[int, Side]) -> None:
    for number, side in sides.items():
        side.measure(2 * AT_ONCE * number)
        side.rate.clear()
    for _ in range(ROUNDS):
        for side in sides.values():
            side.measure(CALLS)


def _rows(kind: str, sides: dict[int, Side]) -> Iterator[Measurement]:
    for number, side in sides.items():
        note = f"median {median(side.rate):,.0f}, {ROUNDS} rounds of {CALLS}, {AT_ONCE} at once"
        what = f"gemini_ask, `--workers {number}`, {kind}"
        yield Measurement(what, "calls/s", max(side.rate), ANY, note=note)
