"""The emulator's front: the steering door for some requests, the Interactions API for the rest."""

from collections.abc import Callable

from . import door, routes
from .brain import Brain
from .visit import Visit
from .wire import Exchange


class Api:
    """Handles every request; the brain may be exchanged between two of them."""

    def __init__(self, brain: Callable[[], Brain]) -> None:
        self._brain = brain

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.path.startswith(door.PATH):
            await door.knock(self._brain(), exchange, routes.parsed(exchange.body))
            return
        await Visit(self._brain(), exchange).run()
