"""Several worker processes on one address: `serve --http … --workers N`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator import Emulator
from tests.support import protocol
from tests.support.listening_process import GATEWAY, listening
from tests.support.protocol import ACCEPT, ENVELOPE, LEGACY, MODERN

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers are forked")

PATIENCE = 90.0
METRICS = re.compile(r'gemini_mcp_tool_calls_total\{tool="gemini_ask",outcome="completed"\} (\d+)')


@dataclass
class Cluster:
    """A parent and its workers."""

    process: subprocess.Popen[str]
    url: str
    metrics_url: str

    @property
    def workers(self) -> set[int]:
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(each) for each in told.split()}

    def post(self, method: str, params: dict[str, Any], version: str = MODERN) -> dict[str, Any]:
        meta = {"_meta": ENVELOPE} if version == MODERN else {}
        body = protocol.request(method, {**params, **meta})
        headers = {
            "content-type": "application/json",
            "accept": ACCEPT,
            "mcp-protocol-version": version,
        }
        if version == MODERN:
            headers |= protocol.http_headers(method, params)
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)  # noqa: S310  loopback
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            text = answer.read().decode()
        return protocol.last_message(text)

    def ask(self, tool: str = "gemini_ask", **arguments: Any) -> str:
        said = self.post("tools/call", {"name": tool, "arguments": arguments})
        return str(said["result"]["content"][0]["text"])

    def counted(self) -> int:
        with urllib.request.urlopen(self.metrics_url, timeout=PATIENCE) as answer:  # noqa: S310
            found = METRICS.search(answer.read().decode())
        return int(found[1]) if found else 0

    def is_ended(self) -> bool:
        return self.process.poll() is not None


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another process does; how long that takes is the machine's business."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "that did not happen"
        time.sleep(0.05)


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(folder: Path, google: str, *flags: str, workers: str = "2") -> Iterator[Cluster]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GEMINI_", "GOOGLE_"))}
    environ = {
        **clean,
        "GEMINI_API_KEY": "test-key",
        "GOOGLE_GEMINI_BASE_URL": google,
        "GEMINI_MCP_DATA_DIR": str(folder),
    }
    metrics = f"127.0.0.1:{free_port()}"
    command = [*GATEWAY, "--workers", workers, "--metrics", metrics, *flags]
    with listening(command, environ) as gateway:
        yield Cluster(gateway.process, gateway.url, f"http://{metrics}/metrics")


@pytest.fixture(scope="module")
def google() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def cluster(google: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with serving(tmp_path_factory.mktemp("cluster"), google.url) as cluster:
        yield cluster


def test_any_worker_answers_for_any_conversation(cluster: Cluster) -> None:
    said = cluster.ask(prompt="Hello.")
    told = re.search(r"c_\w{10}", said)
    assert told

    results = {cluster.ask("gemini_result", id=told[0]).split("\n---")[0] for _ in range(8)}

    assert results == {said.split("\n---")[0]}
    assert len(cluster.workers) == 2


def test_legacy_clients_need_no_session(cluster: Cluster) -> None:
    call = {"name": "gemini_ask", "arguments": {"prompt": "Hello."}}

    said = [cluster.post("tools/call", call, LEGACY) for _ in range(4)]

    assert all("isError" not in each["result"] or not each["result"]["isError"] for each in said)


def test_metrics_are_those_of_all_workers_and_of_those_that_are_gone(
    google: Emulator, tmp_path: Path
) -> None:
    with serving(tmp_path, google.url) as cluster:
        for number in range(6):
            cluster.ask(prompt=f"Hello {number}.")
        until(lambda: cluster.counted() == 6)
        before = cluster.workers
        gone = min(before)

        os.kill(gone, signal.SIGKILL)

        until(lambda: len(cluster.workers) == 2 and gone not in cluster.workers)
        assert len(before & cluster.workers) == 1
        assert cluster.counted() == 6
        for number in range(4):
            cluster.ask(prompt=f"Hello again {number}.")
        until(lambda: cluster.counted() == 10)


def test_a_rate_limit_holds_for_all_workers_together(google: Emulator, tmp_path: Path) -> None:
    with serving(tmp_path, google.url, "--rate-limit", "5") as cluster:
        said = [cluster.ask(prompt=f"Hello {number}.") for number in range(8)]

    refused = [each for each in said if "more than the 5 calls a minute" in each]
    assert len(refused) == 3


def test_places_at_google_are_counted_over_all_workers(google: Emulator, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serving(tmp_path, google.url, "--max-concurrent", "1") as cluster:
        gate = google.control.hold_next("create", "before_completed")
        sent = len(google.control.posts)
        with ThreadPoolExecutor(8) as clients:
            asked = [clients.submit(cluster.ask, prompt=f"Side by side {n}.") for n in range(6)]
            assert gate.wait_reached()
            # All of them are written down; none but the first goes to Google.
            until(lambda: cluster.ask("gemini_history").count("Side by side") == 6)
            assert len(google.control.posts) == sent + 1
            gate.release()
            assert all("Gemini" in each.result(PATIENCE) or each.result() for each in asked)
    assert len(google.control.posts) == sent + 6


def test_sigterm_lets_running_calls_finish(google: Emulator, tmp_path: Path) -> None:
    with serving(tmp_path, google.url) as cluster:
        cluster.ask(prompt="Hello.")

        cluster.process.terminate()

        until(cluster.is_ended)
        assert cluster.process.returncode == 0
        with pytest.raises(urllib.error.URLError):
            cluster.ask(prompt="Is anybody there?")


def test_what_no_worker_could_do_is_said_once_by_the_parent(
    google: Emulator, tmp_path: Path
) -> None:
    with serving(tmp_path, google.url, "--stateless=off") as refused:
        until(refused.is_ended)

        assert refused.process.returncode == 2
        assert "Workers share no sessions" in refused.url
