"""What the demo shows, in order; every sentence on the screen is checked before it is shown."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError

from .processes import DemoProcesses, DidNotHappen, Gemini, Server, emulator
from .terminal import Terminal

PATIENCE = 3
"""Seconds a call of the second server waits before it answers "running"."""
RESEARCH_SECONDS = 2.5
LONGEST = 180
"""Seconds after which something hangs that should not."""


def main() -> int:
    """Run the demo; 0 only if everything it showed really happened."""
    screen = Terminal()
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
    screen.end(f"All of it happened, in {time.monotonic() - began:.0f} s. Nothing is left behind.")
    return 0


def check(happened: bool, otherwise: str) -> None:
    """Nothing is shown that is not so."""
    if not happened:
        raise DidNotHappen(otherwise)


async def _everything(screen: Terminal, folder: Path, log: Path) -> None:
    screen.title(
        "A real MCP client, the real server over stdio, an emulator in place of Google:",
        "no key and no network. Prices are what Google would ask for the same.",
    )
    with anyio.fail_after(LONGEST), log.open("w", encoding="utf-8") as errors:
        async with emulator(errors, RESEARCH_SECONDS) as gemini:
            processes = DemoProcesses(gemini, folder, errors, screen)
            conversation = await _first_server(screen, processes)
            await _second_server(screen, processes, conversation)


async def _first_server(screen: Terminal, processes: DemoProcesses) -> str:
    """Ask, follow up, and be killed; returns the conversation."""
    async with processes.server() as server:
        screen.section("Ask")
        answer = await server.call("gemini_ask", prompt="Hello, my name is Ada.")
        check("Ada" in answer.text, "Gemini did not answer what it was told")

        screen.section("Follow up: Gemini remembers")
        answer = await server.call("gemini_continue", prompt="What is my name?")
        check("Your name is Ada" in answer.text, "Gemini did not remember the name")

        screen.section("Kill the server with -9, start another, and go on")
        await server.kill()
        screen.note(f"killed process {server.process}; all that is kept is the conversation's id")
        return str(answer.facts["conversation_id"])


async def _second_server(screen: Terminal, processes: DemoProcesses, conversation: str) -> None:
    """Everything else, on a server that waits no longer than `PATIENCE`."""
    async with processes.server(GEMINI_MCP_MAX_WAIT_SECONDS=str(PATIENCE)) as server:
        answer = await server.call(
            "gemini_continue",
            conversation_id=conversation,
            prompt="Do you still remember my name?",
        )
        check("Your name is Ada" in answer.text, "the conversation did not survive the kill")

        await _long_call(screen, processes.gemini, server)
        if "start_deep_research" in server.tools:
            await _research(screen, server)
        if "gemini_generate_image" in server.tools:
            await _images(screen, server)


async def _long_call(screen: Terminal, gemini: Gemini, server: Server) -> None:
    screen.section(f"A question that takes longer than the {PATIENCE} s this server may wait")
    before = await gemini.creates()
    gate = await gemini.steer("hold_next")
    started = await server.begin("gemini_ask", prompt="Write 20 words.")
    check(started.status == "running", "the call did not answer 'running'")
    await gemini.steer("release", gate=gate)
    done = await server.collect("gemini_result", PATIENCE, id=started.facts["id"])
    check("alpha bravo" in done.text, "the answer that was collected is another one")
    check(await gemini.creates() == before + 1, "Gemini was asked more than once")
    screen.note("Gemini was asked once, not twice")


async def _research(screen: Terminal, server: Server) -> None:
    screen.section("Deep Research: start it, do something else, collect the report")
    started = await server.begin(
        "start_deep_research", question="How do MCP servers survive crashes?"
    )
    check(started.status == "running", "the research did not start")
    report = await server.collect(
        "check_research", PATIENCE, research_id=started.facts["research_id"]
    )
    check("[1]" in report.text and "Sources" in report.text, "the report names no source")


async def _images(screen: Terminal, server: Server) -> None:
    screen.section("Make an image, then edit it")
    made = await server.call("gemini_generate_image", prompt="A lighthouse at dusk")
    _check_picture(made.facts)
    edited = await server.call(
        "gemini_generate_image",
        prompt="Make it snow",
        conversation_id=made.facts["image_id"],
    )
    _check_picture(edited.facts)
    check(made.facts["path"] != edited.facts["path"], "the first image was overwritten")
    check(
        made.facts["conversation_id"] == edited.facts["conversation_id"],
        "the second image is not an edit of the first",
    )


def _check_picture(facts: Mapping[str, Any]) -> None:
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
