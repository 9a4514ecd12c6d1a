"""A line: a wire to a server in a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.support.fork_server import ForkOrder, written
from tests.support.jsonrpc_client import PATIENCE, Frame, HungUp, JsonRpcClient

ROOT = Path(__file__).parents[2]
LONGEST = 2**24


class ForkedServer(JsonRpcClient):
    def __init__(self, era: str, stream: ByteStream, codes: Path) -> None:
        super().__init__(era, self._write)
        self.pid = 0
        self._stream = stream
        self._lines = BufferedByteReceiveStream(stream)
        self._codes = codes

    @classmethod
    async def to_fork(
        cls,
        tasks: TaskGroup,
        forks: Path,
        order: ForkOrder,
        era: str = "modern",
        *,
        deaf: bool = False,
    ) -> ForkedServer:
        """To a fresh server, there in a tenth of a second; a deaf line reads nothing."""
        stream = await anyio.connect_unix(forks)
        await stream.send(written(order))
        line = cls(era, stream, forks.parent)
        line.pid = int(await line._lines.receive_until(b"\n", 20))
        if not deaf:
            tasks.start_soon(line.listen)
            await line.greet()
        return line

    async def listen(self) -> None:
        async with self._stream:
            try:
                while True:
                    self.hear(json.loads(await self._lines.receive_until(b"\n", LONGEST)))
            except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self.hear(None)

    async def _write(self, frame: Frame) -> None:
        try:
            await self._stream.send(json.dumps(frame).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise HungUp from None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def hang_up(self) -> None:
        """The client's end closes: the end of stdin."""
        await self._stream.send_eof()

    async def close(self) -> None:
        """The client is gone: nothing is said any more, and nothing read."""
        await self._stream.aclose()

    async def code(self) -> int:
        """The exit code, once the process has ended."""
        file = self._codes / f"{self.pid}.code"
        with anyio.fail_after(PATIENCE):
            while not file.exists():
                await anyio.sleep(0.005)
        return int(file.read_text("utf-8"))

    async def over(self) -> None:
        """Waits until the process has closed its end."""
        with anyio.fail_after(PATIENCE):
            while not self.is_over:
                await self._news.wait()

    async def meanwhile(self, true: Callable[[], bool]) -> None:
        """Waits until something out there is true, or the process is gone."""
        with anyio.fail_after(PATIENCE):
            while not true():
                if self.is_over:
                    raise HungUp
                await anyio.sleep(0.005)


@contextmanager
def forking(folder: Path) -> Iterator[Path]:
    """Somewhere to get forks from: the path of a socket."""
    path = folder / "forks"
    parent = subprocess.Popen([sys.executable, "-m", "tests.support.fork_server", path], cwd=ROOT)
    try:
        for _ in range(int(PATIENCE / 0.02) * 3):
            if path.exists() or parent.poll() is not None:
                break
            try:
                parent.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        assert path.exists(), "the process that forks did not come up"
        yield path
    finally:
        parent.kill()
        parent.wait()
