"""The demo: a real MCP client, the real server and an offline Gemini, for a person to watch.

It is a client and nothing else: it starts two processes, the emulator and the server, and
talks to them as anybody could. Whatever it shows, it has checked; what did not happen ends it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import get_default_environment, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

META = "gemini-interactions-mcp/result"
PACKAGE = __name__.rpartition(".")[0]
PATIENCE = 3
"""Seconds a call of the second server waits before it answers "running"."""
RESEARCH_SECONDS = 2.5
LONGEST = 60
"""Seconds after which something hangs that should not."""

# The server as hosts start it, with its process id left in a file, so that it can be killed.
SERVER = (
    "import os, pathlib, runpy, sys; "
    "pathlib.Path(sys.argv.pop(1)).write_text(str(os.getpid())); "
    f"runpy.run_module({PACKAGE!r}, run_name='__main__')"
)


class DidNotHappen(Exception):
    """The demo was about to show something that is not so."""


def main() -> int:
    """Run the demo; 0 only if everything it showed really happened."""
    screen = Screen()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gemini-demo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        try:
            anyio.run(_everything, screen, Path(folder), log)
        except BaseException as problem:
            reason = _reason(problem)
            if reason is None:
                raise
            screen.failed(reason, log)
            return 1
    screen.end(f"All of it happened, in {time.monotonic() - began:.0f} s. Nothing left behind.")
    return 0


async def _everything(screen: Screen, folder: Path, log: Path) -> None:
    screen.title(
        "A real MCP client, the real server over stdio, an emulator in place of Google:",
        "no key, no network, no cost.",
    )
    with anyio.fail_after(LONGEST), log.open("w", encoding="utf-8") as errors:
        async with emulator(errors) as gemini:
            house = House(gemini, folder, errors)
            conversation = await first_server(screen, house)
            await second_server(screen, house, conversation)


async def first_server(screen: Screen, house: House) -> str:
    """Ask, follow up, and be killed; returns the conversation."""
    async with house.server() as server:
        screen.section("Ask")
        answer = await server.call(screen, "gemini_ask", prompt="Hello, my name is Ada.")
        check("Ada" in answer.text, "Gemini did not answer what it was told")

        screen.section("Follow up: it remembers")
        answer = await server.call(screen, "gemini_continue", prompt="What is my name?")
        check("Your name is Ada" in answer.text, "Gemini did not remember the name")

        screen.section("Kill the server (-9), start another, and go on")
        await server.kill()
        screen.note(f"killed process {server.process}; only the conversation's id is kept")
        return str(answer.facts["conversation_id"])


async def second_server(screen: Screen, house: House, conversation: str) -> None:
    """Everything else, on a server that waits no longer than `PATIENCE`."""
    async with house.server(GEMINI_MCP_MAX_WAIT_SECONDS=str(PATIENCE)) as server:
        answer = await server.call(
            screen,
            "gemini_continue",
            conversation_id=conversation,
            prompt="Do you still remember my name?",
        )
        check("Your name is Ada" in answer.text, "the conversation did not survive the kill")

        await long_call(screen, house.gemini, server)
        if "start_deep_research" in server.tools:
            await research(screen, server)
        if "gemini_generate_image" in server.tools:
            await images(screen, server)


async def long_call(screen: Screen, gemini: Gemini, server: Server) -> None:
    screen.section(f"A question that takes longer than the {PATIENCE} s this server may wait")
    before = gemini.creates()
    gate = gemini.steer("hold_next")
    started = await server.begin(screen, "gemini_ask", prompt="Write 20 words.")
    check(started.status == "running", "the call did not answer 'running'")
    gemini.steer("release", gate=gate)
    done = await server.collect(screen, "gemini_result", id=started.facts["id"])
    check("alpha bravo" in done.text, "the answer that was collected is another one")
    check(gemini.creates() == before + 1, "Gemini was asked more than once")
    screen.note("Gemini was asked once, not twice")


async def research(screen: Screen, server: Server) -> None:
    screen.section("Deep Research: start it, do something else, collect the report")
    stands = await server.begin(
        screen, "start_deep_research", question="How do MCP servers survive crashes?"
    )
    check(stands.status == "running", "the research did not start")
    report = await server.collect(screen, "check_research", research_id=stands.facts["research_id"])
    check("http" in report.text, "the report names no source")


async def images(screen: Screen, server: Server) -> None:
    screen.section("Make an image, then edit it")
    made = await server.call(screen, "gemini_generate_image", prompt="A lighthouse at dusk")
    check_picture(made.facts)
    edited = await server.call(
        screen,
        "gemini_generate_image",
        prompt="Make it snow",
        conversation_id=made.facts["image_id"],
    )
    check_picture(edited.facts)
    check(made.facts["path"] != edited.facts["path"], "the first image was overwritten")
    check(
        made.facts["conversation_id"] == edited.facts["conversation_id"],
        "the second image is not an edit of the first",
    )


def check(happened: bool, otherwise: str) -> None:
    """Nothing is shown that is not so."""
    if not happened:
        raise DidNotHappen(otherwise)


def check_picture(facts: Mapping[str, Any]) -> None:
    path = Path(str(facts.get("path", "")))
    check(path.is_file(), "there is no file where the image should be")
    start = path.read_bytes()[:12]
    is_picture = start.startswith((b"\x89PNG", b"\xff\xd8\xff")) or start[8:] == b"WEBP"
    check(is_picture, "the file that was made is no image")


def _reason(problem: BaseException) -> str | None:
    """What ended the demo, in words; None for a mistake in the demo itself."""
    if isinstance(problem, BaseExceptionGroup):
        return next((found for each in problem.exceptions if (found := _reason(each))), None)
    if isinstance(problem, DidNotHappen):
        return str(problem)
    if isinstance(problem, TimeoutError):
        return f"it was not done after {LONGEST} s"
    if isinstance(problem, MCPError | OSError):
        return f"{type(problem).__name__}: {problem}"
    return None


