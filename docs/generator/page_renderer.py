"""Pages that show real exchanges: their calls are made, and what comes back is written below.

In a page, a ``text`` block that begins with ``> `` is an exchange:

    > gemini_ask(prompt="My name is Ada.")
    Nice to meet you, Ada. I will remember your name.

The calls are the author's, everything else is replaced. `c_#1` in a call stands for the first
conversation of the page. Comments that nobody sees steer what happens between two blocks:

    <!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "1"}} -->
    <!-- stage: {"do": "hold_next"} -->

    <!-- stage: {"serve": ["--structured", "on"]} -->
    <!-- stage: {"host": "codex", "shows": "add"} -->

The third serves over HTTP, with one token; the last puts what that host is told (its command,
`add`, or the `snippet` for its file) into the block that follows.

A ``python`` block whose first line names a file (`# hello.py`) is saved. An ``sh`` block that
says ``python hello.py``, or one of our own commands that only look, runs it; what it prints
replaces the ``text`` block that follows.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import runpy
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp_types import CallToolResult

from docs.generator.example_runner import ExampleRunner
from gemini_interactions.cli import command_line
from gemini_interactions.domain import client_profiles

ROOT = Path(__file__).parents[2]
COMMAND = "gemini-interactions-mcp"
ADDRESS = "http://127.0.0.1:8800"
"""Where pages say that a gateway is."""
VERSIONS = "Python 3.11.9 · mcp 2.3.0 · google-genai 3.4.0"

_PIECE = re.compile(
    r"^<!-- stage: (?P<order>.*?) -->$"
    r"|^(?P<fence>`{3,})(?P<language>\w*)\n(?P<block>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    """Every fenced block, with the number of its first line."""
    return [
        Block(found["language"], found["block"], page.count("\n", 0, found.start()) + 2)
        for found in _PIECE.finditer(page)
        if found["fence"]
    ]


def is_woven(page: str) -> bool:
    """Whether a page shows anything that is made."""
    return "<!-- stage:" in page or any(
        (each.language == "text" and each.text.startswith("> ")) or _runs(each)
        for each in blocks(page)
    )


async def woven(page: str, stage: ExampleRunner) -> str:
    """The page with everything in it that is made, made anew."""
    made: list[str] = []
    end = 0
    printed: str | None = None
    told: str | None = None
    for found in _PIECE.finditer(page):
        made.append(page[end : found.start()])
        end = found.end()
        whole = found[0]
        if found["order"]:
            order = json.loads(found["order"])
            if "host" in order:
                told = _told(order)
            else:
                await _order(stage, order)
        elif told is not None:
            whole = f"{found['fence']}{found['language']}\n{told}{found['fence']}"
            told = None
        elif found["language"] == "python" and (name := _file_name(found["block"])):
            (_scripts(stage) / name).write_text(found["block"], "utf-8")
        elif found["language"] == "sh":
            for line in _runs(Block("sh", found["block"], 0)):
                printed = _of_no_day(stage.shown(await _run(stage, stage.real(line))))
                _check(printed, line)
            found_line = found["block"]
            whole = f"{found['fence']}sh\n{stage.shown(stage.real(found_line))}{found['fence']}"
        elif found["language"] == "text":
            text = found["block"]
            if text.startswith("> "):
                text = await _exchange(text, stage)
            elif printed is not None:
                text, printed = printed.rstrip("\n") + "\n", None
            whole = f"{found['fence']}text\n{text}{found['fence']}"
        made.append(whole)
    return "".join([*made, page[end:]])


def _told(order: dict[str, Any]) -> str:
    """What a host is told, as the table of hosts has it."""
    found = client_profiles.host(order["host"])
    if found is None:
        raise ValueError(f"There is no host {order['host']}.")
    if order["shows"] == "snippet":
        return found.snippet(client_profiles.Launch())
    if found.add is None:
        raise ValueError(f"{found.title} has no command to add a server.")
    return f"{shlex.join(found.add(client_profiles.Launch()))}\n"


async def _order(stage: ExampleRunner, order: dict[str, Any]) -> None:
    if "restart" in order:
        await stage.restart(**order["restart"])
    elif "serve" in order:
        await stage.serve(*order["serve"])
    else:
        stage.steer(order)
        if order.get("do") == "release":
            await stage.settle()


# Exchanges


async def _exchange(block: str, stage: ExampleRunner) -> str:
    pieces = []
    for call in calls(block):
        call = stage.real(call)
        stage.names.keep(call)
        name, arguments = parsed(call)
        result = await stage.call(name, arguments)
        pieces.append(f"{stage.shown(call)}\n{_shown(result, call, stage)}\n")
    return "\n".join(pieces)


def calls(block: str) -> list[str]:
    """The calls of an exchange; a long one goes on in lines that are indented."""
    return re.findall(r"^> .*(?:\n {2,}\S.*)*", block, re.MULTILINE)


def parsed(call: str) -> tuple[str, dict[str, Any]]:
    """The tool and the arguments of a call as it is written."""
    try:
        tree = ast.parse(call.removeprefix("> "), mode="eval").body
    except SyntaxError as wrong:
        raise ValueError(f"This is no call: {call}") from wrong
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
        raise ValueError(f"This is no call: {call}")
    return tree.func.id, {str(each.arg): _value(each.value) for each in tree.keywords}


def _value(node: ast.expr) -> Any:
    """JSON, as it is written in a call."""
    match node:
        case ast.Name(id=name) if name in _WORDS:
            return _WORDS[name]
        case ast.List(elts=items):
            return [_value(each) for each in items]
        case ast.Dict(keys=keys, values=values):
            return {
                _value(key): _value(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case _:
            return ast.literal_eval(node)


def _shown(result: CallToolResult, call: str, stage: ExampleRunner) -> str:
    text = "\n".join(block.text for block in result.content if block.type == "text")
    _check(text, call)
    if some := re.search(r"# the first (\d+) lines$", call):
        text = _beginning(text, int(some[1]))
    return stage.shown(text)


def _check(text: str, what: str) -> None:
    if "This server failed" in text:
        raise RuntimeError(f"No page shows a server that fails: {what}")


def _beginning(text: str, lines: int) -> str:
    """So many lines of the text, and all that stands below its line."""
    body, line, tail = text.rpartition("\n---\n")
    shown = body.splitlines()
    if not line or len(shown) <= lines:
        return text
    return "\n".join([*shown[:lines], "[…]", "---", tail])


# Programs


def _file_name(block: str) -> str:
    found = re.match(r"# (\w+\.py)\n", block)
    return found[1] if found else ""


def _runs(block: Block) -> list[str]:
    if block.language != "sh":
        return []
    runs = rf"^(?:python \w+\.py|{COMMAND} (?:doctor|export|history).*|{COMMAND} delete .*--yes)$"
    return re.findall(runs, block.text, re.MULTILINE)


def _scripts(stage: ExampleRunner) -> Path:
    folder = stage.data_dir.parent / "scripts"
    folder.mkdir(exist_ok=True)
    return folder


def _of_no_day(text: str) -> str:
    """What a program prints, without when and where it ran: date, price of the day, versions."""
    text = re.sub(r"Python 3[\d.]+\w* · mcp [\d.]+ · google-genai [\d.]+", VERSIONS, text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-11-22 12:00 UTC", text)
    return re.sub(r"~\$[\d.]+", "~$0.0003", text)


async def _run(stage: ExampleRunner, line: str) -> str:
    """What a line of a page prints, where our command is the one of this checkout.

    It runs in a thread of this process, which has long imported what it needs.
    """
    bin = stage.data_dir.parent / "bin"
    bin.mkdir(exist_ok=True)
    command = bin / COMMAND
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gemini_interactions "$@"\n', "utf-8")
    command.chmod(0o700)
    path = f"{bin}{os.pathsep}{os.environ.get('PATH', '')}"
    program, *words = shlex.split(line)
    before, printed = dict(os.environ), io.StringIO()
    os.environ.update({**stage.environment, "PATH": path})
    try:
        with contextlib.redirect_stdout(printed):
            if program == COMMAND:
                await anyio.to_thread.run_sync(command_line.main, words)
            else:
                await anyio.to_thread.run_sync(_run_program, stage, words[0])
    finally:
        os.environ.clear()
        os.environ.update(before)
    return printed.getvalue()


def _run_program(stage: ExampleRunner, name: str) -> None:
    program = _scripts(stage) / name
    program.write_text(program.read_text("utf-8").replace(ADDRESS, stage.address), "utf-8")
    runpy.run_path(str(program))
