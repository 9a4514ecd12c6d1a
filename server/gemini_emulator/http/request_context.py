"""Request context: one request, its faults, and what every endpoint does with it."""

import asyncio

from ..control import EmulatorControl
from ..json_types import Json
from ..request_log import Request
from ..requests import attachments
from ..scripting.fault_injection import Fault, Point
from . import response_faults, routes
from .connection import RequestResponse

MOST_ON_PAGE = 1000
_SECRET = ("x-goog-api-key", "authorization")


class RequestContext:
    """One request: where it goes, what is to go wrong with it, and how it is answered."""

    def __init__(self, control: EmulatorControl, exchange: RequestResponse) -> None:
        self.control, self.exchange = control, exchange
        # A reset of the control leaves requests under way with what they began with.
        self.service, self.steering = control.service, control.steering
        self._sleeps_ended = self.steering.sleeps_ended
        self.noun, self.rest, kind = routes.route(exchange.method, exchange.path, exchange.query)
        self.body = routes.parsed(exchange.body) if exchange.body else None
        exchange.body = b""  # it may be large, and what matters of it is parsed
        query = {k: v for k, v in exchange.query.items() if k != "key"}
        self.request = Request(
            method=exchange.method,
            path=exchange.path,
            kind=kind,
            at=self.service.now(),
            body=attachments.slim(self.body),
            headers={k: v for k, v in exchange.headers.items() if k not in _SECRET},
            query=query,
            stream=routes.wants_stream(kind, self.body, query),
            bytes=exchange.length,
            attachments=attachments.listed(self.body) if kind == "create" else [],
        )
        self.plan = control.arrive(self.request)
        self.fault = self.plan.fault

    @property
    def key(self) -> str | None:
        return self.exchange.headers.get("x-goog-api-key") or self.exchange.query.get("key")

    def has(self, *faults: str) -> Fault | None:
        return self.fault if self.fault and self.fault.name in faults else None

    # What happens before the response

    async def sleep(self, seconds: float) -> None:
        """Real time passes, unless somebody ends all waits."""
        if seconds > 0:
            steering, mine = self.steering, self._sleeps_ended
            await steering.sleeps.until(lambda: steering.sleeps_ended != mine, seconds)

    async def hang(self) -> None:
        """Nothing happens any more, until the client leaves or the control starts anew."""
        await self.steering.sleeps.until(lambda: self.steering.is_over)
        self.exchange.close()
        raise asyncio.CancelledError

    async def gate(self, point: Point) -> None:
        if point in self.plan.gates:
            await self.plan.gates[point].wait()

    async def before_response(self) -> None:
        """The delay of every answer, and the last gate."""
        await self.sleep(self.plan.delay.seconds)
        await self.gate("before_response")

    # The response

    def answered(self, status: int) -> None:
        self.control.note(self.request, status=status)

    async def show(self, body: Json) -> None:
        """A JSON answer, or what the fault of the day makes of it."""
        status, content_type, data = response_faults.spoiled(body, self.fault)
        await self.send(data, content_type, status)

    async def send(self, data: bytes, content_type: str, status: int = 200) -> None:
        """These bytes, or half of them where a fault breaks the response off."""
        self.answered(status)
        if fault := self.has("reset", "fin", "hang"):
            await self.exchange.respond(status, data, content_type, only=len(data) // 2)
            await self.break_off(fault)
        await self.exchange.respond(status, data, content_type)

    async def break_off(self, fault: Fault) -> None:
        """The end of a connection in the middle of something."""
        if fault.name == "hang":
            await self.hang()
        (self.exchange.reset if fault.name == "reset" else self.exchange.close)()
        raise asyncio.CancelledError

    def page(
        self,
        noun: str,
        found: list[Json],
        size: int,
        names: tuple[str, str, str] = ("pageToken", "pageSize", "nextPageToken"),
    ) -> Json:
        """The page of a list this request asks for; `size` is that of one nobody named."""
        token, wanted, following = names
        start = int(self.request.query.get(token) or 0)
        end = start + min(int(self.request.query.get(wanted) or size), MOST_ON_PAGE)
        page: Json = {noun: found[start:end]}
        if end < len(found):
            page[following] = str(end)
        return page


SNAKE_CASE = ("page_token", "page_size", "next_page_token")
"""How the newer endpoints name what `RequestContext.page` reads and writes."""
