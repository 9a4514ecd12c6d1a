"""The whole product in one process, for pages that show what it really says."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import anyio
from anyio.abc import Process
from mcp.client import Client
from mcp_types import CallToolResult, Implementation

import gemini_interactions
from gemini_emulator import Emulator, EmulatorControl
from gemini_emulator.http import control_api as emulator_door
from gemini_interactions.app import App
from gemini_interactions.config.api_key import save_key
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.server import build
from gemini_interactions.store import turns

NOON = 1_795_348_800.0  # 2026-11-22 12:00 UTC: prices and times on the pages are of that day
DATA_DIR = "~/.local/share/gemini-interactions-mcp"
EMULATOR = "http://127.0.0.1:8788"
PROJECT = "/home/ada/project"
TOKEN = "a-token-of-adas"  # noqa: S105  # no secret: it opens a gateway that lives for a page
OURS = ("GEMINI_", "GOOGLE_", "CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID")
PATIENCE = 120  # seconds after which something hangs that should not
SETTINGS = {"GEMINI_MCP_RESOLVE_REDIRECTS": "off", "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.05"}

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(r"\b([acfirv])_[0-9a-hjkmnp-tv-z]{10}\b|\bv1_[\w-]{8,}")


class Names:
    """Ids that are the same whenever a page is made, for those that never are."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._made: dict[str, list[str]] = {}
        self._shown: dict[str, str] = {}

    def shown(self, text: str) -> str:
        """The text with every real id replaced by the page's own for it."""
        return _ID.sub(lambda found: self._for(found[0], found[1] or "v1"), text)

    def real(self, text: str) -> str:
        """The text with the page's ids replaced by real ones; `c_#2` is the second of its kind,
        `c_#last` the newest."""
        for real, shown in self._shown.items():
            text = text.replace(shown, real)
        return re.sub(
            r"\b([criavf]|v1)_#(\d+|last)", lambda found: self._nth(found[1], found[2]), text
        )

    def keep(self, text: str) -> None:
        """The ids somebody made up in this text stand for themselves."""
        for found in _ID.finditer(text):
            self._shown.setdefault(found[0], found[0])

    def _nth(self, kind: str, number: str) -> str:
        return self._made[kind][-1 if number == "last" else int(number) - 1]

    def _for(self, real: str, kind: str) -> str:
        if real not in self._shown:
            made = self._made.setdefault(kind, [])
            made.append(real)
            digest = hashlib.sha256(f"{self._page} {kind} {len(made)}".encode()).digest()
            letters = "".join(_CROCKFORD[byte % 32] for byte in digest)
            self._shown[real] = f"{kind}_{letters[: 26 if kind == 'v1' else 10]}"
        return self._shown[real]


class ExampleRunner:
    """A server, a client of it, and the emulator behind them. Time stands still unless moved."""

    def __init__(self, page: str, emulator: Emulator, folder: Path) -> None:
        self.names = Names(page)
        self.now = NOON
        self._emulator = emulator
        self._folder = folder
        self._settings = dict(SETTINGS)
        self._client: Client | None = None
        self._stack = AsyncExitStack()
        self.address = ""
        self.project = folder / "project"
        self.project.mkdir()
        emulator.control = EmulatorControl(clock=lambda: self.now)
        save_key(self.data_dir, "none-needed")

    @property
    def data_dir(self) -> Path:
        return self._folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """What a server needs to be part of this stage."""
        return {
            "GOOGLE_GEMINI_BASE_URL": self._emulator.url,
            "GEMINI_MCP_DATA_DIR": str(self.data_dir),
            "PYTHONPATH": str(Path(gemini_interactions.__file__).parents[1]),
            "GEMINI_MCP_ALLOWED_DIRS": str(self.project),
            "TOKEN": TOKEN,
            **self._settings,
        }

    async def __aenter__(self) -> Self:
        await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._emulator.control.let_go()
        await self._stack.aclose()
        await self._leave(kind, error, trace)

    async def restart(self, **settings: str) -> None:
        """The server ends and another starts, with these settings from now on."""
        await self._leave()
        self._settings |= settings
        app = await self._connect()
        # A call that may wait for a moment only must not spend that on what a start has to do.
        await app.bridge()
        await app.gemini.warm()

    async def serve(self, *flags: str) -> None:
        """Another server, over HTTP, that lets in whoever has the token."""
        tokens = self._folder / "tokens"
        tokens.write_text(f"ada:{hashlib.sha256(TOKEN.encode()).hexdigest()}\n", "utf-8")
        tokens.chmod(0o600)
        command = [sys.executable, "-m", "gemini_interactions", "serve", *flags]
        command += ["--http", "127.0.0.1:0", "--tokens-file", str(tokens)]
        gateway = await anyio.open_process(
            command, env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL
        )
        self._stack.push_async_callback(_end, gateway)
        said = await gateway.stderr.receive() if gateway.stderr else b""
        self.address = said.decode().split()[-1].removesuffix("/mcp")

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        return await self.client.call_tool(tool, dict(arguments))

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("no server is running on this stage")
        return self._client

    def steer(self, order: Mapping[str, Any]) -> None:
        """An order to the emulator, in the words of its door; `wait` moves everybody's clock,
        and `file` puts one into the project."""
        if "file" in order:
            (self.project / order["file"]).write_text(order["text"], "utf-8")
            return
        if "wait" in order:
            self.now += float(order["wait"])
            self._emulator.control.advance(0)
            return
        emulator_door.steer(self._emulator.control, order)

    async def settle(self) -> None:
        """What was let go has come to its end, on a machine of any speed."""
        with anyio.fail_after(PATIENCE):
            while "last turn running" in _text(await self.call("gemini_history", {})):
                await anyio.sleep(0.02)

    def shown(self, text: str) -> str:
        """The text as it stands on a page: no ids and no folders of this run."""
        text = text.replace(str(self.data_dir), DATA_DIR).replace(str(self.project), PROJECT)
        text = text.replace(self._emulator.url, EMULATOR)
        # Calls answer early on this stage; a page shows the advice of the default settings.
        text = text.replace("and wait_seconds 1.", "and wait_seconds 40.")
        return self.names.shown(text)

    def real(self, text: str) -> str:
        """The text of a page as it has to be said on this stage."""
        return self.names.real(text.replace(PROJECT, str(self.project)))

    async def _connect(self) -> App:
        app = App(Config.read(self.environment), now=lambda: self.now)
        client = Client(build(app), client_info=Implementation(name="docs", version="1"))
        self._client = await client.__aenter__()
        return app

    async def _leave(self, *how: Any) -> None:
        if self._client is not None:
            await self._client.__aexit__(*(how or (None, None, None)))
            self._client = None


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


async def _end(process: Process) -> None:
    process.terminate()
    await process.aclose()


@contextmanager
def stages() -> Iterator[Callable[[str], ExampleRunner]]:
    """Makes stages, one after the other: an emulator for all, a data folder for each."""
    with ExitStack() as stack:
        stack.enter_context(_no_settings_from_outside())
        # A page's programs run by the real clock, beside a server by the page's own: to it, their
        # leases end too late to be any.
        stack.enter_context(patch.object(turns, "SLACK", math.inf))
        emulator = stack.enter_context(Emulator(EmulatorControl()))

        def stage(page: str) -> ExampleRunner:
            folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            return ExampleRunner(page, emulator, Path(folder))

        yield stage


@contextlib.contextmanager
def _no_settings_from_outside() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(OURS)}
    try:
        yield
    finally:
        os.environ.update(kept)
