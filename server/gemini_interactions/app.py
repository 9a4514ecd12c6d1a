"""The app: opens every room, hands the parts to each other, and closes them again."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from .bridge.bridge import Bridge, bridge
from .bridge.conversations import Conversations
from .bridge.costs import Costs, Limits
from .bridge.gallery import Gallery
from .bridge.lineup import Lineup
from .bridge.ports import Gemini, Store
from .bridge.retention import Retention
from .bridge.sources import Resolve
from .bridge.upstream import Upstream
from .bridge.workshop import Policy, Workshop
from .errors import Refused
from .keys import find_key
from .media.folders import Folders
from .media.links import SHORTEST_KEY, Links, signing_key
from .media.luggage import Porter
from .media.shelf import Shelf
from .settings import BadSetting, Config, ensure_private_dir, given
from .watcher import Watcher

if TYPE_CHECKING:
    from .redirects import Redirects

log = logging.getLogger(__name__)

SIGNING_KEY = "GEMINI_MCP_SIGNING_KEY"
READY_SECONDS = 3.0
"""How long the store may take to answer before it counts as not answering."""


class App:
    """One server's parts. Nothing slow happens before the first client has been answered.

    `now` is the wall clock in epoch seconds, `sleep` how long to wait between two tries at
    something that failed, `resolve` what looks up Google's redirects. The store is opened and
    Google's SDK imported only after `wake`, so that hosts which give a server one second to
    start get their answer.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        resolve: Resolve | None = None,
    ) -> None:
        self.config = config
        self.now = now
        self.sleep = sleep
        self.session = secrets.token_hex(8)
        self.holder = f"{os.getpid()}-{self.session}"
        self.gemini: Gemini = gemini(config)
        self.lineup = Lineup(self.gemini, now, config.model, config.image_model)
        self.upstream = Upstream(self.gemini, now)
        self._redirects: Redirects | None = None
        self._resolve = resolve or (self._look_up if config.resolve_redirects else None)
        self._awake = anyio.Event()
        self._opened = anyio.Event()
        self._trouble: Refused | None = None
        self.link: Callable[[str, str], str] | None = None
        """Where clients elsewhere can fetch an image, by its owner and id."""
        self.closed = anyio.Event()
        self._closing = anyio.Lock()
        self._bridge: Bridge | None = None
        self.watcher: Watcher | None = None

    def wake(self) -> None:
        """A client has been answered: what is slow may happen now."""
        self._awake.set()

    async def bridge(self) -> Bridge:
        """The bridge, once the store is open; refuses where it cannot be opened."""
        self.wake()
        await self._opened.wait()
        if self._bridge is None:
            raise self._trouble or Refused("This server's store is not open.")
        return self._bridge

    async def conversations(self) -> Conversations:
        return (await self.bridge()).conversations

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
            store = await open_store(self.config)
        except Refused as trouble:
            self._trouble = trouble
            self._opened.set()
            return
        except Exception:
            log.exception("the store could not be opened")
            self._trouble = Refused("This server's store cannot be opened; its log says why.")
            self._opened.set()
            return
        self._store = store
        async with anyio.create_task_group() as tasks:
            policy = _policy(self.config)
            costs = Costs(store, _limits(self.config), self.now)
            shelf = Shelf(self.config.data_dir, self.config.images_dir, _reports_dir(self.config))
            porter = _porter(self.config)
            gallery = Gallery(store, shelf, self.now)
            self._workshop = Workshop(
                store,
                self.gemini,
                policy,
                tasks,
                holder=self.holder,
                now=self.now,
                costs=costs,
                gallery=gallery,
                resolve=self._resolve,
                sleep=self.sleep,
            )
            self._bridge = bridge(
                store, self.gemini, self._workshop, gallery, costs, shelf, porter, policy, self.now
            )
            retention = Retention(store, shelf, self.config.retention_days, self.now)
            self.watcher = Watcher(self._workshop, retention, policy.lease / 3)
            self._opened.set()
            tasks.start_soon(self._warm)
            await self.watcher.run()

    async def _warm(self) -> None:
        try:
            await self.gemini.warm()
        except Exception:  # the first call says what is wrong, in words for its reader
            log.warning("google-genai could not be warmed up", exc_info=True)

    async def is_ready(self) -> bool:
        """Whether the store answers, and Google did a moment ago."""
        try:
            with anyio.fail_after(READY_SECONDS):
                await self.conversations()
                await self._store.current("", "")
        except Exception:
            log.info("the store does not answer", exc_info=True)
            return False
        return await self.upstream.answers()

    async def settle(self) -> None:
        """End the work in hand, written down as it stands: calls that wait for it answer now."""
        if self._bridge is not None and not self.closed.is_set():
            await self._workshop.close()

    async def close(self) -> None:
        """Commit what there is and give everything up; who asks again waits until that is done."""
        async with self._closing:
            if self.closed.is_set():
                return
            steps = [self.gemini.aclose, *([self._redirects.aclose] if self._redirects else [])]
            if self._bridge is not None:
                steps = [self._workshop.close, self._store.close, *steps]
            for step in steps:
                try:
                    await step()
                except Exception:  # the others are still worth doing
                    log.exception("something could not be closed")
            self.closed.set()

    async def _look_up(self, urls: Sequence[str]) -> Mapping[str, str]:
        from .redirects import Redirects  # nobody needs it before there are links

        self._redirects = self._redirects or Redirects()
        return await self._redirects.resolve(urls)

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
        image_model=config.image_model,
        research_poll=config.research_poll_seconds,
        research_deadline=config.research_deadline_seconds,
    )


def _porter(config: Config) -> Porter:
    """Opens what callers name, inside the allowed folders, and the images made here."""
    data = config.data_dir
    folders = Folders(config.allowed_dirs, working=_working_folder(), private=[data])
    made_here = Folders([config.images_dir, _reports_dir(config)])
    return Porter(folders, made_here, [config.base_url])


def _reports_dir(config: Config) -> Path:
    """For reports and their charts: beside the images where replicas share those."""
    are_apart = not config.images_dir.is_relative_to(config.data_dir)
    return (config.images_dir if config.is_shared and are_apart else config.data_dir) / "research"


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted under us
        return None


def _limits(config: Config) -> Limits:
    return Limits(config.daily_token_limit, config.daily_usd_limit)


def links(config: Config) -> Links:
    """What signs links: with the operator's key, else with one kept in the data folder."""
    key = given(os.environ.get(SIGNING_KEY)).encode("utf-8", "surrogateescape")
    if key and len(key) < SHORTEST_KEY:
        raise BadSetting(f"GEMINI_MCP_SIGNING_KEY must have at least {SHORTEST_KEY} characters.")
    try:
        return Links(key or signing_key(ensure_private_dir(config.data_dir)))
    except OSError:
        raise BadSetting(
            "The data folder cannot keep a key for links. Choose one that this user can write to "
            "with GEMINI_MCP_DATA_DIR (--data-dir), or set GEMINI_MCP_SIGNING_KEY."
        ) from None


def gemini(config: Config) -> Gemini:
    from .gemini.client import Gemini as Client

    return Client(
        key=lambda: find_key(os.environ, config.data_dir),
        base_url=config.base_url,
        api_version=config.api_version,
    )


async def open_store(config: Config) -> Store:
    """The store these settings name; refuses, in words, where it cannot be opened."""
    from .store import Store as Opened  # sqlite3 costs some milliseconds

    return await Opened.open(config.database_url)
