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
from typing import IO, Any
from urllib.parse import urlsplit

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import get_default_environment, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

from .screen import Screen

class Gemini:
    """The emulator as another process sees it: an address, and a door to steer it by."""

    def __init__(self, url: str) -> None:
        self.url = url

    def steer(self, order: str, **args: Any) -> Any:
        return self._ask("POST", "steer", {"do": order, "args": args})["result"]

    def creates(self) -> int:
        """How often it was asked for an answer so far."""
        return sum(line["kind"] == "create" for line in self._ask("GET", "log")["log"])

    def _ask(self, method: str, what: str, body: Any = None) -> Any:
        line = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            headers = {"Content-Type": "application/json"}
            line.request(method, f"/_emulator/{what}", json.dumps(body), headers)
            answer = json.loads(line.getresponse().read())
        finally:
            line.close()
        check("error" not in answer, f"the emulator refused an order: {answer.get('error')}")
        return answer


@asynccontextmanager
async def emulator(errors: Any) -> AsyncIterator[Gemini]:
    """The shipped emulator, in a process of its own."""
    command = [sys.executable, "-m", PACKAGE, "emulator"]
    command += ["--background-seconds", str(RESEARCH_SECONDS)]
    process = await anyio.open_process(command, env=_environment(), stderr=errors)
    try:
        if process.stdout is None:
            raise DidNotHappen("the emulator has no output")
        said = b""
        async for piece in process.stdout:
            said += piece
            if b"\n" in said:
                break
        address = re.search(r"http://\S+", said.decode())
        if address is None:
            raise DidNotHappen("the emulator did not start")
        yield Gemini(address[0])
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
            await process.aclose()


class House:
    """Where servers are started: one data folder for all, and nothing of the user's."""

    def __init__(self, gemini: Gemini, folder: Path, errors: Any) -> None:
        self.gemini = gemini
        self._folder = folder
        self._errors = errors

    @asynccontextmanager
    async def server(self, **settings: str) -> AsyncIterator[Server]:
        """A server of its own process, with a client connected to it."""
        settings |= {
            "GEMINI_API_KEY": "none-needed",
            "GOOGLE_GEMINI_BASE_URL": self.gemini.url,
            "GEMINI_MCP_DATA_DIR": str(self._folder / "data"),
            "GEMINI_MCP_RESEARCH_POLL_SECONDS": "0.5",
            "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
        }
        named = self._folder / "server.pid"
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-c", SERVER, str(named)],
            env={**_environment(), **settings},
            cwd=self._folder,
        )
        pipes = stdio_client(parameters, errlog=self._errors)
        async with AsyncExitStack() as stack:
            about = Implementation(name=f"{PACKAGE}-demo", version="1")
            client = await stack.enter_async_context(Client(pipes, client_info=about))
            tools = {tool.name for tool in (await client.list_tools()).tools}
            yield Server(client, int(named.read_text()), tools)


def _environment() -> dict[str, str]:
    """What a process needs to start, without any key or setting of the user's."""
    return get_default_environment() | {"PYTHONPATH": str(Path(__file__).parents[1])}


class Server:
    """A running server and our connection to it."""

    def __init__(self, client: Client, process: int, tools: set[str]) -> None:
        self._client = client
        self.process = process
        self.tools = tools

    async def call(self, screen: Screen, tool: str, /, **arguments: Any) -> Answer:
        """One call that is expected to bring its answer; on a slow machine, with patience."""
        answer = await self._told(screen, tool, arguments)
        if answer.status == "running":
            answer = await self.collect(screen, "gemini_result", id=answer.facts["id"])
        check(answer.status == "completed", f"{tool} did not bring an answer")
        return answer

    async def begin(self, screen: Screen, tool: str, /, **arguments: Any) -> Answer:
        """One call whose answer is to come later."""
        return await self._told(screen, tool, arguments, watch=True)

    async def collect(self, screen: Screen, tool: str, /, **id: str) -> Answer:
        """What was begun, waited for by asking again and again."""
        answer = await self._told(screen, tool, {**id, "wait_seconds": PATIENCE}, watch=True)
        while answer.status == "running":
            answer = await self._told(screen, tool, {**id, "wait_seconds": PATIENCE}, watch=True)
        check(answer.status == "completed", "there was no answer to collect")
        return answer

    async def _told(
        self, screen: Screen, tool: str, arguments: dict[str, Any], *, watch: bool = False
    ) -> Answer:
        """One call, shown with what came back; with `watch` also what is said meanwhile."""
        screen.call(tool, arguments)

        async def progress(_now: float, _total: float | None, message: str | None) -> None:
            if watch and message:
                screen.progress(message)

        raw = await self._client.call_tool(tool, arguments, progress_callback=progress)
        answer = Answer(raw)
        screen.answer(answer)
        check(not raw.is_error, f"{tool} was refused")
        return answer

    async def kill(self) -> None:
        """No warning, no chance to write anything down."""
        os.kill(self.process, getattr(signal, "SIGKILL", signal.SIGTERM))
        try:
            with anyio.fail_after(10):
                await self._client.call_tool("gemini_history", {})
        except MCPError:
            return
        raise DidNotHappen("the server outlived being killed")


class Answer:
    """A tool result: its text, what stands below the line, and the facts for programs."""

    def __init__(self, raw: CallToolResult) -> None:
        told = "\n".join(block.text for block in raw.content if block.type == "text")
        text, line, tail = f"\n{told}".rpartition("\n---\n")
        self.text = (text if line else tail).strip("\n")
        self.tail = tail.splitlines() if line else []
        self.facts: Mapping[str, Any] = (raw.meta or {}).get(META, {})
        self.status = self.facts.get("status")
