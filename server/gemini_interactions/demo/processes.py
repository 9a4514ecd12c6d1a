"""The two processes of the demo, the emulator and the server, and how to talk to them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import get_default_environment, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

from .terminal import Terminal

META = "gemini-interactions-mcp/result"
PACKAGE = __name__.split(".")[0]

# The server as hosts start it, with its process id left in a file so that it can be killed.
START = (
    "import os, pathlib, runpy, sys; "
    "pathlib.Path(sys.argv.pop(1)).write_text(str(os.getpid())); "
    f"runpy.run_module({PACKAGE!r}, run_name='__main__')"
)


class DidNotHappen(Exception):
    """The demo was about to show something that is not so."""


def environment() -> dict[str, str]:
    """What a process needs to start, without any key or setting of the user's."""
    return get_default_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])}


class Gemini:
    """The emulator as another process sees it: an address, and a door to steer it by."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def steer(self, order: str, **args: Any) -> Any:
        told = await anyio.to_thread.run_sync(self._ask, "POST", "steer", order, args)
        return told["result"]

    async def creates(self) -> int:
        """How often it was asked for an answer so far."""
        told = await anyio.to_thread.run_sync(self._ask, "GET", "log")
        return sum(line["kind"] == "create" for line in told["log"])

    def _ask(self, method: str, what: str, order: str = "", args: Any = None) -> Any:
        line = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            body = json.dumps({"do": order, "args": args}) if order else None
            headers = {"Content-Type": "application/json"}
            line.request(method, f"/_emulator/{what}", body, headers)
            answer = json.loads(line.getresponse().read())
        finally:
            line.close()
        if "error" in answer:
            raise DidNotHappen(f"the emulator refused an order: {answer['error']}")
        return answer


@asynccontextmanager
async def emulator(errors: TextIO, research_seconds: float) -> AsyncIterator[Gemini]:
    """The emulator that comes with the package, as its command starts it."""
    command = [sys.executable, "-m", PACKAGE, "emulator"]
    command += ["--research-seconds", str(research_seconds)]
    process = await anyio.open_process(command, env=environment(), stderr=errors)
    try:
        said = await process.stdout.receive() if process.stdout else b""
        address = re.search(r"http://\S+", said.decode())
        if address is None:
            raise DidNotHappen("the emulator did not say where it is")
        yield Gemini(address[0])
    except anyio.EndOfStream:
        raise DidNotHappen("the emulator did not start") from None
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
            await process.aclose()


class Answer:
    """A tool result: its text, what stands below the line, and the facts for programs."""

    def __init__(self, raw: CallToolResult) -> None:
        told = "\n".join(block.text for block in raw.content if block.type == "text")
        text, line, tail = f"\n{told}".rpartition("\n---\n")
        self.text = (text if line else tail).strip("\n")
        self.tail = tail.splitlines() if line else []
        self.facts: Mapping[str, Any] = (raw.meta or {}).get(META, {})
        self.status = self.facts.get("status")


class DemoProcesses:
    """Where servers are started: one data folder for all of them, and nothing of the user's."""

    def __init__(self, gemini: Gemini, folder: Path, errors: TextIO, screen: Terminal) -> None:
        self.gemini = gemini
        self._folder = folder
        self._errors = errors
        self._screen = screen

    @asynccontextmanager
    async def server(self, **settings: str) -> AsyncIterator[Server]:
        """A server in a process of its own, with a client connected to it."""
        settings |= {
            "GEMINI_API_KEY": "none-needed",
            "GOOGLE_GEMINI_BASE_URL": self.gemini.url,
            "GEMINI_MCP_DATA_DIR": str(self._folder / "data"),
            "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.5",
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
        }
        process = self._folder / "process"
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-c", START, str(process)],
            env=environment() | settings,
            cwd=self._folder,
        )
        pipes = stdio_client(parameters, errlog=self._errors)
        about = Implementation(name="gemini-interactions-mcp-demo", version="1")
        async with Client(pipes, client_info=about) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            yield Server(client, int(process.read_text()), tools, self._screen)


class Server:
    """A running server and our connection to it; every call shows on the screen."""

    def __init__(self, client: Client, process: int, tools: set[str], screen: Terminal) -> None:
        self._client = client
        self._screen = screen
        self.process = process
        self.tools = tools

    async def call(self, tool: str, /, **arguments: Any) -> Answer:
        """A call that is expected to bring its answer; on a slow machine, with patience."""
        answer = await self._told(tool, arguments)
        if answer.status == "running":
            return await self.collect("gemini_result", 3, id=answer.facts["id"])
        if answer.status != "completed":
            raise DidNotHappen(f"{tool} did not bring an answer")
        return answer

    async def begin(self, tool: str, /, **arguments: Any) -> Answer:
        """A call whose answer is to come later."""
        return await self._told(tool, arguments, watch=True)

    async def collect(self, tool: str, seconds: int, /, **id: str) -> Answer:
        """What was begun, asked for until it is there."""
        answer = await self._told(tool, {**id, "wait_seconds": seconds}, watch=True)
        while answer.status == "running":
            answer = await self._told(tool, {**id, "wait_seconds": seconds}, watch=True)
        if answer.status != "completed":
            raise DidNotHappen("there was no answer to collect")
        return answer

    async def kill(self) -> None:
        """No warning, and no chance to write anything down."""
        os.kill(self.process, getattr(signal, "SIGKILL", signal.SIGTERM))
        try:
            await self._client.call_tool("gemini_history", {})
        except MCPError:
            return
        raise DidNotHappen("the server outlived being killed")

    async def _told(self, tool: str, arguments: dict[str, Any], *, watch: bool = False) -> Answer:
        """One call, shown with what came back; with `watch` also what was said meanwhile."""

        async def show(progress: float, total: float | None, message: str | None) -> None:
            if watch and message:
                self._screen.progress(message)

        self._screen.call(tool, arguments)
        raw = await self._client.call_tool(tool, arguments, progress_callback=show)
        answer = Answer(raw)
        self._screen.answer(answer.text, answer.tail)
        if raw.is_error:
            raise DidNotHappen(f"{tool} was refused")
        return answer
