"""Several processes that serve one address (`--workers N`), and the parent that looks after them.

The parent listens, forks the workers, which share its socket, replaces one that ends, and sums
their metrics. It runs neither an event loop nor a thread, so that it can fork at any time.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NoReturn

import anyio

from ....config.setting_table import BadSetting
from ....config.settings import Config
from ....domain.errors import Refused
from ....telemetry.metrics import Registry, Snapshot, registry
from .asgi_app import (
    GRACE,
    LAST_WORDS,
    PATH,
    Address,
    Gateway,
    metrics_address,
    stop_on_signals,
    tokens_for,
)
from .routes.metrics_route import TYPE
from .transport_security import AllowedHosts

log = logging.getLogger(__name__)

MOST = 64
REPORT_SECONDS = 0.5
"""How often a worker says what it has counted."""
LONGEST_START = 1.0
"""A worker that ends sooner after its start than this is replaced no sooner than after it."""
PATIENCE = GRACE + LAST_WORDS + 5.0
"""Seconds after which a worker that was told to end is killed."""


def serve_workers(config: Config, address: str, workers: int) -> int:
    """Serve with so many processes until a signal says stop; the exit code."""
    if sys.platform == "win32":
        raise Refused("--workers needs a system that can fork: on Windows, run one process.")
    if workers > MOST:
        raise Refused(f"--workers can be {MOST} at most.")
    if config.stateless is False:
        raise BadSetting(
            "Workers share no sessions: leave out GEMINI_MCP_STATELESS=off (--stateless), or serve "
            "with one process."
        )
    config = replace(config, stateless=True, workers=workers)
    where = Address.read(address)
    tokens = tokens_for(config, where)
    from ....components import signing_key

    signing_key(config)  # made once, before anybody could make it twice
    listener = where.listen()
    metrics = _metrics(config)
    config = replace(config, metrics="")

    def serve(channel: socket.socket) -> None:
        gateway = Gateway(config, listener, name=where.name, tokens=tokens)
        anyio.run(_serve_worker, gateway, channel)

    gc.freeze()  # the workers share what is imported already
    return Workers(workers, serve, listener, metrics).run()


async def _serve_worker(gateway: Gateway, channel: socket.socket) -> None:
    """One worker: serves until SIGTERM comes or its parent is gone."""

    async def report() -> None:
        while True:
            said = json.dumps(registry.snapshot(gateway.app.gauges())).encode() + b"\n"
            await anyio.to_thread.run_sync(channel.sendall, said)
            await anyio.sleep(REPORT_SECONDS)

    async def until_orphaned() -> None:
        await anyio.wait_readable(channel)
        gateway.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signals, gateway, (signal.SIGTERM,))
        tasks.start_soon(until_orphaned)
        await tasks.start(gateway.serve)
        tasks.start_soon(report)
        await gateway.ended.wait()
        tasks.cancel_scope.cancel()
    with suppress(OSError):
        channel.sendall(json.dumps(registry.snapshot([])).encode() + b"\n")


@dataclass
class _Worker:
    process: int
    channel: socket.socket
    began: float
    said: bytes = b""
    snapshot: Snapshot = field(default_factory=list)
    is_ready: bool = False

    def hear(self) -> None:
        """What it has counted; only the newest report counts."""
        try:
            more = self.channel.recv(1 << 16)
        except BlockingIOError:
            return
        self.said += more
        *whole, self.said = self.said.split(b"\n")
        if whole:
            self.snapshot, self.is_ready = json.loads(whole[-1]), True


class Workers:
    """The parent's part; `serve` is what a worker does with its end of the channel."""

    def __init__(
        self,
        number: int,
        serve: Callable[[socket.socket], None],
        listener: socket.socket,
        metrics: MetricsOfWorkers | None,
    ) -> None:
        self._number = number
        self._serve = serve
        self._listener = listener
        self._metrics = metrics
        self._workers: dict[int, _Worker] = {}
        self._gone = Registry()
        """What workers counted that have ended."""
        self._selector = selectors.DefaultSelector()
        self._stops_asked = 0
        self._stopping_since = 0.0
        self._next_start = 0.0
        self._has_announced = False
        self._code = 0

    def run(self) -> int:
        wake, wakened = socket.socketpair()
        wake.setblocking(False)
        wakened.setblocking(False)
        signal.set_wakeup_fd(wakened.fileno(), warn_on_full_buffer=False)
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self._stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(wake, selectors.EVENT_READ, lambda: wake.recv(4096))
        if self._metrics is not None:
            self._metrics.text = self.text
            self._selector.register(
                self._metrics, selectors.EVENT_READ, self._metrics.handle_request
            )
        while self._workers or not self._stops_asked:
            self._start_missing()
            for key, _ in self._selector.select(0.25):
                with suppress(OSError):
                    key.data()
            self._reap()
            self._announce()
            if self._stops_asked and time.monotonic() > self._stopping_since + PATIENCE:
                self._signal(signal.SIGKILL)
        return self._code

    def text(self) -> str:
        """Metrics of all workers; of those that have ended, what they counted."""
        total = Registry()
        total.absorb(self._gone.snapshot([]))
        gauges: dict[Any, float] = {}
        for worker in self._workers.values():
            for metric, value in total.absorb(worker.snapshot):
                gauges[metric] = gauges.get(metric, 0.0) + value
        return total.text(gauges.items())

    def _start_missing(self) -> None:
        if self._stops_asked or len(self._workers) >= self._number:
            return
        if time.monotonic() < self._next_start:
            return
        while len(self._workers) < self._number:
            self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        process = os.fork()
        if not process:
            ours.close()
            self._be_worker(theirs)
        theirs.close()
        ours.setblocking(False)
        worker = _Worker(process, ours, time.monotonic())
        self._workers[process] = worker
        self._selector.register(ours, selectors.EVENT_READ, worker.hear)

    def _be_worker(self, channel: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # A terminal sends it to all of us: the parent says when to end.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._selector.close()
            for other in self._workers.values():
                other.channel.close()
            if self._metrics is not None:
                self._metrics.socket.close()
            self._serve(channel)
            code = 0
        except Refused as refused:
            sys.stderr.write(f"gemini-interactions-mcp: {refused}\n")
            code = 2
        except BaseException:
            log.exception("a worker failed")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        """Take leave of workers that have ended, and see to it that others take their places."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            worker = self._workers.pop(process, None)
            if worker is None:
                continue
            self._selector.unregister(worker.channel)
            with suppress(OSError, ValueError):
                worker.hear()
            worker.channel.close()
            self._gone.absorb(worker.snapshot)
            code = os.waitstatus_to_exitcode(status)
            if self._stops_asked:
                continue
            if not worker.is_ready and code == 2:  # it said why, and the next would say the same
                self._code = 2
                self._stop()
                continue
            log.warning("worker %s ended with %s and is replaced", process, code)
            if time.monotonic() < worker.began + LONGEST_START:
                self._next_start = time.monotonic() + LONGEST_START

    def _announce(self) -> None:
        everybody = len(self._workers) == self._number
        if self._has_announced or not everybody or self._stops_asked:
            return
        if all(worker.is_ready for worker in self._workers.values()):
            self._has_announced = True
            number, port = self._listener.getsockname()[:2]
            place = f"[{number}]:{port}" if ":" in number else f"{number}:{port}"
            sys.stderr.write(f"gemini-interactions-mcp serves http://{place}{PATH}\n")
            sys.stderr.flush()

    def _stop(self) -> None:
        """Tell the workers to end; told twice, they do not wait for calls in progress."""
        if not self._stops_asked:
            self._stopping_since = time.monotonic()
            self._listener.close()
        self._stops_asked += 1
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._workers:
            with suppress(ProcessLookupError):
                os.kill(process, number)


class MetricsOfWorkers(HTTPServer):
    """Serves /metrics from the parent, one request at a time."""

    timeout = 1.0

    def __init__(self, listener: socket.socket, hosts: AllowedHosts | None) -> None:
        super().__init__(("", 0), _MetricsHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.hosts = hosts
        self.text: Callable[[], str] = str


class _MetricsHandler(BaseHTTPRequestHandler):
    server: MetricsOfWorkers
    timeout = 1.0  # nobody may keep the parent from looking after its workers

    def do_GET(self) -> None:
        hosts = self.server.hosts
        if hosts is not None and not hosts.include(self.headers.get("host", "")):
            self._answer(421, "This server does not go by that host name.\n", "text/plain")
        elif self.path != "/metrics":
            self._answer(404, "Not Found\n", "text/plain")
        else:
            self._answer(200, self.server.text(), TYPE)

    def _answer(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response_only(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: standard error is for what an operator has to know."""


def _metrics(config: Config) -> MetricsOfWorkers | None:
    where = metrics_address(config)
    if where is None:
        return None
    listener = where.listen("--metrics")
    number = str(listener.getsockname()[0])
    hosts = None if config.metrics_open else AllowedHosts(config, where.name, number)
    return MetricsOfWorkers(listener, hosts)
