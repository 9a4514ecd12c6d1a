"""Commands that serve over HTTP as processes of their own, by the address they say they have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "gemini_interactions")
GATEWAY = (*COMMAND, "serve", "--http", "127.0.0.1:0")
EMULATOR = (*COMMAND, "emulator")
_ADDRESS = re.compile(r"http://[^\s/]+(/mcp)?")


@dataclass(frozen=True, slots=True)
class ListeningProcess:
    """A process and what it said in its first line."""

    process: subprocess.Popen[str]
    url: str
    """Or the line it said instead."""

    @property
    def base_url(self) -> str:
        """The address without the path of the protocol."""
        return self.url.removesuffix("/mcp")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def busy(self) -> float:
        """Milliseconds of CPU it has used; 0 where /proc does not say."""
        try:
            told = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return 0.0
        user, system = told.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def listening(
    command: Sequence[str] = GATEWAY, environ: Mapping[str, str] | None = None
) -> Iterator[ListeningProcess]:
    """Starts a command that says its address in its first line; ended when the block ends."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        try:
            stream = process.stdout if "emulator" in command else process.stderr
            assert stream
            line = stream.readline()
            told = _ADDRESS.search(line)
            yield ListeningProcess(process, told[0] if told else line)
        finally:
            process.terminate()
