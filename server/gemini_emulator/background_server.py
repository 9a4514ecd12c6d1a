"""The emulator as a program runs it: a thread of its own, an event loop, a loopback port."""

import asyncio
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from .control import EmulatorControl

if TYPE_CHECKING:
    from .http.connection import Connection

HOST = "127.0.0.1"


class Emulator:
    """A Gemini Interactions API on this machine's loopback, for as long as the block lasts."""

    def __init__(self, control: EmulatorControl | None = None, port: int = 0) -> None:
        self._control = control or EmulatorControl()
        self._wanted_port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def control(self) -> EmulatorControl:
        return self._control

    @control.setter
    def control(self, control: EmulatorControl) -> None:
        """From the next request on, this control answers; the old one lets go of its requests."""
        old, self._control = self._control, control
        old.let_go()

    def start(self) -> "Emulator":
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._main, name="gemini-emulator", daemon=True)
        self._thread.start()
        self._started.wait()
        self._raise_failure()
        return self

    def _raise_failure(self) -> None:
        if self._failure is not None and self._thread is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._thread = self._loop = self._stop = None

    def __enter__(self) -> "Emulator":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # Raised again where the emulator was started: a port that is taken, for example.
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[Connection] = set()
        server = await self._loop.create_server(
            lambda: self._connection(connections), HOST, self._wanted_port, backlog=1024
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            ending = [task for connection in list(connections) if (task := connection.drop())]
            await asyncio.gather(*ending, return_exceptions=True)
            await asyncio.sleep(0)  # the sockets of aborted connections close in the next turn

    def _connection(self, connections: "set[Connection]") -> "Connection":
        # h11 costs a hundredth of a second to import: whoever comes first waits for it, not
        # everybody who starts an emulator.
        from .http.app import Api
        from .http.connection import Connection
        from .http.files_api import is_chunk

        return Connection(Api(lambda: self._control), connections, is_chunk)
