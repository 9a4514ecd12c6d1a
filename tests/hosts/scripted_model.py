"""A model on loopback that says what a script tells it, as far as hosts use it: the Messages API,
and texts in the Responses API.

Each turn of the conversation that a user's words begin is answered by the rules of a script; all
requests are kept, so that what the model saw can be quoted.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
Block = dict[str, Any]
Script = Callable[[Json], list[Block]]
"""What to answer to a request: blocks of the Messages API."""


def say(words: str) -> Block:
    return {"type": "text", "text": words}


_numbers = itertools.count(1)


def use(tool: str, **given: Any) -> Block:
    return {"type": "tool_use", "id": f"toolu_{next(_numbers):06}", "name": tool, "input": given}


def words(message: Json) -> str:
    """All text of a message, results of tools included."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = []
    for block in content or []:
        if block.get("type") == "text":
            parts.append(block["text"])
        elif block.get("type") == "tool_result":
            inner = block.get("content")
            parts.append(inner if isinstance(inner, str) else words({"content": inner}))
        elif block.get("type") == "image":
            source = block.get("source", {})
            parts.append(f"[image {source.get('media_type')} {len(source.get('data', ''))} chars]")
    return "\n".join(parts)


@dataclass
class ScriptedModel:
    script: Script
    requests: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self._answer({})

            def do_GET(self) -> None:
                self._answer({"data": []})

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                if "count_tokens" in self.path:
                    self._answer({"input_tokens": 100})
                elif "/messages" in self.path:
                    model.requests.append(body)
                    blocks = model.script(body)
                    if body.get("stream"):
                        self._stream(blocks)
                    else:
                        self._answer(_message(blocks))
                elif self.path.endswith("/responses"):
                    model.requests.append(body)
                    self._send_events(_response_events(model.script(body)))
                else:
                    self._answer({})

            def _answer(self, value: Json) -> None:
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def _stream(self, blocks: list[Block]) -> None:
                self._send_events(_events(blocks))

            def _send_events(self, events: Iterator[Json]) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for event in events:
                    self.wfile.write(
                        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
                    )
                self.wfile.flush()
                self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


def _message(blocks: list[Block]) -> Json:
    stop = "tool_use" if any(each["type"] == "tool_use" for each in blocks) else "end_turn"
    return {
        "id": f"msg_{next(_numbers):06}",
        "type": "message",
        "role": "assistant",
        "model": "claude-scripted",
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def _events(blocks: list[Block]) -> Iterator[Json]:
    whole = _message(blocks)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            empty: Block = {"type": "text", "text": ""}
            delta: Block = {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": 10},
    }
    yield {"type": "message_stop"}


def _response_events(blocks: list[Block]) -> Iterator[Json]:
    said = "".join(each["text"] for each in blocks if each["type"] == "text")
    number = next(_numbers)
    response: Json = {"id": f"resp_{number:06}", "object": "response", "status": "in_progress"}
    message = {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": said, "annotations": []}],
    }
    usage = {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20}
    yield {"type": "response.created", "response": {**response, "output": []}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": message}
    whole = {**response, "status": "completed", "output": [message], "usage": usage}
    yield {"type": "response.completed", "response": whole}
