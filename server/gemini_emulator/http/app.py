"""The emulator's HTTP application: the control API and the Interactions API."""

from collections.abc import Callable

from ..control import EmulatorControl
from . import control_api, routes
from .connection import RequestResponse
from .request_handler import RequestHandler


class Api:
    """Handles every request; the control may be exchanged between two of them."""

    def __init__(self, control: Callable[[], EmulatorControl]) -> None:
        self._control = control

    async def __call__(self, exchange: RequestResponse) -> None:
        if exchange.path.startswith(control_api.PATH):
            await control_api.answer(self._control(), exchange, routes.parsed(exchange.body))
            return
        await RequestHandler(self._control(), exchange).run()
