"""The app: opens and closes the store, the Google client and everything else for one server."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from .config.settings import Config
from .domain.errors import Refused

if TYPE_CHECKING:
    from .bridge.conversation_service import Conversations
    from .bridge.facade import Bridge
    from .bridge.model_list import ModelList
    from .bridge.ports import Gemini, Store
    from .bridge.runtime import Resolve
    from .bridge.upstream_health import UpstreamHealth
    from .components import Components
    from .domain.oauth_grants import OAuthGrants
    from .gemini.grounding_redirects import RedirectResolver
    from .maintenance import Maintenance
    from .telemetry.audit_log import AuditLog
    from .telemetry.metrics import Metric

log = logging.getLogger(__name__)

LATEST_START = 3.0
"""Seconds after which the store is opened though nobody has asked for anything: another process
may have left work behind."""
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
        self._redirects: RedirectResolver | None = None
        self._resolve = resolve or (self._look_up if config.resolve_redirects else None)
        self._awake = anyio.Event()
        self._opened = anyio.Event()
        self._trouble: Refused | None = None
        self.link: Callable[..., str] | None = None
        """Where clients elsewhere can fetch an image, by its owner and id, and by what the owner
        came in with (`credential`)."""
        self.page: Callable[..., str] | None = None
        """Where a research, image or conversation can be looked at in a browser, likewise; where
        public pages are on."""
        self.audit: AuditLog | None = None
        """Where each call is written down, if anywhere; HTTP opens it."""
        self.closed = anyio.Event()
        self._closing = anyio.Lock()
        self._components: Components | None = None

    @cached_property
    def gemini(self) -> Gemini:
        from .components import gemini

        return gemini(self.config)

    @cached_property
    def models(self) -> ModelList:
        from .bridge.model_list import ModelList

        return ModelList(self.gemini, self.now, self.config)

    @cached_property
    def upstream(self) -> UpstreamHealth:
        from .bridge.upstream_health import UpstreamHealth

        return UpstreamHealth(self.gemini, self.now)

    @property
    def maintenance(self) -> Maintenance | None:
        return self._components.maintenance if self._components else None

    def wake(self) -> None:
        """A client has been answered: what is slow may happen now."""
        self._awake.set()

    async def bridge(self) -> Bridge:
        """The bridge, once the store is open; refuses where it cannot be opened."""
        if self._trouble is not None and self._opened.is_set():
            self._opened = anyio.Event()  # a database that was away may be back: `_open` looks
        self.wake()
        await self._opened.wait()
        if self._components is None:
            raise self._trouble or Refused("This server's store is not open.")
        return self._components.bridge

    async def oauth_grants(self) -> OAuthGrants:
        """What was signed in, once the store is open."""
        await self.bridge()
        if self._components is None:
            raise Refused("This server's store is not open.")
        return self._components.store.oauth_grants

    async def count_call(self, owner: str, most: int) -> float:
        """Count a call with all processes that share the store; where an owner has made `most` in
        the last minute, it does not count: in how many seconds there is room again."""
        await self.bridge()
        if self._components is None:
            raise Refused("This server's store is not open.")
        return await self._components.store.count_call(owner, most, self.now())

    def gauges(self) -> list[tuple[Metric, float]]:
        """What holds right now, for metrics."""
        if self._components is None:
            return []
        from .telemetry.metrics import gauges

        executor = self._components.executor
        return gauges(
            running=len(executor.running),
            researches=sum(each.turn.kind == "research" for each in executor.running),
            waiting=executor.waiting,
            pool=self._components.store.connections(),
        )

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

    async def _open(self) -> Store:
        """The store, once somebody asks; where it cannot be opened, again when somebody does."""
        with anyio.move_on_after(LATEST_START):
            await self._awake.wait()
        while True:
            self._awake = anyio.Event()
            try:
                # A tenth of a second, in which whoever else asks something is answered.
                await anyio.to_thread.run_sync(import_module, f"{__package__}.components")
                from .components import open_store

                return await open_store(self.config)
            except Refused as trouble:
                self._trouble = trouble
            except Exception:
                log.exception("the store could not be opened")
                self._trouble = Refused("This server's store cannot be opened; its log says why.")
            self._opened.set()
            await self._awake.wait()

    async def _run(self) -> None:
        store = await self._open()
        from .components import build_components

        self._trouble = None
        async with anyio.create_task_group() as tasks:
            self._components = build_components(
                self.config,
                store,
                self.gemini,
                tasks,
                holder=self.holder,
                now=self.now,
                sleep=self.sleep,
                resolve=self._resolve,
            )
            self._opened.set()
            tasks.start_soon(self._warm)
            await self._components.maintenance.run()

    async def _warm(self) -> None:
        try:
            await self.gemini.warm()
        except Exception:  # the first call says what is wrong, in words for its reader
            log.warning("google-genai could not be warmed up", exc_info=True)

    async def is_ready(self) -> bool:
        """Whether the store answers, and Google did a moment ago."""
        try:
            with anyio.fail_after(READY_SECONDS):
                await self.bridge()
                if self._components is not None:
                    await self._components.store.current("", "")
        except Exception:
            log.info("the store does not answer", exc_info=True)
            return False
        if self.audit is not None and self.audit.is_failing:
            return False
        return await self.upstream.answers()

    async def audit_call(self, entry: Mapping[str, Any]) -> None:
        """Write one call down in the audit log, where there is one."""
        if self.audit is not None:
            await self.audit.record(self.now(), entry)

    async def settle(self) -> None:
        """End the work in hand, written down as it stands: calls that wait for it answer now."""
        if self._components is not None and not self.closed.is_set():
            await self._components.executor.close()

    async def close(self) -> None:
        """Commit what there is and give everything up; who asks again waits until that is done."""
        async with self._closing:
            if self.closed.is_set():
                return
            steps = [self._redirects.aclose] if self._redirects else []
            if self._components is not None:
                steps = [self._components.executor.close, self._components.store.close, *steps]
            if "gemini" in vars(self):
                steps.append(self.gemini.aclose)
            for step in steps:
                try:
                    await step()
                except Exception:  # the others are still worth doing
                    log.exception("something could not be closed")
            self.closed.set()

    async def _look_up(self, urls: Sequence[str]) -> Mapping[str, str]:
        from .gemini.grounding_redirects import (
            RedirectResolver,  # nobody needs it before there are links
        )

        self._redirects = self._redirects or RedirectResolver()
        return await self._redirects.resolve(urls)

    async def keep_whole(self, id: str, text: str) -> str:
        """Writes a long text to a file for clients on this machine; its path, "" for none."""
        if not self.config.transcripts:
            return ""
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
