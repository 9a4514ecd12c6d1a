"""Media: what large files and pictures cost a server.

The emulator runs in a process of its own; memory is the operating system's own count of the
server's process.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from gemini_emulator.http.control_api import PATH
from tests.benchmarks.calls import Server, emulator_elsewhere
from tests.benchmarks.report import Measurement

GIGABYTE = 2**30
VIDEO = 500_000_000


def run() -> list[Measurement]:
    with emulator_elsewhere() as url, tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # Sparse, with the beginning of a film: it takes no room, and is read all the same.
        with open(work / "film.mp4", "wb") as file:
            file.write(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
            file.truncate(GIGABYTE)
        environ = {
            **os.environ,
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_MCP_DATA_DIR": str(work / "data"),
            "GEMINI_MCP_ALLOWED_DIRS": str(work),
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
            "GEMINI_MCP_MAX_WAIT_SECONDS": "120",
            "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.2",
            "GEMINI_MCP_TOOLSETS": "all",
        }
        server = Server(environ, "legacy")
        try:
            after_ask = server.resident()
            film = {"prompt": "What is it?", "files": [str(work / "film.mp4")]}
            with Watch(server) as upload:
                server.timed("tools/call", {"name": "gemini_ask", "arguments": film})
            idle = server.resident()
            cat = {"prompt": "a very large cat", "size": "4K"}
            with Watch(server) as picture:
                server.timed("tools/call", {"name": "gemini_generate_image", "arguments": cat})
            idle_again = server.resident()
            steer(url, "make_media", bytes=VIDEO)
            with Watch(server) as video:
                film_of_a_stork(server, work)
        finally:
            server.end()
    return [
        Measurement("memory after the first ask", "MB", after_ask, 105),
        Measurement("memory of a 1 GB upload, above idle", "MB", upload.most - after_ask, 32),
        Measurement("memory of a 4K picture, above idle", "MB", picture.most - idle, 200),
        Measurement("memory of a 500 MB video, above idle", "MB", video.most - idle_again, 32),
    ]


def steer(url: str, order: str, **arguments: object) -> None:
    """Tell an emulator in another process what to do."""
    body = json.dumps({"do": order, "args": arguments}).encode()
    request = urllib.request.Request(f"{url}{PATH}steer", body, method="POST")  # noqa: S310  loopback
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310
        pass


def film_of_a_stork(server: Server, work: Path) -> None:
    """Have a video made, and wait until its file is there whole."""
    call = {"name": "gemini_generate_video", "arguments": {"prompt": "a stork"}}
    server.timed("tools/call", call)
    deadline = time.monotonic() + 300
    while not any(file.stat().st_size == VIDEO for file in (work / "data").rglob("*.mp4")):
        if time.monotonic() > deadline:
            raise TimeoutError("The video did not come.")
        time.sleep(0.05)


class Watch:
    """The most memory a server had meanwhile, looked at every few milliseconds."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._done = threading.Event()
        self.most = 0.0

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._done.is_set():
            self.most = max(self.most, self._server.resident())
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
