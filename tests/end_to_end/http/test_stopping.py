"""How a gateway ends: calls finish or detach, streams close, everything is written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio.abc import SocketStream

from gemini_emulator.scripting.fault_injection import Gate
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.transports.http import asgi_app, connection_limits
from gemini_interactions.mcp_server.transports.http.asgi_app import Address, Gateway
from tests.support import db_inspection
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness, RunningGateway
from tests.support.http_client import HttpClient
from tests.support.listening_process import GATEWAY, ListeningProcess, listening

ERAS = pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
BOUND = 60
"""Seconds that none of this takes; a server that hangs is cut off then."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that would wait far longer than a test does."""
    monkeypatch.setattr(asgi_app, "GRACE", 600.0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_app, "GRACE", 0.05)


@ERAS
@pytest.mark.usefixtures("patient")
async def test_a_call_that_finishes_in_time_is_answered(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=legacy)
    gate = harness.control.hold_next()
    harness.control.answer_next("Just in time.")

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_once_reached, place, gate)
            said = await wire.call("gemini_ask", prompt="slow")

    assert (said.status, said.piece) == ("completed", "Just in time.")


async def stop_once_reached(place: RunningGateway, gate: Gate) -> None:
    await gate.reached()
    place.gateway.stop()
    await anyio.sleep(0.3)  # uvicorn looks ten times a second whether it should end
    gate.release()
    await place.ended.wait()


@ERAS
@pytest.mark.usefixtures("hasty")
async def test_a_call_that_does_not_finish_answers_with_its_id_and_the_next_server_has_it(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=legacy)
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next("Google went on.")

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_once_reached, place, gate)
            left = await wire.call("gemini_ask", prompt="slow")
    await gateways.open()
    collected = await (await gateways.connect()).result(left.id, wait_seconds=5)

    assert left.status == "running"
    assert (collected.status, collected.piece) == ("completed", "Google went on.")
    assert len(harness.bodies) == 1


@pytest.mark.usefixtures("hasty")
async def test_a_call_google_had_not_named_yet_is_interrupted_and_says_so(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    gate = harness.control.hold_next()

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_once_reached, place, gate)
            said = await wire.call("gemini_ask", prompt="what I asked")

    assert said.status == "interrupted"
    assert "what I asked" in said.text


@pytest.mark.usefixtures("patient")
async def test_an_open_stream_is_ended_and_does_not_hold_the_server(
    gateways: GatewayHarness, caplog: pytest.LogCaptureFixture
) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=True)

    with anyio.fail_after(BOUND):
        async with wire.http.stream("GET", "/mcp", headers=wire.headers) as stream:
            assert stream.status_code == 200
            await place.stop()
            rest = await stream.aread()

    assert rest == b""
    assert caplog.text == ""


@pytest.mark.usefixtures("hasty")
async def test_a_body_that_never_ends_does_not_hold_the_server(
    gateways: GatewayHarness, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi_app, "LAST_WORDS", 600.0)
    place = await gateways.open()

    with anyio.fail_after(BOUND):
        async with await gateways.socket() as stream:
            await stream.send(
                b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nexpect: 100-continue\r\n"
                b"content-length: 100\r\n\r\n"
            )
            await stream.receive()  # "100 Continue": its body is waited for
            place.gateway.stop()
            answer = await stream.receive()
        await place.ended.wait()

    assert answer.startswith(b"HTTP/1.1 503")
    assert caplog.text == ""


@pytest.mark.usefixtures("patient")
async def test_idle_clients_do_not_hold_the_server(gateways: GatewayHarness) -> None:
    place = await gateways.open()
    for legacy in (False, True):
        assert not (await (await gateways.connect(legacy=legacy)).ask("one")).is_error

    with anyio.fail_after(BOUND):
        await place.stop()


@pytest.mark.usefixtures("patient")
async def test_told_twice_it_does_not_wait_for_calls(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    gate = harness.control.hold_next(point="before_completed")

    async def stop_twice() -> None:
        await gate.reached()
        # What has no id yet would end as interrupted.
        while not any(row["interaction_id"] for row in db_inspection.turns(harness.folder)):
            await anyio.sleep(0.01)
        place.gateway.stop()
        await anyio.lowlevel.checkpoint()
        place.gateway.stop()

    with anyio.fail_after(BOUND):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_twice)
            said = await wire.call("gemini_ask", prompt="slow")
        await place.ended.wait()

    assert said.status == "running"


async def test_nobody_comes_in_any_more_once_it_has_stopped(gateways: GatewayHarness) -> None:
    place = await gateways.open()
    wire = await gateways.raw_client(legacy=False)

    await place.stop()

    with pytest.raises(httpx2.ConnectError):
        await wire.http.get("/healthz")


async def test_a_server_whose_app_breaks_down_ends_rather_than_serve_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        raise RuntimeError("a bug")

    gateway = Gateway(Config.read(os.environ), Address.read("127.0.0.1:0").listen())
    monkeypatch.setattr(gateway.app, "_run", run)

    with anyio.fail_after(BOUND), pytest.raises(ExceptionGroup) as ended:
        await gateway.serve()

    assert ended.group_contains(RuntimeError, match="a bug")


# ------------------------------------------------------------------------------ slow clients


async def drip(stream: SocketStream) -> None:
    """The beginning of a request that goes on and on."""
    while True:
        await stream.send(b"G")
        with anyio.move_on_after(0.01):
            await stream.receive()


async def test_a_connection_that_never_says_what_it_wants_is_closed(
    gateways: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 0.1)
    await gateways.open()

    silent = await gateways.socket()
    dripping = await gateways.socket()
    with anyio.fail_after(BOUND):
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await silent.receive()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await drip(dripping)
    await silent.aclose()
    await dripping.aclose()


async def test_a_call_may_take_longer_than_a_head_may(
    gateways: GatewayHarness, harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 1.0)
    await gateways.open()
    wire = await gateways.raw_client(legacy=False)
    gate = harness.control.hold_next()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(release_later, gate)
        said = await wire.call("gemini_ask", prompt="slow")

    assert said.status == "completed"


async def release_later(gate: Gate) -> None:
    await gate.reached()
    await anyio.sleep(1.2)
    gate.release()


async def test_a_client_that_does_not_read_is_let_go(
    gateways: GatewayHarness, harness: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await gateways.open(max_output_chars=10**9)
    wire = await gateways.raw_client(legacy=False)
    harness.control.answer_next("x" * (16 * 2**20))  # more than two machines keep between them
    long = await wire.call("gemini_ask", prompt="long")

    monkeypatch.setattr(connection_limits, "READ_SECONDS", 0.1)
    with anyio.fail_after(BOUND):
        async with wire.post("gemini_result", {"id": long.id}) as answer:
            while place.gateway._server.server_state.connections:
                await anyio.sleep(0.01)
            with pytest.raises(httpx2.HTTPError):
                await answer.aread()


# ------------------------------------------------------------------------ a process of its own


def gateway(*flags: str) -> AbstractContextManager[ListeningProcess]:
    """`serve --http` as people start it, in this environment."""
    return listening([*GATEWAY, *flags])


async def tell_to_end(server: subprocess.Popen[str], gate: Gate) -> None:
    await gate.reached()
    server.send_signal(signal.SIGTERM)
    await anyio.sleep(0.2)  # equal signals that wait are one
    server.send_signal(signal.SIGTERM)


@pytest.mark.processes
async def test_told_to_end_a_process_ends_with_0_and_its_work_is_written_down(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    gate = harness.control.hold_next(point="before_completed")
    harness.control.answer_next("secret-answer")

    with gateway("--log-level", "debug") as started:
        server = started.process
        async with (
            httpx2.AsyncClient(base_url=started.base_url, timeout=60, trust_env=False) as raw,
            anyio.create_task_group() as tasks,
        ):
            wire = await HttpClient.connect(raw, legacy=True)
            tasks.start_soon(tell_to_end, server, gate)
            async with wire.http.stream("GET", "/mcp?q=secret-query", headers=wire.headers):
                left = await wire.call("gemini_ask", prompt="secret-prompt")
        assert await anyio.to_thread.run_sync(server.wait, 60) == 0
        assert server.stderr
        assert server.stderr.read() == ""
    gate.release()
    await gateways.open()

    collected = await (await gateways.connect()).result(left.id, wait_seconds=5)
    assert (left.status, collected.piece) == ("running", "secret-answer")


@pytest.mark.processes
def test_an_idle_process_ends_at_once(tmp_path: Path) -> None:
    with gateway("--data-dir", str(tmp_path)) as started:
        assert (
            httpx2.get(f"{started.base_url}/readyz", trust_env=False).text == "not ready\n"
        )  # without a key

        started.process.send_signal(signal.SIGTERM)

        assert started.process.wait(60) == 0


@pytest.mark.processes
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["0.0.0.0:0"], "An address that others can reach needs tokens"),
        (["nonsense"], "--http must be HOST:PORT"),
        (["127.0.0.1:0", "--tokens-file", "/nowhere"], "cannot be read"),
        (["127.0.0.1:0", "--stateless", "maybe"], "must be on or off"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_sentence_with_code_2(
    arguments: list[str], sentence: str
) -> None:
    command = [sys.executable, "-m", "gemini_interactions", "serve", "--http", *arguments]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1
