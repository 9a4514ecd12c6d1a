"""CPU of an ask: a gateway process beside the build of 2026-11-29 and the bare SDK's echo tool.

The older build is a git worktree that is made here. All servers run on this interpreter, with an
emulator in a process of its own, and take turns within one run: machines and hours differ, ratios
hardly do. CPU is the operating system's own count for the server's process, threads included.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.benchmarks.http import BARE, ENVELOPE
from tests.benchmarks.report import Measurement
from tests.support import protocol
from tests.support.listening_process import ListeningProcess, listening
from tests.support.protocol import ACCEPT, MODERN

BASELINE = "3aaa944"
ROOT = Path(__file__).parents[2]
ROUNDS = 5
CALLS = 160
AT_ONCE = 16
PATIENCE = 120.0


@dataclass
class Side:
    """One of the servers that are compared, and what was measured of it."""

    server: ListeningProcess
    tool: str
    cpu: list[float] = field(default_factory=list)
    """Milliseconds a call, by round."""
    rate: list[float] = field(default_factory=list)
    """Calls a second, by round."""

    def measure(self, calls: int) -> None:
        busy, began = self.server.busy, time.perf_counter()
        asyncio.run(asyncio.wait_for(crowd(self.server.url, self.tool, calls), PATIENCE))
        self.rate.append(calls / (time.perf_counter() - began))
        self.cpu.append((self.server.busy - busy) / calls)


async def crowd(url: str, tool: str, calls: int) -> None:
    """So many calls, sixteen at once, each client on a connection of its own."""
    await asyncio.gather(*(_client(url, tool, calls // AT_ONCE) for _ in range(AT_ONCE)))


async def _client(url: str, tool: str, calls: int) -> None:
    """Speaks HTTP in plain bytes: an HTTP library would cost more than what is measured."""
    place = re.fullmatch(r"http://([\d.]+):(\d+)/mcp", url)
    assert place
    reader, writer = await asyncio.open_connection(place[1], int(place[2]), limit=1 << 24)
    for number in range(calls):
        params = {"name": tool, "arguments": {"prompt": f"Hello {number}."}, "_meta": ENVELOPE}
        body = json.dumps(protocol.request("tools/call", params, number)).encode()
        head = (
            f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{place[2]}\r\ncontent-length: {len(body)}\r\n"
            f"accept: {ACCEPT}\r\ncontent-type: application/json\r\n"
            f"mcp-protocol-version: {MODERN}\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await _answer(reader)
        assert b'"result"' in answer, answer[:500]
        assert b'"isError":true' not in answer, answer[:500]
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if length := re.search(rb"content-length: (\d+)", head):
        return await reader.readexactly(int(length[1]))
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(pieces)


@contextmanager
def baseline() -> Iterator[Path | None]:
    """The older build's `server` folder; None where this is no clone that has it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "build"
        git = ["git", "-C", str(ROOT), "worktree"]
        made = subprocess.run(
            [*git, "add", "--quiet", "--detach", str(place), BASELINE],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            yield None
            return
        try:
            yield place / "server"
        finally:
            with suppress(OSError):
                subprocess.run([*git, "remove", "--force", str(place)], check=False)


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    command = [sys.executable, "-m", "gemini_interactions"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "bare.py").write_text(BARE)
        google = stack.enter_context(listening([*command, "emulator"], clean))
        older = stack.enter_context(baseline())

        def gateway(name: str, source: Path) -> ListeningProcess:
            environ = clean | {
                "PYTHONPATH": str(source),
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": google.url,
                "GEMINI_MCP_DATA_DIR": str(folder / name),
                "GEMINI_MCP_MAX_CONCURRENT": str(AT_ONCE),
            }
            serve = [*command, "serve", "--http", "127.0.0.1:0"]
            return stack.enter_context(listening(serve, environ))

        bare = stack.enter_context(listening([sys.executable, str(folder / "bare.py")], clean))
        sides = {
            "ours": Side(gateway("ours", ROOT / "server"), "gemini_ask"),
            "echo": Side(bare, "echo"),
        }
        if older is not None:
            sides["before"] = Side(gateway("before", older), "gemini_ask")
        _take_turns(sides)
        return list(_rows(sides))


def _take_turns(sides: dict[str, Side]) -> None:
    for side in sides.values():
        side.measure(2 * AT_ONCE)
        side.cpu.clear()
        side.rate.clear()
    for _ in range(ROUNDS):
        for side in sides.values():
            side.measure(CALLS)


def _rows(sides: dict[str, Side]) -> Iterator[Measurement]:
    ours, echo = sides["ours"], sides["echo"]
    if before := sides.get("before"):
        yield Measurement.ratio(
            f"CPU of an ask, beside {BASELINE}", "ms", ours.cpu, before.cpu, 0.25
        )
        yield _slower(f"time of an ask at {AT_ONCE} at once, beside {BASELINE}", ours, before, 0.25)
    yield _slower("the same, beside the bare SDK's echo", ours, echo, 1 / 0.3)


def _slower(what: str, ours: Side, other: Side, budget: float) -> Measurement:
    """Calls a second, as the time of one call."""
    took = [[1000 / rate for rate in side.rate] for side in (ours, other)]
    note = f"calls/s {max(ours.rate):,.0f} / {max(other.rate):,.0f}, "
    note += f"medians {median(ours.rate):,.0f} / {median(other.rate):,.0f}"
    return Measurement(what, "ms", min(took[0]), budget, min(took[1]), note)
