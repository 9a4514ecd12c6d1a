"""A Gemini for speech, music and videos, written from the notes on its wire and not from the
emulator: paths, headers and JSON as they are documented, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Json = dict[str, Any]

KEY = "test-key"
ID = "v1_media"
HOST = "https://generativelanguage.googleapis.com"


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """One answer. `cut` bytes of the body are promised and never sent."""

    body: bytes
    status: str = "200 OK"
    kind: str = "application/json; charset=UTF-8"
    cut: int = 0


def told(value: Json, status: str = "200 OK") -> Reply:
    return Reply(json.dumps(value).encode(), status)


def error(code: str, message: str, status: str) -> Reply:
    return told({"error": {"message": message, "code": code}}, status)


def streamed(*events: Json) -> Reply:
    """Events, each named twice as on the wire, and the end of a stream."""
    blocks = [f"event: {each['event_type']}\ndata: {json.dumps(each)}\n\n" for each in events]
    return Reply(
        "".join([*blocks, "event: done\ndata: [DONE]\n\n"]).encode(), kind="text/event-stream"
    )


def interaction(status: str = "completed", content: Sequence[Json] = (), **more: Any) -> Json:
    output = [{"type": "model_output", "content": list(content)}] if content else []
    return {
        "object": "interaction",
        "created": "2026-11-22T10:00:00Z",
        "updated": "2026-11-22T10:00:05Z",
        "id": ID,
        "status": status,
        "steps": output,
        **more,
    }


@dataclass
class MediaUpstream:
    """Answers creates, looks and downloads, each with the next of its replies; the last one of
    each stays."""

    creates: list[Reply] = field(default_factory=list)
    looks: list[Reply] = field(default_factory=list)
    downloads: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    only_v1beta: bool = False
    """Whether v1 has not got the model, as with those for speech."""
    url: str = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def sent(self, method: str, path: str = "") -> list[Request]:
        return [each for each in self.requests if each.method == method and path in each.path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                method, path, _ = head[0].split(" ")
                named = (each.split(":", 1) for each in head[1:])
                headers = {name.lower(): value.strip() for name, value in named}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                asked = Request(method, path, headers, json.loads(body) if body else None)
                self.requests.append(asked)
                reply = self._reply(asked)
                size = len(reply.body) + reply.cut
                writer.write(
                    f"HTTP/1.1 {reply.status}\r\ncontent-type: {reply.kind}\r\n"
                    f"content-length: {size}\r\n\r\n".encode()
                )
                writer.write(reply.body)
                await writer.drain()
                if reply.cut:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    def _reply(self, asked: Request) -> Reply:
        if asked.headers.get("x-goog-api-key") != KEY:
            return error("permission_denied", "No key.", "403 Forbidden")
        version, _, rest = asked.path.lstrip("/").partition("/")
        if asked.method == "POST" and rest == "interactions":
            if self.only_v1beta and version != "v1beta":
                return error("model_not_found", "The model is not found.", "404 Not Found")
            return _next(self.creates)
        if asked.method == "GET" and rest == f"interactions/{ID}?stream=false":
            return _next(self.looks)
        if asked.method == "GET" and rest == "files/abc:download?alt=media":
            return _next(self.downloads)
        return error("not_found", "Not found.", "404 Not Found")


def _next(replies: list[Reply]) -> Reply:
    if not replies:
        return error("api_error", "Nothing was prepared for this.", "500 Internal Server Error")
    return replies.pop(0) if len(replies) > 1 else replies[0]
