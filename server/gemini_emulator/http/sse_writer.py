"""Writes an interaction as server-sent events, with the faults that tests ask for."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ..interaction import Interaction
from ..json_types import Json
from ..scripting.fault_injection import Fault
from .request_context import RequestContext

CUT_600 = (
    '[{\n"error": {\n"code": 503,\n"message": "The service is currently unavailable.",\n'
    '"status": "UNAVAILABLE"\n}\n}\n]\n'
)
# Everything a client must survive, one block before each of the first events.
_UNKNOWNS = [
    'event: interaction.in_progress\ndata: {"event_type":"interaction.in_progress","x":1}\n\n',
    ": keep-alive comment\n\nevent: ping\n\n",
    'event: step.start\ndata: {"index":97,"step":{"type":"brand_new_step","foo":1},'
    '"event_type":"step.start"}\n\n',
    'event: step.delta\ndata: {"index":97,"delta":{"type":"brand_new_delta","x":2},'
    '"event_type":"step.delta"}\n\nevent: step.stop\ndata: {"index":97}\n\n',
    "data: not json at all\n\n",
    'id: 77\nevent: interaction.status_update\ndata: {"interaction_id":"v1_u",\n'
    'data: "status":"weird_new_status","event_type":"interaction.status_update"}\n\n',
]
# The faults that end a stream; with no number of events given, just before its last one.
_CUTS = ("reset", "fin", "hang", "clean_eof", "cut_600", "error_event", "hang_after_replay")
_LOOK_AGAIN = 0.02  # seconds, while a clock that is not ours decides when a run ends


class _CutShort(Exception):
    """The fault ended the stream."""


class SSEWriter:
    """One stream: what is there already, then what comes, to the end or to the fault."""

    def __init__(self, context: RequestContext, interaction: Interaction, first: int = 0) -> None:
        self._context = context
        self._exchange = context.exchange
        self._interaction = interaction
        self._next = first
        self._sent = 0
        self._unknowns = iter(_UNKNOWNS)

    async def run(self) -> None:
        context, interaction = self._context, self._interaction
        await context.gate("before_response")
        context.answered(200)
        await self._exchange.begin()
        if context.has("crlf"):
            await self._write("\N{BYTE ORDER MARK}: hello\n\n")
        try:
            if context.request.kind == "create" and not interaction.background:
                await self._foreground()
            else:
                await self._follow()
            self._exchange.is_over = True  # who leaves now has seen everything
            await self._write("event: done\ndata: [DONE]\n\n")
        except _CutShort:
            if context.request.kind == "create":
                context.service.left(interaction)
            if self._exchange.is_over:
                raise asyncio.CancelledError from None
        await self._exchange.end()

    async def _foreground(self) -> None:
        context, interaction = self._context, self._interaction
        await self._send_next()
        await context.gate("after_created")
        await self._send_next()
        with context.service.lock:
            interaction.speak()
        ends = 0 if interaction.is_running else 1
        left = len(interaction.events) - self._next - ends
        seconds = context.plan.delay.seconds + interaction.answer.delay
        for _ in range(left):
            await context.sleep(seconds / (left + 1))
            await self._send_next()
        await context.sleep(seconds / (left + 1))
        await context.gate("before_completed")
        with context.service.lock:
            interaction.conclude(context.service.now())
        while self._next < len(interaction.events):
            await self._send_next()

    async def _follow(self) -> None:
        """Replay, then whatever happens, as it happens."""
        context, interaction = self._context, self._interaction
        seconds = context.plan.delay.seconds
        while True:
            context.service.settle(interaction)
            waiting = len(interaction.events) - self._next
            for _ in range(waiting):
                if not self._is_start:
                    await context.sleep(seconds / waiting)
                await self._send_next()
                if self._sent == 1:
                    await context.gate("after_created")
            if not interaction.is_running and self._next >= len(interaction.events):
                return
            is_due = interaction.due is not None and not context.service.clock_is_ours
            await interaction.waiters.until(
                lambda: (
                    self._next < len(interaction.events)
                    or not interaction.is_running
                    or context.steering.is_over
                ),
                _LOOK_AGAIN if is_due else None,
            )
            if context.steering.is_over:
                self._exchange.close()
                raise _CutShort

    @property
    def _is_start(self) -> bool:
        return self._next == 0

    async def _send_next(self) -> None:
        event = self._interaction.events[self._next]
        is_last = event.get("event_type") == "interaction.completed"
        fault = self._context.fault
        if fault is not None and self._is_due(fault, is_last):
            await self._cut(fault)
        if is_last and self._next == len(self._interaction.events) - 1:
            if self._context.request.kind == "get" or self._interaction.background:
                await self._context.gate("before_completed")
            event = self._ending(event)
        self._next += 1
        self._sent += 1
        if is_last and self._context.has("no_completed"):
            return
        if self._context.has("unknowns"):
            await self._write(next(self._unknowns, ""))
        await self._write(block(event))

    def _ending(self, event: Json) -> Json:
        body = dict(event["interaction"])
        fault = self._context.fault
        if fault and fault.name == "no_usage":
            body.pop("usage", None)
        if fault and fault.name == "unknowns" and "status" in fault.options:
            body["status"] = fault.options["status"]
        return {**event, "interaction": body}

    def _is_due(self, fault: Fault, is_last: bool) -> bool:
        if fault.name not in _CUTS:
            return False
        after = fault.after_events
        if after is None and fault.name == "hang_after_replay":
            after = 2
        return is_last or (after is not None and self._sent >= after)

    async def _cut(self, fault: Fault) -> None:
        match fault.name:
            case "reset":
                self._exchange.reset()
            case "fin":
                self._exchange.close()
            case "hang" | "hang_after_replay":
                await self._context.hang()
            case "cut_600":
                await self._write(CUT_600)
            case "error_event":
                await self._fail(fault.options)
        raise _CutShort

    async def _fail(self, options: Mapping[str, Any]) -> None:
        error = {
            "message": options.get("message", "Deadline expired before operation could complete."),
            "code": options.get("code", "gateway_timeout"),
        }
        status = options.get("status", None if self._interaction.background else "failed")
        if status is not None and self._interaction.is_running:
            with self._context.service.lock:
                self._interaction.close(status, self._context.service.now(), [error])
        await self._write(block({"error": error, "event_type": "error"}))
        await self._write("event: done\ndata: [DONE]\n\n")

    async def _write(self, text: str) -> None:
        if not text:
            return
        if self._context.has("crlf"):
            text = text.replace("\n", "\r\n")
        data = text.encode()
        if fault := self._context.has("dribble"):
            size = int(fault.options.get("size", 7))
            for start in range(0, len(data), size):
                await self._exchange.send(data[start : start + size])
                await asyncio.sleep(0)
            return
        await self._exchange.send(data)


def block(event: Json) -> str:
    """One event as it stands on the wire."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['event_type']}\ndata: {data}\n\n"
