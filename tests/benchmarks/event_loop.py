"""The event loop of a gateway under floods and huge answers: how late it is at most.

A probe in the server's process sets a timer every 2 ms and tells how late each is, so that a
worker thread that holds the interpreter's lock counts as well as a long step. Upstream is a small
server in a process of its own that sends prepared bytes. Each row is the least of the rounds'
worst: other load on the machine makes a loop late, too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import httpx2

from tests.benchmarks.report import Measurement
from tests.benchmarks.research import call
from tests.support.listening_process import ListeningProcess, listening

ROUNDS = 5
BUDGET = 60.0
SETTLED = 4.0
"""Seconds after which a gateway has imported what it will need."""

UPSTREAM = r"""
import asyncio, base64, json, random, sys

SIZE = 20_000_000
RATE, SECONDS = 5_000, 3
PARAGRAPH = 'Der "Himmel" ist blau\\, weil ☀ Licht gestreut wird. See [a page](https://example.com/x).\n\n'
TEXT = PARAGRAPH * (SIZE // len(PARAGRAPH.encode()))
PICTURE = base64.b64encode(b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(SIZE)).decode()
USAGE = {"total_input_tokens": 9, "total_output_tokens": 9, "total_tokens": 18}


def event(**said):
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\n\n"


def interaction(number, status, **more):
    return {"id": f"v1_{number}", "object": "interaction", "status": status, **more}


def answer(number, *contents):
    step = {"type": "model_output", "content": list(contents)}
    return interaction(number, "completed", model="gemini-3.8-flash", steps=[step], usage=USAGE)


def opening(number):
    yield event(event_type="interaction.created", interaction=interaction(number, "in_progress"))
    yield event(event_type="step.start", index=0, step={"type": "model_output"})


def closing(number):
    yield event(event_type="step.stop", index=0)
    done = interaction(number, "completed", model="gemini-3.8-flash", usage=USAGE)
    yield event(event_type="interaction.completed", interaction=done)
    yield b"data: [DONE]\n\n"


def delta(text):
    return event(event_type="step.delta", index=0, delta={"type": "text", "text": text})


ONE = delta(TEXT)
MANY = [delta(TEXT[at : at + 2_000]) for at in range(0, len(TEXT), 2_000)]
FEW = b"".join(delta("Wort ") for _ in range(RATE // 100))
numbers = iter(range(1, 10**9))


async def told(body, send):
    number = next(numbers)
    if b'"stream":true' not in body.replace(b" ", b""):
        content = {"type": "image", "mime_type": "image/jpeg", "data": PICTURE}
        await send(json.dumps(answer(number, content)).encode(), "application/json")
        return
    await send(b"".join(opening(number)), "text/event-stream")
    if b"one piece" in body:
        await send(ONE)
    elif b"many pieces" in body:
        for piece in MANY:
            await send(piece)
    elif b"flood" in body:
        began = asyncio.get_running_loop().time()
        for tick in range(SECONDS * 100):
            await send(FEW)
            await asyncio.sleep(began + (tick + 1) / 100 - asyncio.get_running_loop().time())
    else:
        await send(delta("Hello."))
    await send(b"".join(closing(number)))


async def client(reader, writer):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().lower().split("\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
            body = await reader.readexactly(length)

            async def send(data, kind=""):
                if kind:
                    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n".encode())
                    writer.write(b"transfer-encoding: chunked\r\n\r\n")
                writer.write(b"%x\r\n" % len(data) + data + b"\r\n")
                await writer.drain()

            await told(body, send)
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(client, "127.0.0.1", 0, limit=1 << 24)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.serve_forever()


asyncio.run(main())
"""

CASES: dict[str, tuple[str, dict[str, str]]] = {
    "nothing but an ask": ("gemini_ask", {"prompt": "Hello."}),
    "5,000 events a second, for 3 s": ("gemini_ask", {"prompt": "flood"}),
    "a text of 20 MB in 10,000 events": ("gemini_ask", {"prompt": "many pieces"}),
    "a text of 20 MB in one event": ("gemini_ask", {"prompt": "one piece"}),
    "the next page of such a text": ("gemini_result", {}),
    "a picture of 20 MB": ("gemini_generate_image", {"prompt": "a cat"}),
}


def run() -> list[Measurement]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GEMINI_")}
    with tempfile.TemporaryDirectory() as folder:
        late = Path(folder) / "late"
        upstream = Path(folder) / "upstream.py"
        upstream.write_text(UPSTREAM)
        with listening([sys.executable, str(upstream)], clean) as google:
            environ = clean | {
                "GEMINI_API_KEY": "benchmark",
                "GOOGLE_GEMINI_BASE_URL": google.url,
                "GEMINI_MCP_DATA_DIR": f"{folder}/data",
                "GEMINI_MCP_MAX_WAIT_SECONDS": "120",
            }
            probed = [sys.executable, "-m", "tests.support.probed_server", str(late)]
            with listening([*probed, "serve", "--http", "127.0.0.1:0"], environ) as gateway:
                return anyio.run(measured, gateway, late)


async def measured(gateway: ListeningProcess, late: Path) -> list[Measurement]:
    place = gateway.url.removesuffix("/mcp")
    rows = []
    async with httpx2.AsyncClient(timeout=300, trust_env=False) as http:
        await call(http, place, "gemini_ask", prompt="Hello.")
        await anyio.sleep(SETTLED)
        id = ""
        with late.open() as lines:
            for what, (tool, arguments) in CASES.items():
                worst, took = [], []
                for _ in range(ROUNDS):
                    lines.read()
                    began = time.perf_counter()
                    more = {"id": id, "offset": 10_000_000} if tool == "gemini_result" else {}
                    said = json.loads(await call(http, place, tool, **arguments, **more))
                    took.append(time.perf_counter() - began)
                    await anyio.sleep(0.3)
                    told = [json.loads(line) for line in lines]
                    worst.append(max((each["late"] for each in told), default=0.0))
                    _explain(what, told)
                    id = said["_meta"]["gemini-interactions-mcp/result"].get("id", id)
                note = f"median of {ROUNDS} rounds {median(worst):,.0f} ms, a call "
                note += f"{median(took):,.2f} s"
                budget = inf if what.startswith("nothing") else BUDGET
                rows.append(Measurement(f"loop late: {what}", "ms", min(worst), budget, note=note))
    return rows


def _explain(what: str, told: list[dict[str, Any]]) -> None:
    """On standard error, where it is wanted: what made the loop late."""
    if os.environ.get("BENCHMARK_STEPS"):
        for each in sorted(told, key=lambda each: -each["late"])[:6]:
            print(what, each, file=sys.stderr)
