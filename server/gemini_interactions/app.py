"""The app: opens every room, hands the parts to each other, and closes them again."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from .bridge.conversations import Conversations
from .bridge.costs import Costs, Limits
from .bridge.ports import Gemini, Store
from .bridge.workshop import Policy, Workshop
from .errors import Refused
from .keys import find_key
from .settings import Config
from .watcher import Watcher

log = logging.getLogger(__name__)


class App:
    """One server's parts. Nothing slow happens before the first client has been answered.

    `now` is the wall clock in epoch seconds. The store is opened and Google's SDK imported
    only after `wake`, so that hosts which give a server one second to start get their answer.
    """

    def __init__(self, config: Config, *, now: Callable[[], float] = time.time) -> None:
        self.config = config
        self.now = now
        self.session = secrets.token_hex(8)
        self.holder = f"{os.getpid()}-{self.session}"
        self.gemini: Gemini = _gemini(config)
        self._awake = anyio.Event()
        self._opened = anyio.Event()
        self._trouble: Refused | None = None
        self._closed = False
        self._conversations: Conversations | None = None
        self.watcher: Watcher | None = None

    def wake(self) -> None:
        """A client has been answered: what is slow may happen now."""
        self._awake.set()

    async def conversations(self) -> Conversations:
        """The bridge, once the store is open; refuses where it cannot be opened."""
        self.wake()
        await self._opened.wait()
        if self._conversations is None:
            raise self._trouble or Refused("This server's store is not open.")
        return self._conversations

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            try:
                yield self
            finally:
                with anyio.CancelScope(shield=True):
                    await self.close()
                tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        await self._awake.wait()
        try:
            store = await _open_store(self.config)
        except Refused as trouble:
            self._trouble = trouble
            self._opened.set()
            return
        self._store = store
        async with anyio.create_task_group() as tasks:
            policy = _policy(self.config)
            costs = Costs(store, _limits(self.config), self.now)
            self._workshop = Workshop(
                store, self.gemini, policy, tasks, holder=self.holder, now=self.now, costs=costs
            )
            self._conversations = Conversations(
                store, self.gemini, self._workshop, costs, policy, self.now
            )
            self.watcher = Watcher(self._workshop, policy.lease / 3)
            self._opened.set()
            tasks.start_soon(self._warm)
            await self.watcher.run()

    async def _warm(self) -> None:
        try:
            await self.gemini.warm()
        except Exception:  # the first call says what is wrong, in words for its reader
            log.warning("google-genai could not be warmed up", exc_info=True)

    async def close(self) -> None:
        """Commit what there is and give everything up; harmless when done twice."""
        if self._closed:
            return
        self._closed = True
        if self._conversations is not None:
            await self._workshop.close()
            await self._store.close()
        await self.gemini.aclose()

    async def keep_whole(self, id: str, text: str) -> str:
        """Writes a long text to a file for clients on this machine; its path."""
        folder = self.config.data_dir / "texts"
        path = folder / f"{id.replace('/', '-')}.md"

        def write() -> None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="replace", opener=_private) as file:
                file.write(text)

        try:
            await anyio.to_thread.run_sync(write)
        except OSError:
            log.warning("a long text could not be written to the data folder")
            return ""
        return str(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _policy(config: Config) -> Policy:
    return Policy(
        model=config.model,
        max_wait=config.max_wait_seconds,
        lease=config.lease_seconds,
        store_lag=config.store_lag_seconds,
        upstream_timeout=config.upstream_timeout_seconds,
        max_concurrent=config.max_concurrent,
        max_prompt_bytes=config.max_prompt_bytes,
        transcripts=config.transcripts,
        authenticated=config.tokens_file is not None,
        remote_hosts=config.remote_tools,
    )


def _limits(config: Config) -> Limits:
    return Limits(config.daily_token_limit, config.daily_usd_limit)


def _gemini(config: Config) -> Gemini:
    from .gemini.client import Gemini as Client

    return Client(
        key=lambda: find_key(os.environ, config.data_dir),
        base_url=config.base_url,
        api_version=config.api_version,
    )


async def _open_store(config: Config) -> Store:
    from .store import Store as Opened  # sqlite3 costs some milliseconds
    from .store import StoreError

    try:
        return await Opened.open(config.database_url)
    except StoreError as trouble:
        raise Refused(str(trouble)) from trouble
