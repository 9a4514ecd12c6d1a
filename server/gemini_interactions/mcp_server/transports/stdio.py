"""Serving one client over stdin and stdout."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, TextIO, cast

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, jsonrpc_message_adapter
from pydantic import ValidationError

from ...app import App
from ...config.data_dir import ensure_private_dir
from ...config.settings import Config
from ..server import build
from .era_switch import EraSwitch, Outgoing
from .jsonrpc_messages import InvalidMessage, read
from .line_reader import LineReader
from .recorded_handshake import REPLAYED_ID, Handover, claimed_wires, recorded_folder

log = logging.getLogger(__name__)

RECORDING_DELAY = 5.0
"""Seconds after the start at which a handshake is recorded: the first calls go first."""
LAST_WORDS = 0.2
"""Seconds that the last answers have to get out in, once everything is committed."""


def serve_stdio(config: Config, handover: Handover | None = None) -> int:
    """Serve one client over stdin and stdout until stdin ends or a signal says stop; it may have
    been answered before, which `handover` tells."""
    # Nobody shows a token here, even where the environment is that of a gateway.
    app = App(config.for_one_owner())
    anyio.run(_stdio, app, handover or Handover(*claimed_wires()))
    return 0  # pragma: no cover  (never reached)


async def _stdio(app: App, handover: Handover) -> None:
    server = build(app)
    if handover.was_listed:
        app.wake()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_on_signal, app)
            tasks.start_soon(_leave_when_closed, app)
            if not handover.was_recorded:
                tasks.start_soon(_record_handshake, app)
            await serve_client(server, handover)
            # Not by returning: a look-up of a name may hold the loop's own threads for long.
            _leave()
    except* OSError:
        log.info("the client has closed its end")  # its answers have nobody to go to
        _leave()
    except* Exception:
        log.exception("the server failed")
        _leave(1)


async def serve_client(server: Server[App], handover: Handover) -> None:
    """Serve whoever is at the other end of stdin and stdout, until stdin ends."""
    outgoing, answers = anyio.create_memory_object_stream[SessionMessage | InvalidMessage](0)
    async with anyio.create_task_group() as writing:
        writing.start_soon(_write, answers, _writer(handover.stdout))
        async with (
            outgoing,
            server.lifespan(server) as state,  # ends first: a blocked write does not hold it
            anyio.create_task_group() as tasks,
        ):
            eras = EraSwitch(server, state, cast(Outgoing, outgoing), tasks)
            lines = LineReader(handover.stdin, [*handover.replay, *handover.waiting], handover.rest)
            async for line in lines:
                for message in read(line):
                    if isinstance(message, InvalidMessage):
                        await outgoing.send(message)
                    else:
                        await _receive(eras, message, outgoing)
            eras.close()


async def _receive(
    eras: EraSwitch,
    message: dict[str, Any],
    outgoing: MemoryObjectSendStream[SessionMessage | InvalidMessage],
) -> None:
    try:
        checked = jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        problem = "Invalid request: that is no JSON-RPC message."
        await outgoing.send(InvalidMessage(INVALID_REQUEST, problem, message.get("id")))
        return
    await eras.receive(checked)


async def _write(
    answers: MemoryObjectReceiveStream[SessionMessage | InvalidMessage], wire: TextIO
) -> None:
    file = anyio.wrap_file(wire)
    async with answers:
        async for answer in answers:
            if isinstance(answer, InvalidMessage):
                line = answer.as_json()
            elif getattr(answer.message, "id", None) == REPLAYED_ID:
                continue  # the client has this answer already
            else:
                line = answer.message.model_dump_json(by_alias=True, exclude_unset=True)
            await file.write(line + "\n")
            await file.flush()


def _writer(wire: int) -> TextIO:
    # Not closed: a thread may still wait for a reader when we leave.
    return os.fdopen(wire, "w", encoding="utf-8", closefd=False)


async def _leave_when_closed(app: App) -> None:
    """Everything is committed: neither a client that does not read nor a stdin that never
    ends, whose line a thread waits for, may hold us."""
    await app.closed.wait()
    await anyio.sleep(LAST_WORDS)
    _leave()


async def _record_handshake(app: App) -> None:
    """For the next start: the answers of this SDK, which the package has no recordings of."""
    await anyio.sleep(RECORDING_DELAY)
    try:
        await anyio.to_thread.run_sync(record_for, app.config)
    except Exception:  # a next start is slow too, and nothing else
        log.info("the handshake could not be recorded", exc_info=True)


def record_for(config: Config) -> None:
    from .handshake_recorder import write

    folder = recorded_folder(str(ensure_private_dir(config.data_dir)))
    write(Path(folder), is_structured=config.structured)


async def _stop_on_signal(app: App) -> None:
    """On a signal: commit what there is, then leave without waiting for stdin's next line."""
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            await app.close()
            _leave()


def _leave(code: int = 0) -> None:
    """End at once: everything is committed, and a thread that still imports must not hold us."""
    logging.shutdown()
    os._exit(code)
